"""Reconcilers carry on: processes die at every step of "create a Multi-AZ instance", and it ends available.

What is left afterwards is exactly what the instance needs: two copies, two engines, one endpoint.
"""

import time

import pytest
from harness import processes
from harness.aws import Rds
from harness.database import Database
from harness.faults import wait_in_sync
from harness.poll import until

# What nodes log when they begin a step, in the order of the creation.
STEPS = [
    "primary placed on",
    "step=Initialize",
    "step=StartLeader",
    "standby placed on",
    "step=Copy",
    "step=StartFollower",
    "step=StartWaiting",
    "step=DeclareInSync",
    "status available",
]
# Shares of an undisturbed creation at which everything dies at once.
MOMENTS = [0.3, 0.7]


class Watch:
    """Node logs from now on."""

    def __init__(self, region):
        self.files = {}
        for path in region.data.glob("regions/*/nodes/*/node.log"):
            file = path.open(encoding="utf-8", errors="replace")
            file.seek(0, 2)
            self.files[path.parent.name] = file

    def node_that_says(self, words, within=60):
        """The node that writes a line with these words, as soon as it does."""

        def said():
            return next((node for node, file in self.files.items() if words in file.read()), None)

        return until(said, within, f"a node says '{words}'", pause=0.002)

    def close(self):
        for file in self.files.values():
            file.close()


@pytest.fixture(scope="module")
def creation_s(rds):
    """How long an undisturbed creation takes."""
    began = time.monotonic()
    rds.create("calm", MultiAZ=True)
    took = time.monotonic() - began
    rds.delete("calm")
    return took


def copies(region, resource):
    return sorted(path.parts[-3] for path in region.data.glob(f"regions/*/nodes/*/members/{resource}"))


def engines(region):
    return [engine["data"] for row in region.zones() for engine in row["engines"]]


def finish(region, rds, name):
    """Available, whole, and nothing more than that; then deleted without a trace."""
    found = rds.wait_available(name)
    wait_in_sync(region, name)
    database = Database(region, rds.describe(name))
    database.serves()
    database.ask("create table proof (id int)")
    members = sorted(row["node"] for row in region.members(name))
    assert len(members) == 2
    resource = found["DbiResourceId"]
    until(lambda: copies(region, resource) == members, 20, "the copies are those of the members")
    until(lambda: len([data for data in engines(region) if resource in data]) == 2, 20, "two engines run")
    rds.delete(name)
    until(lambda: not copies(region, resource), 20, "no copy is left")
    until(lambda: not engines(region), 20, "no engine is left")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.replace("step=", "").replace(" ", "-"))
def test_a_node_dies_as_it_begins_a_step(region, rds, step):
    """SIGKILL to the node that says so; it is started again, and the creation goes on."""
    name = f"at-{STEPS.index(step)}"
    watch = Watch(region)
    try:
        rds.ask_create(name, MultiAZ=True)
        node = watch.node_that_says(step)
        processes.kill(pid_of(region, node))
    finally:
        watch.close()
    region.zone("start", node.rsplit("-", 1)[0])
    finish(region, rds, name)


def pid_of(region, node):
    """From /proc, as asking the program would take longer than the step."""
    folder = f"/nodes/{node}"
    return next(
        pid
        for pid in processes.of_folder(region.folder)
        if " node " in processes.command(pid) and folder in processes.command(pid)
    )


@pytest.mark.parametrize("share", MOMENTS)
def test_everything_dies_during_the_creation(region, rds, creation_s, share):
    """Every process of the region at once, at some moment of the creation."""
    name = f"all-{int(share * 100)}"
    rds.ask_create(name, MultiAZ=True)
    time.sleep(share * creation_s)
    processes.kill_all(region.folder)
    region.process.wait()
    region.start()
    finish(region, Rds(region), name)
