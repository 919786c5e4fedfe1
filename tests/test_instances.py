"""The life of a single-AZ instance through the RDS API, and what its database offers."""

import datetime
import socket

import psycopg
import pytest
from harness import faults, ports, processes
from harness.aws import MASTER, PASSWORD, error_of
from harness.database import Database
from harness.ledger import Ledger
from harness.poll import until

NAME = "shop-1"


@pytest.fixture(scope="module")
def shop(region, rds):
    """One instance that the tests of this file lead through its life, in their order."""
    return Database(region, rds.create(NAME, Tags=[{"Key": "team", "Value": "a"}]))


# Creation and description.


def test_an_instance_is_described_as_it_was_asked_for(rds, shop):
    found = rds.describe(NAME)
    assert found["DBInstanceStatus"] == "available"
    assert found["DBInstanceArn"] == f"arn:aws:rds:us-east-1:123456789012:db:{NAME}"
    assert (found["Engine"], found["MasterUsername"], found["DBName"]) == ("postgres", MASTER, "shop")
    assert (found["DBInstanceClass"], found["AllocatedStorage"], found["MultiAZ"]) == ("db.t3.micro", 20, False)
    assert found["Endpoint"]["Address"] == "127.0.0.1"
    assert found["AvailabilityZone"].startswith("us-east-1") and "SecondaryAvailabilityZone" not in found
    assert found["DbiResourceId"].startswith("db-")
    assert found["TagList"] == [{"Key": "team", "Value": "a"}]
    assert found["PendingModifiedValues"] == {}
    age = datetime.datetime.now(datetime.UTC) - found["InstanceCreateTime"]
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=10)


def test_the_password_is_shown_and_kept_nowhere(region, rds, shop):
    """Neither answers nor any file of the installation hold it."""
    assert PASSWORD not in str(rds.describe(NAME))
    for path in region.data.rglob("*"):
        if path.is_file() and not path.is_socket():
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_events_tell_the_creation(rds, shop):
    assert rds.wait_event(NAME, "DB instance created")


# The database behind it.


def test_the_master_user_is_no_superuser_but_may_do_what_rds_lets_it(shop):
    assert shop.one("select rolsuper from pg_roles where rolname = current_user") is False
    assert shop.one("select pg_has_role(current_user, 'rds_superuser', 'member')") is True
    with shop.connect() as connection:
        connection.execute("create role reader login password 'reads-only-7'")
        connection.execute("create database other")
        connection.execute("create schema stock")
        connection.execute("create table stock.items (id int primary key)")
        connection.execute("grant usage on schema stock to reader")
        connection.execute("create extension if not exists pg_trgm")
    for refused in [
        "alter role app superuser",
        "create role boss superuser",
        "alter system set fsync = off",
        "copy (select 1) to program 'true'",
        "copy pg_authid to '/tmp/stolen'",
        "select pg_read_file('/etc/passwd')",
        "set session authorization postgres",
        "select rolpassword from pg_authid",
        "create function f() returns int language c as 'x'",
    ]:
        with pytest.raises(psycopg.Error):
            shop.ask(refused)


def test_passwords_are_kept_as_scram_verifiers(shop):
    assert shop.one("show password_encryption") == "scram-sha-256"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        shop.ask("select 1", password="wrong-password")


def test_connections_are_encrypted_and_verified(shop):
    """The region's CA proves the endpoint; what is not encrypted is refused."""
    assert shop.one("select ssl from pg_stat_ssl where pid = pg_backend_pid()") is True
    assert shop.one("select version from pg_stat_ssl where pid = pg_backend_pid()") in ("TLSv1.2", "TLSv1.3")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        shop.ask("select 1", sslrootcert="/etc/ssl/certs/ca-certificates.crt")
    with pytest.raises(psycopg.OperationalError, match="no pg_hba.conf entry|no encryption"):
        shop.ask("select 1", sslmode="disable")


def test_the_administrators_door_is_shut(shop):
    """Quorate's own roles cannot be used through the endpoint."""
    for user in ("rdsadmin", "rdsrepladmin", "postgres"):
        with pytest.raises(psycopg.OperationalError):
            shop.ask("select 1", user=user, password="", dbname="postgres")


def test_memory_follows_the_class(shop):
    """db.t3.micro has 1 GiB; RDS gives a quarter of it to shared_buffers (in blocks of 8 KiB)."""
    blocks = int(shop.one("select setting from pg_settings where name = 'shared_buffers'"))
    assert 200 < blocks * 8 / 1024 < 270


# Changes.


def test_the_class_changes_at_once_when_asked(rds, shop):
    before = int(shop.one("select setting from pg_settings where name = 'shared_buffers'"))
    found = rds.modify(NAME, DBInstanceClass="db.t3.small")
    assert found["DBInstanceClass"] == "db.t3.small"
    shop.serves()
    after = int(shop.one("select setting from pg_settings where name = 'shared_buffers'"))
    assert after > 1.5 * before


def test_a_change_that_may_wait_waits(rds, shop):
    answer = rds.api.modify_db_instance(DBInstanceIdentifier=NAME, DBInstanceClass="db.t3.medium")["DBInstance"]
    assert answer["PendingModifiedValues"] == {"DBInstanceClass": "db.t3.medium"}
    assert rds.describe(NAME)["DBInstanceClass"] == "db.t3.small"
    found = rds.modify(NAME, DBInstanceClass="db.t3.small")
    assert found["PendingModifiedValues"] == {}


def test_the_password_changes(rds, shop):
    rds.modify(NAME, MasterUserPassword="another-horse-8")
    until(lambda: _can_log_in(shop, "another-horse-8"), 20, "the new password is taken")
    assert not _can_log_in(shop, PASSWORD)
    rds.modify(NAME, MasterUserPassword=PASSWORD)
    until(lambda: _can_log_in(shop, PASSWORD), 20, "the first password is taken again")


