"""Read replicas: they follow, refuse writes, follow a new primary, and become instances of their own."""

import psycopg
import pytest
from harness import faults, raw
from harness.aws import error_of
from harness.database import Database
from harness.faults import wait_in_sync, wait_primary
from harness.ledger import Ledger
from harness.poll import until

SOURCE = "source"


@pytest.fixture(scope="module")
def source(region, rds):
    """A Multi-AZ source with one replica, `copy`."""
    return Database(region, rds.create(SOURCE, MultiAZ=True))


@pytest.fixture(scope="module")
def copy(region, rds, source):
    source.ask("create table stock (id int primary key)")
    source.ask("insert into stock select generate_series(1, 100)")
    return Database(region, rds.replica("copy", SOURCE))


def count(database, table="stock"):
    return database.one(f"select count(*) from {table}")


def test_a_replica_is_described_as_one(rds, copy):
    found = rds.describe("copy")
    assert found["ReadReplicaSourceDBInstanceIdentifier"] == SOURCE
    assert rds.describe(SOURCE)["ReadReplicaDBInstanceIdentifiers"] == ["copy"]
    status = found["StatusInfos"][0]
    assert (status["StatusType"], status["Status"], status["Normal"]) == ("read replication", "replicating", True)


def test_a_replica_is_readable_and_refuses_writes(copy, source):
    assert count(copy) == 100
    source.ask("insert into stock values (101)")
    copy.wait("select count(*) from stock", 101)
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        copy.ask("insert into stock values (102)")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        copy.ask("create table own (id int)")


def test_a_replicas_lag_is_shown(region, copy):
    def lag():
        row = faults.member(region, "copy", "replica")
        return row["lag_bytes"] is not None and row["lag_ms"] is not None

    until(lag, 20, "the lag in bytes and in time")
    table = region.run("status").stdout
    assert "copy" in table and "replica" in table

    def measured():
        page = raw.send(region, method="GET", path="/metrics").body
        lines = [line for line in page.splitlines() if 'id="copy"' in line]
        return {"quorate_member_lag_bytes", "quorate_member_lag_milliseconds"} <= {line.split("{")[0] for line in lines}

    until(measured, 20, "the lag among the metrics")


def test_a_replica_follows_the_new_primary_by_itself(region, rds, source, copy):
    primary, standby = wait_in_sync(region, SOURCE)
    with Ledger(source) as ledger:
        faults.kill_zone(region, primary)
        wait_primary(region, SOURCE, standby)
        ledger.wait_for_more(20)
        region.zone("start", primary)
        wait_in_sync(region, SOURCE)
        verdict = ledger.check()
        rows = count(source, "ledger")
        copy.wait("select count(*) from ledger", rows, within=60)
        ledger.compare(copy).assert_clean()
    assert verdict.acknowledged <= rows
    assert rds.status("copy") == "available"


def test_a_replica_catches_up_after_its_zone_was_away(region, source, copy):
    zone = faults.zone_of(region, "copy", "replica")
    if zone == faults.zone_of(region, SOURCE, "primary"):
        pytest.skip("the replica is in its source's zone")
    faults.kill_zone(region, zone)
    source.ask("insert into stock select generate_series(1000, 1999)")
    region.zone("start", zone)
    copy.wait("select count(*) from stock where id >= 1000", 1000, within=60)
    wait_in_sync(region, SOURCE)


def test_replicas_stand_in_line_to_a_depth(rds, source, copy):
    """A replica of a replica of a replica is the last in a line."""
    code, _, message = error_of(rds.api.create_db_instance_read_replica, DBInstanceIdentifier="c2",
                                SourceDBInstanceIdentifier="copy")
    assert code == "InvalidDBInstanceState" and "backup" in message.lower()
    rds.modify("copy", BackupRetentionPeriod=1)
    second = Database(rds.region, rds.replica("second", "copy"))
    rds.modify("second", BackupRetentionPeriod=1)
    third = Database(rds.region, rds.replica("third", "second"))
    rds.modify("third", BackupRetentionPeriod=1)
    code, _, message = error_of(rds.api.create_db_instance_read_replica, DBInstanceIdentifier="fourth",
                                SourceDBInstanceIdentifier="third")
    assert code == "InvalidDBInstanceState" and "3" in message
    source.ask("insert into stock values (5000)")
    for database in (second, third):
        database.wait("select count(*) from stock where id = 5000", 1)
    assert "fourth" not in rds.identifiers()


