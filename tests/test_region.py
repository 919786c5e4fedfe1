"""A region's processes: starting twice, dying nodes, several regions, clean stops, commands."""

import json
import signal
import subprocess

import pytest
from harness import faults, processes
from harness.aws import Rds, client, error_of
from harness.database import Database
from harness.poll import until
from harness.region import BINARY

EAST, WEST = "us-east-1", "eu-west-1"


@pytest.fixture(scope="module")
def region(make_region):
    """Two regions under one `quorate up`, each with an instance of the same name."""
    region = make_region(names=(EAST, WEST))
    region.start()
    return region


@pytest.fixture(scope="module")
def instances(region):
    """The instance `same` of each region, by the region's name."""
    services = {name: Rds(region, name) for name in (EAST, WEST)}
    services[EAST].ask_create("same", MultiAZ=True)
    services[WEST].ask_create("same")
    databases = {
        name: Database(region, service.wait_available("same"), region_name=name) for name, service in services.items()
    }
    for name, database in databases.items():
        database.ask("create table here (region text)")
        database.ask("insert into here values (%s)", name)
    return databases


def test_regions_know_nothing_of_each_other(region, instances):
    """The same name twice: other zones, other data, another certificate authority."""
    for name, database in instances.items():
        found = Rds(region, name).describe("same")
        assert found["AvailabilityZone"].startswith(name)
        assert f":{name}:" in found["DBInstanceArn"]
        assert database.one("select region from here") == name
    assert region.ca_file(EAST).read_text() != region.ca_file(WEST).read_text()
    with pytest.raises(Exception, match="certificate verify failed"):
        instances[EAST].ask("select 1", sslrootcert=str(region.ca_file(WEST)))


def test_status_shows_nodes_and_members(region, instances):
    status = region.status(EAST)
    assert [node["zone"] for node in status["nodes"]] == [f"{EAST}{letter}" for letter in "abc"]
    assert all(node["alive"] and node["voter"] for node in status["nodes"])
    assert status["leader"] in {node["node"] for node in status["nodes"]}
    roles = sorted(row["role"] for row in region.members("same", EAST))
    assert roles == ["primary", "standby"]
    table = region.run("status").stdout
    for word in (EAST, WEST, "same", "primary", "standby"):
        assert word in table


def test_commands_print_tables_and_json(region, instances):
    assert {row["zone"] for row in region.zones()} == {f"{name}{letter}" for name in (EAST, WEST) for letter in "abc"}
    assert "running" in region.run("zone", "list").stdout
    assert region.run("logs", f"{EAST}a-1").stdout
    refused = region.run("zone", "kill", f"{EAST}z", check=False)
    assert refused.returncode != 0 and f"{EAST}a" in refused.stderr


