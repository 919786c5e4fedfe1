"""What engines of a cluster do beside tables: parameters, tablespaces, prepared transactions, logical decoding.

All of it lies in the volume, so all of it has to be there for the next writer, whether the one before crashed or handed over.
"""

import os

import psycopg
import pytest
from harness.aurora import Clusters, ask_as_admin, check_pages
from harness.poll import until
from harness.schema import dump

NAME = "features"
GROUP = "decoding"
FAMILY = "aurora-postgresql15"
SLOT = "changes"
CHANGES = "select data from pg_logical_slot_peek_changes('changes', null, null) where data like 'table %'"

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


OVERLAY_BYTES = 64 << 20


@pytest.fixture(scope="module")
def region(make_region):
    region = make_region(aurora_overlay_bytes=OVERLAY_BYTES)
    region.start()
    return region


@pytest.fixture(scope="module")
def clusters(region):
    return Clusters(region)


def parameters(**values):
    """As the API takes them; a static one waits for a restart."""
    static = ("rds.logical_replication", "max_prepared_transactions")
    method = lambda name: "pending-reboot" if name in static else "immediate"  # noqa: E731
    return [{"ParameterName": n, "ParameterValue": v, "ApplyMethod": method(n)} for n, v in values.items()]


def set_parameters(clusters, **values):
    change = clusters.api.modify_db_cluster_parameter_group
    change(DBClusterParameterGroupName=GROUP, Parameters=parameters(**values))


@pytest.fixture(scope="module")
def cluster(clusters):
    create = clusters.api.create_db_cluster_parameter_group
    create(DBClusterParameterGroupName=GROUP, DBParameterGroupFamily=FAMILY, Description="logs that can be decoded")
    set_parameters(clusters, **{"rds.logical_replication": "1", "max_prepared_transactions": "8"})
    clusters.create(NAME, members=2, DBClusterParameterGroupName=GROUP)
    database = clusters.database(NAME)
    database.ask("create table kept (n int primary key, told text)")
    return database


@pytest.fixture
def reader(clusters, cluster):
    return clusters.database(NAME, reader=True)


def crash(clusters, cluster):
    """Ends the writer's engine as a crash does."""
    with pytest.raises(psycopg.OperationalError):
        cluster.ask("select aurora_inject_crash('instance')")


def hand_over(clusters, cluster):
    clusters.wait_running(NAME)
    to = clusters.readers(NAME)[0]
    clusters.api.failover_db_cluster(DBClusterIdentifier=NAME, TargetDBInstanceIdentifier=to)
    clusters.wait_writer(NAME, to)


WAYS = pytest.mark.parametrize("change_writer", [crash, hand_over], ids=lambda way: way.__name__)


def test_a_clusters_parameters_reach_every_member(clusters, cluster, reader):
    for database in (cluster, reader):
        assert database.one("show wal_level") == "logical"
        assert database.one("show max_prepared_transactions") == "8"
    set_parameters(clusters, work_mem="9999")
    for database in (cluster, reader):
        database.wait("show work_mem", "9999kB")


def test_a_static_parameter_waits_for_a_restart_and_readers_go_on(clusters, cluster, reader):
    set_parameters(clusters, max_prepared_transactions="9")
    member = lambda: clusters.instance(clusters.writer(NAME))  # noqa: E731
    waits = lambda: "pending-reboot" in str(clusters.describe(NAME)["DBClusterMembers"])  # noqa: E731
    until(waits, 30, "the cluster says that a restart is due")
    assert cluster.one("show max_prepared_transactions") == "8"
    clusters.api.reboot_db_instance(DBInstanceIdentifier=member()["DBInstanceIdentifier"])
    cluster.wait("show max_prepared_transactions", "9", within=60)
    # A standby stops to apply what it receives until it has as much as its primary.
    cluster.ask("insert into kept values (1, 'with more room')")
    reader.wait("select count(*) from kept where n = 1", 1, within=60)
    for instance in (clusters.writer(NAME), *clusters.readers(NAME)):
        clusters.wait_instance(instance)


