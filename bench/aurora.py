"""Aurora's figures of docs/benchmarks.md: a cluster beside a synchronous pair of the same region, in turns, in one run.

    python bench/aurora.py --quorate target/release/quorate [--seconds 5] [--rounds 3] [--failovers 3]
        [--only throughput|latency|bytes|lag|reader|recovery|failover|mariadb|archiving|repair] [--faults kill-engine kill-zone pause-zone]

Prints Markdown. Needs pgbench, boto3, psycopg and pymysql (the tests' virtual environment has the latter three), and for
`mariadb` sysbench. The region and the ledger are those of the tests.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from bench import pgbench, print_machine, tps
from limits import disk_mb_per_s, loopback_mb_per_s
from mariadb import mariadb

FAULTS = ("kill-engine", "kill-zone", "pause-zone")
PARTS = ("throughput", "latency", "bytes", "lag", "reader", "recovery", "failover", "mariadb", "archiving", "repair")
CLIENTS = (1, 8, 32)
LATENCY_CLIENTS = 8
# A checkpoint's pages are spread over what was done before it.
BYTES_S = 10
SCALE = 10
# By default log waits for a minute before it goes to the archive: each run has one such moment at least.
ARCHIVING_S = 65
LAG_ROWS_PER_S = (1_000, 10_000)
# Rows of one statement each; more statements a second than this say nothing about lag and much about the client.
LAG_STATEMENTS_PER_S = 50
SIZES_MB = (20, 300)
SETTLE_S = 120
REPLACE_AFTER_MS = 1_000
RECOVERY_LOADS_S = (2, 10, 30)
NAME, PAIR, BIG, ALONE = "bench", "pair", "sized", "alone"


def main():
    args = parse_arguments()
    os.environ["QUORATE_BIN"] = str(args.quorate)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from harness.aurora import Clusters
    from harness.region import Region

    # What was started is ended, however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    print_machine()
    wanted = (args.only,) if args.only else PARTS
    if set(wanted) - {"archiving", "repair"}:
        in_one_region(args, wanted)
    if "archiving" in wanted:
        archiving(args)
    if "repair" in wanted:
        region = Region(nodes_per_zone=3, aurora_replace_after_ms=REPLACE_AFTER_MS, aurora_backup_every_ms=0)
        try:
            region.start()
            repair(args, region, Clusters(region))
        finally:
            region.close()


def in_one_region(args, wanted):
    """The parts that need no region of their own."""
    from harness.aurora import Clusters
    from harness.aws import Rds
    from harness.region import Region

    region = Region()
    try:
        region.start()
        clusters, rds = Clusters(region), Rds(region)
        if {"throughput", "latency", "bytes"} & set(wanted):
            beside_a_pair(args, wanted, region, clusters, rds)
        if "lag" in wanted:
            lag(args, clusters)
        if "reader" in wanted:
            reader(clusters)
        if "recovery" in wanted:
            recovery(args, region, clusters)
        if "failover" in wanted:
            failover(args, region, clusters)
        if "mariadb" in wanted:
            with tempfile.TemporaryDirectory(prefix="quorate-bench-", dir="/tmp") as folder:
                os.chmod(folder, 0o755)
                mariadb(args, region, folder)
    finally:
        region.close()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quorate", type=Path, required=True, help="the binary, built for release")
    parser.add_argument("--seconds", type=int, default=5, help="of each run of pgbench, and of each measured lag")
    parser.add_argument("--rounds", type=int, default=3, help="of each case; the median counts")
    parser.add_argument("--failovers", type=int, default=3, help="runs of each fault")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=FAULTS)
    parser.add_argument("--repair-mb", type=int, default=1_000, help="of data in the volume that is repaired")
    parser.add_argument("--only", choices=PARTS)
    args = parser.parse_args()
    args.quorate = args.quorate.resolve()
    return args


def beside_a_pair(args, wanted, region, clusters, rds):
    """What is compared with a synchronous pair; both are gone afterwards."""
    from harness import faults
    from harness.database import Database
    from harness.schema import client_environment

    began = time.monotonic()
    clusters.create(NAME)
    print(f"\ncreate-db-cluster with one instance to `available`: {time.monotonic() - began:.1f} s")
    pair = Database(region, rds.create(PAIR, MultiAZ=True))
    faults.wait_in_sync(region, PAIR)
    cluster = clusters.database(NAME)
    targets = client_environment(cluster), client_environment(pair)
    for database in (cluster, pair):
        database.serves(SETTLE_S)
    for target in targets:
        pgbench(target, ["-i", "-q", "-s", str(SCALE)])
    if "throughput" in wanted:
        throughput(args, *targets)
    if "latency" in wanted:
        latency(args, region, clusters, *targets)
    if "bytes" in wanted:
        bytes_sent(args, region, cluster, pair, *targets)
    rds.delete(PAIR)
    clusters.api.delete_db_instance(DBInstanceIdentifier=f"{NAME}-1", SkipFinalSnapshot=True)
    clusters.api.delete_db_cluster(DBClusterIdentifier=NAME, SkipFinalSnapshot=True)


def options(args, clients, at_least_s=0):
    seconds = max(args.seconds, at_least_s)
    return ["-n", "-c", str(clients), "-j", "2", "-T", str(seconds), "-M", "prepared"]


def throughput(args, of_cluster, of_pair):
    """pgbench's TPC-B through both endpoints, in turns."""
    print("\n| TPC-B, clients | cluster, tps | pair, tps | ratio | ms of cluster | ms of pair |\n|---|---|---|---|---|---|")
    for clients in CLIENTS:
        ours, theirs = [], []
        for _ in range(args.rounds):
            theirs.append(tps(pgbench(of_pair, options(args, clients))))
            ours.append(tps(pgbench(of_cluster, options(args, clients))))
        a, b = statistics.median(ours), statistics.median(theirs)
        print(
            f"| {clients} | {a:.0f} | {b:.0f} | {a / b:.2f} | {1000 * clients / a:.2f} | {1000 * clients / b:.2f} |",
            flush=True,
        )


