"""Breaking things, and seeing who does what."""

import os
import signal
import time

from . import processes
from .poll import until


def member(region, instance, role):
    """The row of the one member with this role: `primary`, `standby`, `replica`."""
    rows = [row for row in region.members(instance) if row["role"] == role]
    assert len(rows) == 1, f"{instance} should have one {role}: {region.members(instance)}"
    return rows[0]


def zone_of(region, instance, role):
    return member(region, instance, role)["zone"]


def node_pid(region, zone):
    """The process of a zone's first node."""
    return next(row["pid"] for row in region.zones() if row["zone"] == zone)


def engines(region, zone):
    """Pids of the first processes of a zone's engines."""
    return [engine["pid"] for row in region.zones() if row["zone"] == zone for engine in row["engines"]]


def kill_zone(region, zone):
    """Kills a zone as `zone kill` does; returns the moment before."""
    moment = time.monotonic()
    region.zone("kill", zone)
    return moment


def kill_engines(region, zone):
    """SIGKILL to the first process of each engine of a zone."""
    moment = time.monotonic()
    for pid in engines(region, zone):
        processes.send(pid, signal.SIGKILL)
    return moment


def signal_engine(region, zone, number):
    """A signal to every process of the zone's engines, and to nothing else."""
    folder = node_folder(region, zone)
    for pid in processes.postgres_of(folder):
        processes.send(pid, number)


def node_folder(region, zone, number=1):
    name = zone[:-1]
    return region.data / "regions" / name / "nodes" / f"{zone}-{number}"


def wait_in_sync(region, instance, within=90):
    """Until the instance has a primary and a standby that may be promoted; returns the two zones."""

    def both():
        rows = {row["role"]: row for row in region.members(instance)}
        ready = {"primary", "standby"} <= rows.keys() and all(row["in_sync"] for row in rows.values())
        return (rows["primary"]["zone"], rows["standby"]["zone"]) if ready else None

    return until(both, within, f"{instance} has a standby in sync", pause=0.2)


def wait_primary(region, instance, zone, within=60):
    """Until the primary is in this zone."""

    def there():
        return any(row["role"] == "primary" and row["zone"] == zone for row in region.members(instance))

    return until(there, within, f"the primary of {instance} is in {zone}", pause=0.1)


def is_root():
    return os.geteuid() == 0
