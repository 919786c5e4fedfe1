"""Multi-AZ turned on and off under load, a full disk on the primary, and a gateway that dies."""

import os
import subprocess

import psycopg
import pytest
from harness import faults
from harness.aws import Rds
from harness.database import Database
from harness.faults import wait_in_sync, wait_primary
from harness.ledger import Ledger
from harness.poll import until

NAME = "ledgers"
DISK_MB = 360


@pytest.fixture(scope="module")
def database(region, rds):
    """An instance that begins in one zone."""
    return Database(region, rds.create(NAME))


def test_multi_az_is_turned_on_under_load(region, rds, database):
    """The standby is copied while writers write; from `available` on, killing the zone loses nothing."""
    with Ledger(database) as ledger:
        found = rds.modify(NAME, MultiAZ=True)
        assert found["MultiAZ"] and found["SecondaryAvailabilityZone"] != found["AvailabilityZone"]
        primary, standby = wait_in_sync(region, NAME)
        faults.kill_zone(region, primary)
        ledger.wait_for_more(20)
        wait_primary(region, NAME, standby)
        region.zone("start", primary)
        wait_in_sync(region, NAME)
        ledger.check()


def test_multi_az_is_turned_off_under_load(region, rds, database):
    """The standby goes, its data with it, and the primary goes on alone."""
    wait_in_sync(region, NAME)
    with Ledger(database) as ledger:
        found = rds.modify(NAME, MultiAZ=False)
        assert not found["MultiAZ"] and "SecondaryAvailabilityZone" not in found
        until(lambda: len(region.members(NAME)) == 1, 30, "one member is left")
        ledger.wait_for_more(20)
        ledger.check()
    until(lambda: len(_data_folders(region, found["DbiResourceId"])) == 1, 30, "one copy is left on disk")


def _data_folders(region, resource):
    return list(region.data.glob(f"regions/*/nodes/*/members/{resource}"))


def test_a_killed_gateway_and_all_its_nodes_come_back(region, rds, database):
    """`quorate up` dies alone; its nodes and engines must not go on without it, and the next one finds all."""
    with Ledger(database) as ledger:
        region.kill()
        region.start()
        ledger.wait_for_more(20)
        rds.wait_available(NAME)
        ledger.check()


@pytest.fixture(params=["engines", "node"])
def small_disk(make_region, request):
    """A region in whose zone a the engines, or the whole node with its catalog, have a small file system."""
    if not faults.is_root():
        pytest.skip("mounting a small file system needs root")
    region = make_region()
    folder = faults.node_folder(region, "us-east-1a")
    if request.param == "engines":
        folder = folder / "members"
    folder.mkdir(parents=True)
    for part in [folder, *folder.parents][:6]:
        part.chmod(0o711)
    options = f"size={DISK_MB}m,mode=0711"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "quorate-test", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"mounting is not permitted here: {mounted.stderr.decode().strip()}")
    try:
        region.start()
        yield region, folder
    finally:
        region.close(keep=True)
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_on_the_primary_loses_nothing(small_disk):
    """The standby has room, so it takes over; events tell it; the old primary comes back once it has room.

    A node that cannot write the catalog's log any more ends, and its engines with it.
    """
    region, folder = small_disk
    rds = Rds(region)
    database = Database(region, rds.create("tight", AvailabilityZone="us-east-1a"))
    rds.modify("tight", MultiAZ=True)
    primary, standby = wait_in_sync(region, "tight")
    assert primary == "us-east-1a"
    with Ledger(database) as ledger:
        hog = folder / "hog"
        _fill(hog)
        _write_until_full(database)
        wait_primary(region, "tight", standby)
        ledger.wait_for_more(20)
        hog.unlink()
        wait_in_sync(region, "tight")
        ledger.check()
    story = " | ".join(rds.events("tight"))
    assert "Multi-AZ instance failover started" in story, story


def _fill(path):
    """Takes all but a few megabytes of the file system that a path is on."""
    free = os.statvfs(path.parent)
    left = free.f_bavail * free.f_frsize - (6 << 20)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, left)


def _write_until_full(database):
    """Writes more than fits; the end of it is an error or a failover."""
    try:
        database.ask("create table if not exists bulk (filler text)")
        for _ in range(40):
            database.ask("insert into bulk select repeat(md5(i::text), 30) from generate_series(1, 2000) i")
    except psycopg.Error:
        pass