def latency(args, region, clusters, of_cluster, of_pair):
    """One inserted row a transaction: how long commits take with every segment there, and with a zone paused."""
    print(f"\n| commits of one row, {LATENCY_CLIENTS} clients | runs | p50, ms | p99, ms |\n|---|---|---|---|")
    for name, target in (("cluster, six segments", of_cluster), ("pair", of_pair)):
        print_latency(args, name, target)
    home = clusters.zone(f"{NAME}-1")
    # The pair may have its primary there: only the cluster is measured meanwhile.
    paused = next(row["zone"] for row in region.zones() if row["zone"] != home)
    region.zone("pause", paused)
    try:
        print_latency(args, "cluster, a zone without the writer paused", of_cluster)
    finally:
        region.zone("resume", paused)
    from harness import faults

    faults.wait_in_sync(region, PAIR, within=SETTLE_S)


def print_latency(args, name, target):
    runs = [commit_times(args, target) for _ in range(args.rounds)]
    p50, p99 = (statistics.median(percentile(times, p) for times in runs) for p in (50, 99))
    print(f"| {name} | {args.rounds} | {p50:.2f} | {p99:.2f} |", flush=True)


def commit_times(args, target):
    """Milliseconds of each transaction of a run, from pgbench's log."""
    with tempfile.TemporaryDirectory(prefix="quorate-bench-", dir="/tmp") as folder:
        script = Path(folder) / "insert.sql"
        script.write_text("insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, 1, 1, now());\n")
        log = ["--log", f"--log-prefix={folder}/log", "-f", str(script)]
        pgbench(target, [*options(args, LATENCY_CLIENTS), *log])
        lines = [line for path in Path(folder).glob("log.*") for line in path.read_text().splitlines()]
    return [int(line.split()[2]) / 1000 for line in lines]


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, len(values) * p // 100)]


