"""Multi-AZ: zones, engines and catalog leaders die under load, and every acknowledged row stays.

All tests share one instance. Each begins with a primary and a standby in sync and ends with the row ledger.
"""

import signal
import threading

import psycopg
import pytest
from harness import faults, processes
from harness.database import Database
from harness.faults import wait_in_sync, wait_primary, zone_of
from harness.ledger import Ledger
from harness.poll import holds, until

NAME = "orders"
ZONES = {"us-east-1a", "us-east-1b", "us-east-1c"}


@pytest.fixture(scope="module")
def orders(region, rds):
    """A Multi-AZ instance that lives through every test of this file."""
    return Database(region, rds.create(NAME, MultiAZ=True))


@pytest.fixture
def ledger(region, orders, whole):
    """Writers on the instance, once it has a standby in sync."""
    wait_in_sync(region, NAME)
    with Ledger(orders) as ledger:
        yield ledger


def test_the_description_names_both_zones(region, rds, orders):
    described = rds.describe(NAME)
    assert described["MultiAZ"]
    assert {described["AvailabilityZone"], described["SecondaryAvailabilityZone"]} < ZONES
    assert (described["AvailabilityZone"], described["SecondaryAvailabilityZone"]) == wait_in_sync(region, NAME)


def test_every_commit_waits_for_the_standby(region, orders):
    """What the instance promises is what PostgreSQL is told to do."""
    assert orders.one("show synchronous_standby_names") != ""
    assert orders.one("show synchronous_commit") in ("on", "remote_apply")


def test_killing_the_primarys_zone_loses_nothing(region, rds, ledger):
    """The standby takes over at the same endpoint; the zones swap; events tell it; the old one comes back."""
    primary, standby = wait_in_sync(region, NAME)
    seen = len(rds.events(NAME))
    killed = faults.kill_zone(region, primary)
    ledger.wait_for_more(30)
    assert ledger.first_after(killed + 0.3) < 20
    wait_primary(region, NAME, standby)
    assert rds.describe(NAME)["AvailabilityZone"] == standby
    rds.wait_event(NAME, "Multi-AZ instance failover completed")
    story = " | ".join(rds.events(NAME)[seen:])
    assert "Multi-AZ instance failover started" in story
    region.zone("start", primary)
    after = wait_in_sync(region, NAME)
    assert after[0] == standby
    ledger.check()
    assert rds.describe(NAME)["SecondaryAvailabilityZone"] == after[1]


def test_a_failed_over_endpoint_still_proves_who_it_is(region, orders, ledger):
    """sslmode=verify-full holds before and after the primary moved."""
    subject = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
    assert orders.one(subject) is True
    standby = zone_of(region, NAME, "standby")
    faults.kill_engines(region, zone_of(region, NAME, "primary"))
    wait_primary(region, NAME, standby)
    orders.serves()
    assert orders.one(subject, sslmode="verify-full") is True
    ledger.check()


def test_killing_the_standbys_zone_pauses_writes_only_shortly(region, rds, ledger):
    """The primary goes on alone, and a standby is built in the third zone, as the old one's stays away."""
    primary, standby = wait_in_sync(region, NAME)
    killed = faults.kill_zone(region, standby)
    ledger.wait_for_more(30)
    assert ledger.first_after(killed + 0.3) < 15
    assert zone_of(region, NAME, "primary") == primary
    third = (ZONES - {primary, standby}).pop()
    until(lambda: wait_in_sync(region, NAME)[1] == third, 60, "the standby is in the third zone")
    verdict = ledger.check()
    assert verdict.longest_silence_s < 15


