"""Aurora: continuous backup, and restores of a cluster to any moment of it."""

import datetime
import os

import pytest
from harness.aurora import Clusters
from harness.aws import error_of
from harness.poll import until

NAME = "books"
WITHIN_S = 120
ROWS = 24

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="this machine has no /dev/fuse")


@pytest.fixture(scope="module")
def region(make_region):
    # The archiver of a node that is killed is to be another one soon.
    region = make_region(aurora_backup_every_ms=1000, nodes_per_zone=2)
    region.start()
    return region


@pytest.fixture(scope="module")
def clusters(region):
    return Clusters(region)


@pytest.fixture(scope="module")
def books(clusters):
    clusters.create(NAME)
    return clusters.database(NAME)


def latest(clusters):
    return clusters.describe(NAME).get("LatestRestorableTime")


def wait_restorable(clusters, moment):
    """Until the cluster can be restored to a moment."""

    def restorable():
        found = latest(clusters)
        return found if found and found >= moment else None

    return until(restorable, WITHIN_S, f"{moment} can be restored")


def automated(clusters):
    found = clusters.api.describe_db_cluster_snapshots(SnapshotType="automated")
    return found["DBClusterSnapshots"]


def restore(clusters, cluster, moment):
    return clusters.api.restore_db_cluster_to_point_in_time(**asked(cluster, moment))


def asked(cluster, moment):
    return {"DBClusterIdentifier": cluster, "SourceDBClusterIdentifier": NAME, "RestoreToTime": moment}


def restored(clusters, cluster):
    clusters.wait(cluster, lambda found: found["Status"] == "available", "available")
    clusters.add(cluster, f"{cluster}-1")
    return clusters.database(cluster)


def archiver(region):
    """The node that archives the log, as the log of the leader has it."""
    lines = [line for path in region.data.rglob("*.log*") if path.is_file() for line in _lines(path)]
    begun = [line for line in lines if "archiving its log: attempt" in line]
    return max(begun).rsplit(" on ", 1)[1].split('"')[0].strip()


def _lines(path):
    return path.read_text(errors="replace").splitlines()


def utc(text):
    return datetime.datetime.fromisoformat(text).astimezone(datetime.timezone.utc)


def now(database):
    return utc(database.one("select clock_timestamp()::text || ':00'"))


def test_a_cluster_has_its_first_automated_snapshot_soon_after_its_creation(clusters, books):
    def there():
        found = automated(clusters)
        return found[0] if found and found[0]["Status"] == "available" else None

    taken = until(there, WITHIN_S, "the first base is there")
    assert taken["DBClusterSnapshotIdentifier"].startswith(f"rds:{NAME}-")
    assert taken["SnapshotType"] == "automated"
    described = clusters.describe(NAME)
    assert described["BackupRetentionPeriod"] == 1
    wait_restorable(clusters, taken["SnapshotCreateTime"])
    code, _, _ = error_of(
        clusters.api.delete_db_cluster_snapshot, DBClusterSnapshotIdentifier=taken["DBClusterSnapshotIdentifier"]
    )
    assert code == "InvalidDBClusterSnapshotStateFault"


def test_a_dropped_table_comes_back_as_it_was_the_second_before(region, clusters, books):
    wait_restorable(clusters, datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc))
    books.ask("create table kept (id int primary key, at timestamptz default clock_timestamp())")
    killed = None
    written = {}
    for row in range(ROWS):
        written[row] = books.one(f"insert into kept values ({row}) returning at")
        books.wait("select clock_timestamp() > max(at) + interval '200 milliseconds' from kept", True)
        if row == ROWS // 2:
            writer = clusters.node(f"{NAME}-1")
            killed = archiver(region)
            assert killed != writer, "another node than the writer's archives"
            region.kill_node(killed)
    mistake = now(books)
    books.ask("drop table kept")
    books.ask("create table after (id int)")
    wait_restorable(clusters, mistake)
    assert archiver(region) != killed

    moment = mistake.replace(microsecond=0)
    restore(clusters, "mended", moment)
    found = restored(clusters, "mended").ask("select id, at from kept order by id")
    assert [row for row, _ in found] == list(range(len(found))), "a prefix"
    assert all(at <= moment for _, at in found), "none from after the moment"
    # A moment's state is of the half second before it; tests run on slow machines.
    must = {row for row, at in written.items() if at <= moment - datetime.timedelta(seconds=1)}
    assert len(must) > ROWS // 2
    assert not must - {row for row, _ in found}, f"rows from before {moment} are missing"
    database = clusters.database("mended")
    assert database.one("select count(*) from pg_class where relname = 'after'") == 0
    assert f"Restored from DB cluster {NAME} as it was at" in " ".join(clusters.events("mended"))
    region.start_node(killed)


def test_the_latest_restorable_time_grows_while_nobody_writes(clusters, books):
    before = latest(clusters)
    wait_restorable(clusters, before + datetime.timedelta(seconds=3))


def test_moments_outside_are_refused_with_the_nearest_one(clusters, books):
    described = clusters.describe(NAME)
    hour = datetime.timedelta(hours=1)
    for moment, word in [
        (described["EarliestRestorableTime"] - hour, "earlier"),
        (described["LatestRestorableTime"] + hour, "later"),
    ]:
        code, status, message = error_of(
            clusters.api.restore_db_cluster_to_point_in_time, **asked("never", moment)
        )
        assert (code, status) == ("InvalidParameterValue", 400)
        assert f"cannot be restored to a time {word} than" in message


def test_a_log_that_is_damaged_restores_nothing(region, clusters, books):
    """A flipped bit in the archive is told; an older state never passes for the one that was asked for."""
    books.ask("create table last (id int)")
    moment = wait_restorable(clusters, now(books))
    resource = clusters.describe(NAME)["DbClusterResourceId"]
    files = (region.data / "archive").rglob(f"cluster-backup/{resource}/log/*/*.log.data/*")
    first = min(files, key=lambda path: path.stat().st_mtime)
    content = bytearray(first.read_bytes())
    content[len(content) // 2] ^= 1
    first.write_bytes(content)
    restore(clusters, "damaged", moment)
    found = clusters.wait(
        "damaged", lambda found: found["Status"] in ("available", "incompatible-restore"), "the restore ends", 180
    )
    assert found["Status"] == "incompatible-restore"
    assert "could not be restored" in " ".join(clusters.events("damaged"))
    clusters.api.delete_db_cluster(DBClusterIdentifier="damaged", SkipFinalSnapshot=True)


def test_automated_backups_go_with_their_cluster(region, clusters, books):
    left = region.data / "archive"
    assert len(list(left.rglob("cluster-backup/*/log/*/*.meta"))) > 10
    for cluster in ("mended", NAME):
        clusters.api.delete_db_instance(DBInstanceIdentifier=f"{cluster}-1", SkipFinalSnapshot=True)
        clusters.api.delete_db_cluster(DBClusterIdentifier=cluster, SkipFinalSnapshot=True)

    def is_empty():
        return not list(left.rglob("cluster-backup/**/*.meta"))

    # Folders go while they are looked through.
    until(is_empty, WITHIN_S, "nothing is left in the archive", quiet=(FileNotFoundError,))
    assert automated(clusters) == []