def bytes_sent(args, region, cluster, pair, of_cluster, of_pair):
    """What a transaction costs on the network: each copy of the cluster's, and the standby's only one."""
    clients = LATENCY_CLIENTS
    # The volume's log carries the engine's files besides its write-ahead log. Each run begins right after a checkpoint and
    # ends with one: the pair's log then has its whole pages in it, as it has with every checkpoint.
    for database in (cluster, pair):
        database.ask("checkpoint")
    before = settled_log(region)
    done = transactions(pgbench(of_cluster, options(args, clients, BYTES_S)))
    cluster.ask("checkpoint")
    after = settled_log(region)
    payload, sent = (after[key] - before[key] for key in ("payload_bytes", "sent_bytes"))
    told = "select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
    wal_before = pair.one(told)
    of_wal = transactions(pgbench(of_pair, options(args, clients, BYTES_S)))
    pair.ask("checkpoint")
    streamed = pair.one(told) - wal_before
    print(f"\n| TPC-B, {clients} clients | bytes a transaction and copy | bytes a transaction, all copies |\n|---|---|---|")
    print(f"| cluster, six copies | {payload / done:.0f} | {sent / done:.0f} |")
    print(f"| pair, log streamed to one standby | {streamed / of_wal:.0f} | {streamed / of_wal:.0f} |", flush=True)


def volume_log(region):
    return region.json("volume", "show", NAME)["log"]


def settled_log(region):
    """The writer's figures, once two reports tell the same: everything that was written is in them."""
    from harness.poll import until

    seen = [volume_log(region)]

    def settled():
        log = volume_log(region)
        if log["at_ms"] > seen[-1]["at_ms"]:
            seen.append(log)
        return seen[-1] if len(seen) > 1 and seen[-1]["last"] == seen[-2]["last"] == seen[-1]["vdl"] else None

    return until(settled, SETTLE_S, "the writer has nothing more to tell", pause=0.3)


def transactions(output):
    line = next(l for l in output.splitlines() if "transactions actually processed" in l)
    return int(line.partition(":")[2].split("/")[0])


def archiving(args):
    """What it costs writers that their log goes to the archive: two regions, in turns, of which one archives nothing."""
    from harness.aurora import Clusters
    from harness.region import Region
    from harness.schema import client_environment

    regions = Region(), Region(aurora_backup_every_ms=0)
    try:
        targets = []
        for region in regions:
            region.start()
            clusters = Clusters(region)
            clusters.create(NAME)
            targets.append(client_environment(clusters.database(NAME)))
            pgbench(targets[-1], ["-i", "-q", "-s", str(SCALE)])
        runs = [], []
        for _ in range(args.rounds):
            for target, seen in zip(targets, runs):
                seen.append(tps(pgbench(target, options(args, LATENCY_CLIENTS, ARCHIVING_S))))
        with_it, without = map(statistics.median, runs)
        print(f"\n| TPC-B, {LATENCY_CLIENTS} clients | archived, tps | not archived, tps | ratio |\n|---|---|---|---|")
        print(f"| runs of {max(args.seconds, ARCHIVING_S)} s | {with_it:.0f} | {without:.0f} | {with_it / without:.2f} |", flush=True)
    finally:
        for region in regions:
            region.close()


def lag(args, clusters):
    """How late a row is seen at the reader: rows carry the clock of the writer's client, which is the reader's too."""
    clusters.create("lag", members=2)
    print("\n| rows written a second | rows seen | lag p50, ms | lag p99, ms |\n|---|---|---|---|")
    for rate in LAG_ROWS_PER_S:
        lag_at(args, clusters, rate)
    for number in (2, 1):
        clusters.api.delete_db_instance(DBInstanceIdentifier=f"lag-{number}", SkipFinalSnapshot=True)
    clusters.api.delete_db_cluster(DBClusterIdentifier="lag", SkipFinalSnapshot=True)