def test_losing_standby_and_then_primary_waits_for_the_primary(region, orders, ledger):
    """The primary was alone, so it alone has every commit: nobody else may take over."""
    primary, standby = wait_in_sync(region, NAME)
    faults.kill_zone(region, standby)
    ledger.wait_for_more(20)
    until(lambda: not faults.member(region, NAME, "primary")["in_sync"], 20, "the primary is alone")
    faults.kill_zone(region, primary)
    before = ledger.acknowledged()
    region.zone("start", standby)
    holds(lambda: ledger.acknowledged() <= before + 3, 4, "nobody acknowledges while the primary is away")
    region.zone("start", primary)
    ledger.wait_for_more(20)
    wait_in_sync(region, NAME)
    ledger.check()


def test_killing_two_zones_one_after_another_loses_nothing(region, ledger):
    """The primary's zone, then, once it is back and in sync, the new primary's."""
    first, second = wait_in_sync(region, NAME)
    faults.kill_zone(region, first)
    ledger.wait_for_more(20)
    region.zone("start", first)
    wait_in_sync(region, NAME)
    faults.kill_zone(region, second)
    ledger.wait_for_more(20)
    region.zone("start", second)
    wait_in_sync(region, NAME)
    ledger.check()


def test_a_paused_primary_acknowledges_nothing_after_it_resumes(region, orders, ledger):
    """The paused zone's engine is asked directly, past the endpoint: it must not take a single write."""
    primary, standby = wait_in_sync(region, NAME)
    old = faults.member(region, NAME, "primary")
    host, port = old["address"].rsplit(":", 1)
    direct = orders.connect(host=host, port=int(port), sslmode="require")
    direct.execute("create table if not exists stale (id bigint)")
    region.zone("pause", primary)
    ledger.wait_for_more(30)
    wait_primary(region, NAME, standby)
    region.zone("resume", primary)
    taken = 0
    for row in range(50):
        try:
            direct.execute("insert into stale values (%s)", (row,))
            taken += 1
        except psycopg.Error:
            break
    assert taken == 0, "the old primary acknowledged writes after it was replaced"
    wait_in_sync(region, NAME)
    assert orders.one("select count(*) from stale") == 0
    orders.ask("drop table stale")
    ledger.check()


def test_a_killed_engine_is_replaced_by_the_standby(region, ledger):
    primary, standby = wait_in_sync(region, NAME)
    killed = faults.kill_engines(region, primary)
    ledger.wait_for_more(30)
    assert ledger.first_after(killed + 0.3) < 15
    wait_primary(region, NAME, standby)
    assert wait_in_sync(region, NAME) == (standby, primary)
    ledger.check()


def test_a_killed_backend_is_survived(region, orders, ledger):
    """SIGKILL to one backend makes PostgreSQL reset itself; nobody hangs, and nothing is lost."""
    wait_in_sync(region, NAME)
    zone = zone_of(region, NAME, "primary")
    backends = [
        pid
        for pid in processes.postgres_of(faults.node_folder(region, zone))
        if "app" in processes.command(pid)
    ]
    assert backends, "the writers' backends are found by their titles"
    processes.send(backends[0], signal.SIGKILL)
    ledger.wait_for_more(30)
    wait_in_sync(region, NAME)
    ledger.check()


def test_a_reboot_with_failover_swaps_the_zones(region, rds, ledger):
    primary, standby = wait_in_sync(region, NAME)
    rds.wait_settled(NAME)
    answer = rds.api.reboot_db_instance(DBInstanceIdentifier=NAME, ForceFailover=True)
    assert answer["DBInstance"]["DBInstanceStatus"] == "rebooting"
    wait_primary(region, NAME, standby)
    rds.wait_available(NAME)
    ledger.wait_for_more(20)
    assert wait_in_sync(region, NAME) == (standby, primary)
    described = rds.describe(NAME)
    assert (described["AvailabilityZone"], described["SecondaryAvailabilityZone"]) == (standby, primary)
    ledger.check()


def test_a_reboot_without_failover_stays_where_it_is(region, rds, ledger):
    zones = wait_in_sync(region, NAME)
    rds.wait_settled(NAME)
    rds.api.reboot_db_instance(DBInstanceIdentifier=NAME)
    rds.wait_available(NAME)
    ledger.wait_for_more(20)
    assert wait_in_sync(region, NAME) == zones
    ledger.check()