def _can_log_in(database, password):
    try:
        return database.one("select 1", password=password) == 1
    except psycopg.OperationalError:
        return False


def test_storage_grows_and_never_shrinks(rds, shop):
    assert rds.modify(NAME, AllocatedStorage=30)["AllocatedStorage"] == 30
    code, _, _ = error_of(rds.api.modify_db_instance, DBInstanceIdentifier=NAME, AllocatedStorage=20)
    assert code == "InvalidParameterCombination"


def test_a_reboot_ends_connections_and_comes_back(rds, shop):
    started = shop.one("select pg_postmaster_start_time()")
    with shop.connect() as connection:
        answer = rds.api.reboot_db_instance(DBInstanceIdentifier=NAME)["DBInstance"]
        assert answer["DBInstanceStatus"] == "rebooting"
        rds.wait_available(NAME)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    shop.serves()
    assert shop.one("select pg_postmaster_start_time()") > started


def test_a_stopped_instance_keeps_its_rows_and_its_endpoint(region, rds, shop):
    shop.ask("create table kept (id int)")
    shop.ask("insert into kept values (1)")
    rds.api.stop_db_instance(DBInstanceIdentifier=NAME)
    rds.wait(NAME, lambda found: found["DBInstanceStatus"] == "stopped", "stopped")
    assert processes.postgres_of(region.data) == []
    code, _, _ = error_of(rds.api.reboot_db_instance, DBInstanceIdentifier=NAME)
    assert code == "InvalidDBInstanceState"
    rds.api.start_db_instance(DBInstanceIdentifier=NAME)
    assert rds.wait_available(NAME)["Endpoint"]["Port"] == shop.port
    shop.serves()
    assert shop.one("select count(*) from kept") == 1


def test_an_engine_that_crashes_is_restarted(region, shop):
    zone = faults.zone_of(region, NAME, "primary")
    with Ledger(shop, writers=2) as ledger:
        faults.kill_engines(region, zone)
        ledger.wait_for_more(20)
        ledger.check()


def test_an_instance_whose_zone_is_lost_is_back_when_the_zone_is(region, shop):
    zone = faults.zone_of(region, NAME, "primary")
    with Ledger(shop, writers=2) as ledger:
        faults.kill_zone(region, zone)
        region.zone("start", zone)
        ledger.wait_for_more(20)
        ledger.check()


def test_tags_come_and_go(rds, shop):
    arn = rds.describe(NAME)["DBInstanceArn"]
    rds.api.add_tags_to_resource(ResourceName=arn, Tags=[{"Key": "cost", "Value": "7"}, {"Key": "team", "Value": "b"}])
    rds.api.remove_tags_from_resource(ResourceName=arn, TagKeys=["cost"])
    tags = rds.api.list_tags_for_resource(ResourceName=arn)["TagList"]
    assert tags == [{"Key": "team", "Value": "b"}]
    assert rds.describe(NAME)["TagList"] == tags


def test_an_instance_can_be_renamed(region, rds, shop):
    """Another name, the same data at the same endpoint."""
    found = rds.modify(NAME, NewDBInstanceIdentifier="shop-2")
    assert found["Endpoint"]["Port"] == shop.port
    assert error_of(rds.api.describe_db_instances, DBInstanceIdentifier=NAME)[0] == "DBInstanceNotFound"
    shop.serves()
    assert shop.one("select count(*) from kept") == 1
    assert rds.modify("shop-2", NewDBInstanceIdentifier=NAME)["DBInstanceIdentifier"] == NAME


def test_a_protected_instance_is_not_deleted(rds, shop):
    rds.modify(NAME, DeletionProtection=True)
    code, _, message = error_of(rds.api.delete_db_instance, DBInstanceIdentifier=NAME, SkipFinalSnapshot=True)
    assert code == "InvalidParameterCombination" and "protect" in message
    rds.modify(NAME, DeletionProtection=False)


def test_a_final_snapshot_is_refused_clearly(rds, shop):
    code, _, message = error_of(
        rds.api.delete_db_instance, DBInstanceIdentifier=NAME, FinalDBSnapshotIdentifier="last"
    )
    assert code == "InvalidParameterCombination" and "Snapshots are not offered yet" in message
    assert rds.status(NAME) == "available"


def test_ports_are_given_as_asked_and_never_twice(region, rds, shop):
    """The port asked for when it is free; one of the range when another program or instance has it."""
    first = region.settings["endpoint_ports"][0]
    free, taken = ports.free_port(), ports.free_port()
    with socket.create_server(("127.0.0.1", taken)):
        rds.ask_create("port-1", Port=free)
        rds.ask_create("port-2", Port=free)
        rds.ask_create("port-3", Port=taken)
        given = [rds.wait_available(f"port-{n}")["Endpoint"]["Port"] for n in (1, 2, 3)]
    assert given[0] == free
    assert len(set(given)) == 3 and all(port >= first for port in given[1:])
    for number in (1, 2, 3):
        rds.ask_delete(f"port-{number}")
    for number in (1, 2, 3):
        rds.wait_deleted(f"port-{number}")


def test_deletion_leaves_nothing_behind(region, rds, shop):
    """No process, no data, no endpoint; the name can be used again."""
    resource = rds.describe(NAME)["DbiResourceId"]
    rds.delete(NAME)
    assert NAME not in rds.identifiers()
    until(lambda: not processes.postgres_of(region.data), 20, "no engine runs")
    until(lambda: not list(region.data.rglob(resource)), 20, "the data is gone")
    with pytest.raises(psycopg.OperationalError):
        shop.ask("select 1", connect_timeout=5)