def lag_at(args, clusters, rate):
    writer, reads = clusters.database("lag"), clusters.database("lag", reader=True)
    table = f"ticks_{rate}"
    writer.ask(f"create table {table} (n bigint primary key, at double precision not null)")
    reads.wait(f"select count(*) from {table}", 0, within=60)
    stop, each = threading.Event(), rate // LAG_STATEMENTS_PER_S
    written = [0]
    seconds = max(args.seconds, 3) * args.rounds

    def write():
        with writer.connect() as connection:
            due = time.monotonic()
            while not stop.is_set():
                first = written[0] + 1
                connection.execute(
                    f"insert into {table} select n, %s from generate_series(%s::bigint, %s::bigint) n",
                    (time.time(), first, first + each - 1),
                )
                written[0] += each
                due += 1 / LAG_STATEMENTS_PER_S
                stop.wait(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    late, last, seen = [], 0, 0
    with reads.connect() as connection:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            # One row of each statement is enough, and costs the reader little.
            rows = connection.execute(
                f"select n, at from {table} where n > %s and n %% %s = 0 order by n", (last, each)
            ).fetchall()
            now = time.time()
            if rows:
                last = rows[-1][0]
                late.extend(1000 * (now - at) for _, at in rows)
    took = time.monotonic() - began
    stop.set()
    thread.join()
    print(f"| {written[0] / took:.0f} | {last} | {percentile(late, 50):.1f} | {percentile(late, 99):.1f} |", flush=True)


def reader(clusters):
    """How long a reader takes from the call to `available` and its first query: its data are not copied."""
    clusters.create(BIG)
    database = clusters.database(BIG)
    print("\n| data, MB | create-db-instance of a reader to its first answer, s |\n|---|---|")
    for number, size in enumerate(SIZES_MB, start=2):
        fill(database, size)
        instance = f"{BIG}-{number}"
        began = time.monotonic()
        clusters.add(BIG, instance)
        rows = database.one("select count(*) from filled")
        clusters.of_instance(instance).wait("select count(*) from filled", rows)
        took = time.monotonic() - began
        print(f"| {database_mb(database):.0f} | {took:.1f} |", flush=True)
        clusters.api.delete_db_instance(DBInstanceIdentifier=instance, SkipFinalSnapshot=True)
    clusters.api.delete_db_instance(DBInstanceIdentifier=f"{BIG}-1", SkipFinalSnapshot=True)
    clusters.api.delete_db_cluster(DBClusterIdentifier=BIG, SkipFinalSnapshot=True)


def database_mb(database):
    return float(database.one("select sum(pg_database_size(oid)) from pg_database")) / 1e6


def fill(database, megabytes):
    """Rows of 8 kB, which cannot be packed, until the database is so large."""
    database.ask("create table if not exists filled (n bigint, body text)")
    database.ask("alter table filled alter body set storage external")
    while database.one("select pg_database_size(current_database())") < megabytes * 1e6:
        database.ask(
            "insert into filled select n, (select string_agg(md5(n::text || k), '') from generate_series(1, 250) k)"
            " from generate_series(1, 500) n"
        )


def recovery(args, region, clusters):
    """A writer alone whose engine is killed under pgbench: how far its log reached, and how long nothing was served."""
    from harness import faults
    from harness.aurora import ask_as_admin
    from harness.schema import client_environment

    clusters.create(ALONE)
    database = clusters.database(ALONE)
    target = client_environment(database)
    pgbench(target, ["-i", "-q", "-s", str(SCALE)])
    print("\n| log since the last checkpoint, MB | engine killed to the first answer, s |\n|---|---|")
    distance = "select (pg_current_wal_lsn() - redo_lsn)::float8 / 1e6 from pg_control_checkpoint()"
    for seconds in RECOVERY_LOADS_S:
        ask_as_admin(database, "checkpoint")
        pgbench(target, options(args, LATENCY_CLIENTS, seconds))
        megabytes = float(ask_as_admin(database, distance))
        began = time.monotonic()
        faults.kill_engines(region, clusters.zone(f"{ALONE}-1"))
        database.serves(SETTLE_S)
        print(f"| {megabytes:.0f} | {time.monotonic() - began:.1f} |", flush=True)
        clusters.wait_instance(f"{ALONE}-1")
    clusters.api.delete_db_instance(DBInstanceIdentifier=f"{ALONE}-1", SkipFinalSnapshot=True)
    clusters.api.delete_db_cluster(DBClusterIdentifier=ALONE, SkipFinalSnapshot=True)


def repair(args, region, clusters):
    """A node that is lost for good: how fast what it held of the volume is made on its neighbour."""
    from harness.poll import until

    clusters.create(BIG)
    database = clusters.database(BIG)
    fill(database, args.repair_mb)
    megabytes = database_mb(database)
    groups = lambda: region.json("volume", "show", BIG)["groups"]  # noqa: E731
    home = clusters.node(f"{BIG}-1")
    lost = next(
        segment["node"]
        for group in groups()
        for segment in group["segments"]
        if segment["node"] != home and not segment["node"].endswith("-1")
    )
    region.kill_node(lost)
    until(lambda: any(group["replacement"] for group in groups()), SETTLE_S, "the repair begins", pause=0.02)
    began = time.monotonic()

    def done():
        nodes = [segment["node"] for group in groups() for segment in group["segments"]]
        return lost not in nodes and not any(group["replacement"] for group in groups())

    until(done, SETTLE_S, "the repair ends", pause=0.02)
    took = time.monotonic() - began
    disk, network = disk_mb_per_s(region.folder, args.repair_mb), loopback_mb_per_s(args.repair_mb)
    print("\n| data of a segment, MB | made elsewhere in, s | MB/s | a file written and synced, MB/s | loopback, MB/s |")
    print(f"|---|---|---|---|---|\n| {megabytes:.0f} | {took:.1f} | {megabytes / took:.0f} | {disk:.0f} | {network:.0f} |", flush=True)


def failover(args, region, clusters):
    """The longest time without an acknowledged row of three writers, from the fault on; and what was lost of them."""
    clusters.create(NAME, members=2)
    print("\n| fault | runs | p50, s | worst, s | acknowledged | lost |\n|---|---|---|---|---|---|")
    for fault in args.faults:
        times, acknowledged, lost = [], 0, 0
        for _ in range(args.failovers):
            silence, verdict = one_failover(region, clusters, fault)
            times.append(silence)
            acknowledged += verdict.acknowledged
            lost += len(verdict.lost)
        print(
            f"| {fault} | {args.failovers} | {statistics.median(times):.2f} | {max(times):.2f} | {acknowledged} | {lost} |",
            flush=True,
        )


def one_failover(region, clusters, fault):
    from harness import faults
    from harness.ledger import Ledger

    for number in (1, 2):
        clusters.wait_instance(f"{NAME}-{number}", within=SETTLE_S)
    writer, other = clusters.writer(NAME), clusters.readers(NAME)[0]
    zone = clusters.zone(writer)
    with Ledger(clusters.database(NAME)) as ledger:
        ledger.wait_for_more(100)
        at = time.monotonic()
        if fault == "kill-engine":
            faults.kill_engines(region, zone)
        else:
            region.zone(fault.split("-")[0], zone)
        clusters.wait_writer(NAME, other)
        ledger.wait_for_more(20)
        if fault != "kill-engine":
            region.zone("start" if fault == "kill-zone" else "resume", zone)
        ledger.wait_for_more(100)
        verdict = ledger.finish()
    # An acknowledgement may arrive a moment after the fault that was given before it.
    moments = [at, *sorted(moment for moment, _ in ledger.times if moment > at)]
    return max(after - before for before, after in zip(moments, moments[1:])), verdict


if __name__ == "__main__":
    main()