def test_a_replica_goes_on_when_its_source_is_given_more_connections(rds, source, copy):
    """PostgreSQL stops to apply the log of a primary that has more than its follower; started again, it has as much."""
    has = int(source.one("show max_connections"))
    group = {"DBParameterGroupName": "more"}
    rds.api.create_db_parameter_group(**group, DBParameterGroupFamily="postgres15", Description="more connections")
    value = {"ParameterName": "max_connections", "ParameterValue": str(has + 50), "ApplyMethod": "pending-reboot"}
    rds.api.modify_db_parameter_group(**group, Parameters=[value])
    rds.modify(SOURCE, **group)
    rds.api.reboot_db_instance(DBInstanceIdentifier=SOURCE)
    source.wait("select setting::int from pg_settings where name = 'max_connections'", has + 50, within=60)
    source.ask("create table noted (id int); insert into noted values (1)")
    for name in ("copy", "second", "third"):
        replica = Database(rds.region, rds.describe(name))
        replica.wait("select count(*) from noted", 1, within=60)
        assert int(replica.one("show max_connections")) == has + 50


def test_a_source_with_replicas_is_not_stopped(rds, copy):
    assert error_of(rds.api.stop_db_instance, DBInstanceIdentifier=SOURCE)[0] == "InvalidDBInstanceState"


def test_a_replica_is_promoted_under_load(region, rds, source, copy):
    """It becomes writable on its own, has no row that the source never had, and leaves the source alone."""
    with Ledger(source) as ledger:
        ledger.wait_for_more(20)
        rds.api.promote_read_replica(DBInstanceIdentifier="copy", BackupRetentionPeriod=1)
        found = rds.wait(
            "copy",
            lambda found: found["DBInstanceStatus"] == "available"
            and "ReadReplicaSourceDBInstanceIdentifier" not in found,
            "an instance of its own",
        )
        assert found["Endpoint"]["Port"] == copy.port
        before = ledger.acknowledged()
        ledger.wait_for_more(20)
        ledger.check()
    copy.serves()
    copy.ask("create table own (id int)")
    copy.ask("insert into own values (1)")
    verdict = ledger.compare(copy)
    assert verdict.repeated == [] and verdict.never_tried == []
    assert count(copy, "ledger") <= count(source, "ledger")
    assert before < ledger.acknowledged()
    assert rds.describe(SOURCE)["ReadReplicaDBInstanceIdentifiers"] == []
    code, _, _ = error_of(rds.api.promote_read_replica, DBInstanceIdentifier="copy")
    assert code == "InvalidDBInstanceState"


def test_replicas_of_a_promoted_replica_follow_it(rds, copy):
    second = Database(rds.region, rds.describe("second"))
    second.wait("select count(*) from own", 1, within=60)
    third = Database(rds.region, rds.describe("third"))
    third.wait("select count(*) from own", 1, within=60)


def test_deleting_the_source_promotes_its_replicas(rds, copy):
    """As in RDS: the replicas live on as instances of their own."""
    second = Database(rds.region, rds.describe("second"))
    rds.delete("copy")
    rds.wait(
        "second",
        lambda found: found["DBInstanceStatus"] == "available"
        and "ReadReplicaSourceDBInstanceIdentifier" not in found,
        "an instance of its own",
    )
    second.serves()
    second.ask("insert into own values (2)")
    third = Database(rds.region, rds.describe("third"))
    third.wait("select count(*) from own", 2, within=60)
    for name in ("third", "second"):
        rds.delete(name)