def test_the_catalogs_leader_dies_during_a_failover(region, rds, ledger):
    """The next leader decides again on the same records: one failover, not two, and nothing is lost."""
    primary, standby = wait_in_sync(region, NAME)
    leader = region.status()["leader"].rsplit("-", 1)[0]
    if leader == standby:
        # Killing it would kill the last copy in sync: have the two change places first.
        rds.api.reboot_db_instance(DBInstanceIdentifier=NAME, ForceFailover=True)
        wait_primary(region, NAME, standby)
        primary, standby = wait_in_sync(region, NAME)
        leader = region.status()["leader"].rsplit("-", 1)[0]
    epoch = faults.member(region, NAME, "primary")["epoch"]
    if leader == primary:
        # Both at once: the zone that leads the catalog and the instance.
        faults.kill_zone(region, primary)
    else:
        faults.kill_engines(region, primary)
        faults.kill_zone(region, leader)
    ledger.wait_for_more(30)
    wait_primary(region, NAME, standby)
    region.zone("start", leader)
    wait_in_sync(region, NAME)
    assert faults.member(region, NAME, "primary")["epoch"] == epoch + 1
    ledger.check()


@pytest.mark.parametrize("cancel", ["in plain text", "encrypted"])
def test_a_commit_whose_wait_is_cancelled_is_not_acknowledged_unless_it_is_replicated(region, orders, whole, cancel):
    """PostgreSQL ends the wait of a cancelled commit and says INSERT 0 1: the endpoint must not let that happen.

    Older clients send the request in plain text, those of libpq 17 and later encrypt it.
    """
    primary, standby = wait_in_sync(region, NAME)
    orders.ask("drop table if exists cancelled")
    orders.ask("create table cancelled (id int)")
    connection = orders.connect()
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    try:
        faults.signal_engine(region, standby, signal.SIGSTOP)
        result = _insert_and_cancel(connection, connection.cancel if cancel == "in plain text" else connection.cancel_safe)
        replaced = not faults.member(region, NAME, "primary")["in_sync"]
        if result == "acknowledged" and not replaced:
            # It was let through while the standby counts as in sync: then the standby must have it.
            faults.kill_zone(region, primary)
            faults.signal_engine(region, standby, signal.SIGCONT)
            wait_primary(region, NAME, standby)
            orders.serves()
            assert orders.one("select count(*) from cancelled") == 1, "an acknowledged row is gone"
        assert not any("canceling wait" in notice for notice in notices), notices
    finally:
        faults.signal_engine(region, standby, signal.SIGCONT)
        connection.close()


def _insert_and_cancel(connection, cancel):
    """Cancels an INSERT while it waits; says what the client was told."""
    canceller = threading.Timer(0.3, cancel)
    canceller.start()
    try:
        connection.execute("insert into cancelled values (1)")
        return "acknowledged"
    except psycopg.Error:
        return "refused"
    finally:
        canceller.join()


def test_the_whole_region_stops_and_starts_again(region, rds, orders, ledger):
    """The same endpoint, the same rows, Multi-AZ again in force."""
    wait_in_sync(region, NAME)
    ledger.wait_for_more(20)
    region.stop()
    region.start()
    described = rds.wait_available(NAME)
    assert described["Endpoint"]["Port"] == orders.port
    ledger.wait_for_more(20)
    wait_in_sync(region, NAME)
    ledger.check()


def test_a_region_that_was_killed_at_once_comes_back(region, rds, orders, ledger):
    """Power failure: every process dies at the same moment."""
    wait_in_sync(region, NAME)
    processes.kill_all(region.folder)
    region.process.wait()
    region.start()
    rds.wait_available(NAME)
    ledger.wait_for_more(20)
    wait_in_sync(region, NAME)
    ledger.check()