def test_a_second_up_says_so_and_changes_nothing(region, instances):
    """The folder is taken, and the region that runs does not notice."""
    before = [row["pid"] for row in region.zones()]
    second = subprocess.run(region.up_command(), capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0
    assert "already runs" in second.stderr + second.stdout
    assert str(region.process.pid) in second.stderr + second.stdout
    assert [row["pid"] for row in region.zones()] == before
    instances[EAST].serves()


def test_an_api_port_that_is_taken_is_told(make_region):
    """Another folder, the same port: a sentence that names it, and nothing left running."""
    other = make_region()
    with _listener(other.api_port):
        ended = subprocess.run(other.up_command(), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert str(other.api_port) in ended.stderr + ended.stdout
    until(lambda: not processes.of_folder(other.folder), 20, "nothing of it is left")


def _listener(port):
    import socket

    return socket.create_server(("127.0.0.1", port))


def test_engines_die_with_their_node(region, instances):
    """SIGKILL to the node's process alone: no engine may go on serving without it."""
    zone = faults.zone_of(region, "same", "primary")
    folder = faults.node_folder(region, zone)
    assert processes.postgres_of(folder)
    processes.kill(faults.node_pid(region, zone))
    until(lambda: not processes.postgres_of(folder), 5, "no engine of the node is left")
    instances[EAST].serves()
    region.zone("start", zone)
    faults.wait_in_sync(region, "same")


def test_engines_stop_when_their_node_is_stopped(region, instances):
    """SIGSTOP to the node's process alone: its engine must not outlive the lease that nobody renews."""
    zone, standby = faults.wait_in_sync(region, "same")
    pid = faults.node_pid(region, zone)
    folder = faults.node_folder(region, zone)
    processes.send(pid, signal.SIGSTOP)
    try:
        until(lambda: not processes.postgres_of(folder), 20, "the engine ends with the lease")
        faults.wait_primary(region, "same", standby)
        instances[EAST].serves()
    finally:
        processes.send(pid, signal.SIGCONT)
    faults.wait_in_sync(region, "same")


def test_everything_dies_with_up(region, instances):
    """SIGKILL to `quorate up`: neither nodes nor engines go on without it, and the next `up` finds all."""
    region.kill()
    until(lambda: not processes.of_folder(region.folder), 15, "nothing of it is left")
    region.start()
    for name, database in instances.items():
        Rds(region, name).wait_available("same")
        database.wait("select region from here", name)


def test_ctrl_c_stops_everything_cleanly(region, instances):
    """The same endpoint and the same credentials afterwards; PostgreSQL needed no recovery."""
    faults.wait_in_sync(region, "same")
    env = region.env()
    assert region.stop(signal.SIGINT) == 0
    region._env = None
    region.start()
    assert region.env() == env
    for name, database in instances.items():
        assert Rds(region, name).wait_available("same")["Endpoint"]["Port"] == database.port
        database.wait("select region from here", name)


def test_a_killed_zone_stays_dead_until_it_is_started(region, instances):
    zone = f"{WEST}c"
    region.zone("kill", zone)
    state = {row["zone"]: row["state"] for row in region.zones()}
    assert state[zone] == "down" and state[f"{WEST}a"] == "running"
    region.zone("start", zone)
    until(lambda: all(node["alive"] for node in region.status(WEST)["nodes"]), 30, "the node is back")


def test_a_region_without_a_quorum_says_so_and_comes_back(region, instances):
    """Two zones of three are gone: calls that change something get a 503, databases that run go on."""
    for letter in "bc":
        region.zone("kill", f"{WEST}{letter}")
    try:
        west = client(region, name=WEST, retries={"max_attempts": 0}, read_timeout=60)
        code, status, _ = error_of(west.create_db_parameter_group, DBParameterGroupName="late",
                                   DBParameterGroupFamily="postgres15", Description="x")
        assert (code, status) == ("ServiceUnavailable", 503)
    finally:
        for letter in "bc":
            region.zone("start", f"{WEST}{letter}")
    until(lambda: all(node["alive"] for node in region.status(WEST)["nodes"]), 30, "the nodes are back")
    Rds(region, WEST).wait_available("same")
    instances[WEST].serves()


def test_several_nodes_in_a_zone_share_the_work(make_region):
    region = make_region(nodes_per_zone=2)
    region.start()
    assert len(region.status()["nodes"]) == 6
    rds = Rds(region)
    for name in ("one", "two"):
        rds.ask_create(name, MultiAZ=True)
    for name in ("one", "two"):
        rds.wait_available(name)
        zones = faults.wait_in_sync(region, name)
        assert zones[0] != zones[1]
    region.stop()


def test_the_drill_passes_on_a_region_of_its_own(make_region):
    """README's third step: its verdict is told by its exit status."""
    scratch = make_region()
    ended = subprocess.run(
        [BINARY, "drill", "multi-az", "--own", "--json", "--clients", "4", "--seconds", "2"],
        capture_output=True,
        text=True,
        timeout=180,
        cwd=scratch.folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(scratch.folder), "TMPDIR": "/tmp"},
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    verdict = json.loads(ended.stdout)
    assert verdict["lost"] == 0 and verdict["acknowledged"] > 0
