"""A region over several hosts: nodes and gateways started by hand, as docs/multi-host.md says."""

import pytest
from harness import processes
from harness.aws import Rds
from harness.database import Database
from harness.faults import wait_in_sync
from harness.ledger import Ledger
from harness.multi_host import ZONES, MultiHost
from harness.poll import until


@pytest.fixture(scope="module")
def hosts():
    hosts = MultiHost(gateways=("gw1", "gw2"))
    try:
        hosts.lay_out()
        for zone in ZONES:
            hosts.start_node(zone, join=True)
        hosts.start_gateway("gw1", join=True)
        hosts.run("keys", "create")
        yield hosts
    finally:
        hosts.close()


@pytest.fixture(scope="module")
def orders(hosts):
    """A Multi-AZ instance, made through the first gateway."""
    rds = Rds(hosts)
    until(lambda: len(hosts.status()["nodes"]) == 3, 60, "three nodes registered")
    # Until every node has told which engines its host has, creation is refused with a retryable error.
    unavailable = rds.api.exceptions.ClientError
    until(lambda: rds.ask_create("orders", MultiAZ=True), 60, "the instance is asked for", quiet=(unavailable,))
    return Database(hosts, rds.wait_available("orders"))


def test_a_region_started_by_hand_serves_a_multi_az_instance(hosts, orders):
    assert orders.one("select 1") == 1
    assert len(hosts.members("orders")) == 2


def test_a_join_token_is_for_its_owner_alone_and_joins_once(hosts):
    assert hosts.token("a").stat().st_mode & 0o777 == 0o600
    with pytest.raises(AssertionError, match="has joined already"):
        hosts.on(hosts.folder / "host-a", "node", "--join", hosts.token("a"))


def test_a_killed_gateway_is_replaced_by_another_one(hosts, orders):
    """Gateways keep no state: the endpoint is there again, on the same port, and the API with it."""
    wait_in_sync(hosts, "orders")
    with Ledger(orders) as ledger:
        ledger.wait_for_more(20)
        hosts.kill_process("gw1")
        hosts.start_gateway("gw2", join=True)
        ledger.wait_for_more(20)
        ledger.check()
    hosts.kill_process("gw2")
    hosts.start_gateway("gw1")
    assert Rds(hosts).status("orders") == "available"


def test_a_killed_host_loses_nothing_and_comes_back(hosts, orders):
    """The node's process is killed; its engines die with it; the standby takes over; the host comes back."""
    primary, standby = wait_in_sync(hosts, "orders")
    letter = primary[-1]
    with Ledger(orders) as ledger:
        ledger.wait_for_more(20)
        hosts.kill_process(letter)
        ledger.wait_for_more(20)
        folder = hosts.folder / f"host-{letter}"
        until(lambda: not processes.postgres_of(folder), 10, "the engines died with their node")
        hosts.start_node(letter)
        assert wait_in_sync(hosts, "orders") == (standby, primary)
        ledger.wait_for_more(20)
        ledger.check()


def test_hosts_stop_in_order_and_bring_everything_back(hosts, orders):
    with Ledger(orders) as ledger:
        ledger.wait_for_more(20)
        ledger.check()
    rows = orders.one("select count(*) from ledger")
    for name in list(hosts.processes):
        hosts.stop_process(name)
    assert not processes.postgres_of(hosts.folder)
    for zone in ZONES:
        hosts.start_node(zone)
    hosts.start_gateway("gw1")
    orders.serves(60)
    assert orders.one("select count(*) from ledger") == rows