@WAYS
def test_a_tablespace_goes_with_the_volume(clusters, cluster, reader, change_writer):
    name = f"fast_{change_writer.__name__}"
    ask_as_admin(cluster, f"create tablespace {name} location ''")
    ask_as_admin(cluster, f"grant create on tablespace {name} to app")
    cluster.ask(f"create table {name} (n int primary key, body text) tablespace {name}")
    cluster.ask(f"create index on {name} (body) tablespace {name}")
    cluster.ask(f"insert into {name} select n, md5(n::text) from generate_series(1, 5000) n")
    digest = f"select md5(string_agg(body, '' order by n)) from {name}"
    expected = cluster.one(digest)
    reader.wait(digest, expected)
    change_writer(clusters, cluster)
    cluster.wait(digest, expected, within=60)
    text = dump(cluster, clusters.region.folder / "spaces.sql")
    assert f"SET default_tablespace = {name}" in text
    check_pages(cluster)


@WAYS
def test_prepared_transactions_wait_for_their_end_across_writers(clusters, cluster, change_writer):
    names = [f"{change_writer.__name__}-{end}" for end in ("commit", "rollback")]
    first = 100 if change_writer is crash else 200
    for n, name in enumerate(names):
        with cluster.connect() as connection:
            connection.execute("begin")
            connection.execute("insert into kept values (%s, %s)", (first + n, name))
            connection.execute(f"prepare transaction '{name}'")
    change_writer(clusters, cluster)
    cluster.wait("select count(*) from pg_prepared_xacts", 2, within=60)
    rows = lambda: cluster.ask("select n, told from kept where n between %s and %s", first, first + 99)  # noqa: E731
    assert rows() == []
    cluster.ask(f"commit prepared '{names[0]}'")
    cluster.ask(f"rollback prepared '{names[1]}'")
    assert rows() == [(first, names[0])]


@WAYS
def test_a_logical_slot_goes_on_with_the_next_writer(clusters, cluster, change_writer):
    """What was not consumed is told once more, what was consumed is not."""
    ask_as_admin(cluster, f"select pg_create_logical_replication_slot('{SLOT}', 'test_decoding')")
    ask_as_admin(cluster, "grant execute on function pg_logical_slot_peek_changes to app")
    first = 300 if change_writer is crash else 400
    cluster.ask("insert into kept values (%s, 'consumed')", first)
    consume = f"select count(*) from pg_logical_slot_get_changes('{SLOT}', null, null)"
    assert int(ask_as_admin(cluster, consume)) > 0
    # PostgreSQL keeps with a checkpoint what a slot has told.
    ask_as_admin(cluster, "checkpoint")
    cluster.ask("insert into kept values (%s, 'waits')", first + 1)
    change_writer(clusters, cluster)
    cluster.serves(60)
    cluster.ask("insert into kept values (%s, 'after')", first + 2)
    told = ask_as_admin(cluster, CHANGES).splitlines()
    ask_as_admin(cluster, f"select pg_drop_replication_slot('{SLOT}')")
    assert [line.split("'")[1] for line in told] == ["waits", "after"], told


def test_a_reader_whose_own_pages_take_much_room_begins_again(clusters, cluster, reader):
    clusters.wait_running(NAME)
    started = "select pg_postmaster_start_time()::text"
    before = reader.one(started)
    cluster.ask("create table filling (n bigint, body text); alter table filling alter body set storage external")
    # What the reader receives of the log is among its own pages.
    for _ in range(12):
        cluster.ask("insert into filling select n, repeat(md5(n::text), 250) from generate_series(1, 1000) n")
    rows = cluster.one("select count(*) from filling")
    until(lambda: reader.one(started) != before, 60, "the reader began again", quiet=(psycopg.Error,))
    reader.wait("select count(*) from filling", rows, within=60)
