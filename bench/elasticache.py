"""ElastiCache's figures of docs/benchmarks.md: through the endpoint and directly, in turns, in one run.

    python bench/elasticache.py --quorate target/release/quorate [--seconds 3] [--rounds 3] [--failovers 10]
        [--only throughput|failover|sentinel|resharding] [--faults kill-primary kill-zone pause-zone]

Prints Markdown. Needs redis-benchmark, boto3 and redis-py (the tests' virtual environment has them). The region and the
ledger are those of the tests.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import print_machine

FAULTS = ("kill-primary", "kill-zone", "pause-zone")
PARTS = ("throughput", "failover", "sentinel", "resharding")
RESHARDED_KEYS = 100_000
CLIENTS = 50
REQUESTS_PER_S = 40_000
PIPELINES = (1, 16)
DATA_BYTES = 100


def main():
    args = parse_arguments()
    os.environ["QUORATE_BIN"] = str(args.quorate)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    from harness.caches import Caches
    from harness.region import Region

    print_machine()
    wanted = (args.only,) if args.only else PARTS
    region = Region()
    try:
        region.start()
        caches = Caches(region)
        began = time.monotonic()
        caches.create_group("bench")
        print(f"\ncreate-replication-group (a primary, two replicas) to `available`: {time.monotonic() - began:.1f} s")
        if "throughput" in wanted:
            throughput(args, region, caches)
        if "failover" in wanted:
            failover(args, region, caches, through_sentinels=False)
        if "sentinel" in wanted:
            failover(args, region, caches, through_sentinels=True)
        if "resharding" in wanted:
            caches.delete_group("bench")
            resharding(args, caches)
    finally:
        region.close()


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quorate", type=Path, required=True, help="the binary, built for release")
    parser.add_argument("--seconds", type=int, default=3, help="of each run of redis-benchmark, about")
    parser.add_argument("--rounds", type=int, default=3, help="of each case; the median counts")
    parser.add_argument("--failovers", type=int, default=10, help="runs of each fault")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=FAULTS)
    parser.add_argument("--only", choices=PARTS)
    args = parser.parse_args()
    args.quorate = args.quorate.resolve()
    return args


def throughput(args, region, caches):
    """redis-benchmark through the endpoint and against the primary's own address, in turns."""
    from harness.caches import primary_of

    endpoint = primary_of(caches.group("bench"))
    relayed = (endpoint["Address"], endpoint["Port"])
    direct = tuple(row(region, "primary")["address"].rsplit(":", 1))
    print("\n| command | pipeline | endpoint, /s | directly, /s | ratio | p50 of endpoint, ms | p50 directly, ms |")
    print("|---|---|---|---|---|---|---|")
    for command in ("get", "set"):
        for pipeline in PIPELINES:
            ours, theirs = [], []
            for _ in range(args.rounds):
                theirs.append(redis_benchmark(args, direct, command, pipeline))
                ours.append(redis_benchmark(args, relayed, command, pipeline))
            (a, a_ms), (b, b_ms) = median(ours), median(theirs)
            print(
                f"| {command.upper()} | {pipeline} | {a:.0f} | {b:.0f} | {a / b:.2f} | {a_ms:.2f} | {b_ms:.2f} |",
                flush=True,
            )


def median(runs):
    return tuple(statistics.median(values) for values in zip(*runs))


def redis_benchmark(args, address, command, pipeline):
    """Requests a second and the median latency in ms."""
    requests = REQUESTS_PER_S * args.seconds * pipeline
    options = ["-c", CLIENTS, "-n", requests, "-P", pipeline, "-d", DATA_BYTES, "-r", 100_000, "-t", command, "--csv"]
    line = ["redis-benchmark", "-h", address[0], "-p", address[1], *options]
    result = subprocess.run([str(word) for word in line], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"redis-benchmark failed:\n{result.stdout}{result.stderr}")
    fields = [field.strip('"') for field in result.stdout.splitlines()[-1].split(",")]
    return float(fields[1]), float(fields[4])


def failover(args, region, caches, through_sentinels):
    """The longest time without an acknowledged write of two writers, from the fault on; and what was lost of them."""
    clients = "that ask the Sentinels" if through_sentinels else "on the primary endpoint"
    print(f"\nFailover, clients {clients}\n")
    print("| fault | write counts when | runs | p50, s | worst, s | acknowledged | lost |\n|---|---|---|---|---|---|---|")
    for fault in args.faults:
        for wait in (True,) if through_sentinels else (True, False):
            times, acknowledged, lost = [], 0, 0
            for _ in range(args.failovers):
                silence, ledger = one_failover(region, caches, fault, wait, through_sentinels)
                times.append(silence)
                acknowledged += len(ledger.acknowledged)
                lost += len(ledger.lost())
            counts = "WAIT 1 was answered" if wait else "SET was answered"
            print(
                f"| {fault} | {counts} | {args.failovers} | {statistics.median(times):.2f} | {max(times):.2f} "
                f"| {acknowledged} | {lost} |",
                flush=True,
            )


def one_failover(region, caches, fault, wait, through_sentinels):
    from harness.caches import CacheLedger, SentinelLogin, connect, primary_of
    from harness.poll import until

    group = caches.wait_group("bench")
    endpoint = primary_of(group)
    until(lambda: connect(endpoint).info("replication")["connected_slaves"] == 2, 120, "both replicas follow")
    until(lambda: all_guarded(region), 60, "all Sentinels know each other and the replicas")
    zone = caches.primary_zone("bench")
    login = {"sentinels": SentinelLogin(region, "bench")} if through_sentinels else {}
    with CacheLedger(endpoint, wait=wait, **login) as ledger:
        ledger.wait_for_more(200)
        at = time.monotonic()
        if fault == "kill-primary":
            os.kill(engine_pid(region), signal.SIGKILL)
        else:
            region.zone(fault.split("-")[0], zone)
        until(lambda: caches.primary_zone("bench") != zone, 120, "another zone leads")
        ledger.wait_for_more(20)
        if fault != "kill-primary":
            region.zone("start" if fault == "kill-zone" else "resume", zone)
        ledger.wait_for_more(200)
        silence = ledger.longest_silence(at)
    return silence, ledger


def resharding(args, caches):
    """Shards come and go while a client that follows slots writes, each write confirmed by a replica."""
    from harness.caches import ClusterLedger, follow_slots

    group = caches.create_group("bench", replicas=1, NumNodeGroups=2, ReplicasPerNodeGroup=1)
    client = follow_slots(group)
    for first in range(0, RESHARDED_KEYS, 1_000):
        with client.pipeline() as pipeline:
            for number in range(first, first + 1_000):
                pipeline.set(f"filled:{number}", "x" * DATA_BYTES)
            pipeline.execute()
    print(f"\nResharding a group of {RESHARDED_KEYS} keys under load\n")
    print("| shards | took, s | writes | longest write, ms | errors | lost |\n|---|---|---|---|---|---|")
    change = caches.api.modify_replication_group_shard_configuration
    for count, going in ((3, []), (2, ["0001"])):
        with ClusterLedger(group) as ledger:
            ledger.slowest_s = 0.0
            began, before = time.monotonic(), caches.group("bench")
            change(ReplicationGroupId="bench", NodeGroupCount=count, NodeGroupsToRemove=going, ApplyImmediately=True)
            caches.wait_group("bench", within=600)
            took = time.monotonic() - began
        shards = f"{len(before['NodeGroups'])} to {count}"
        errors = dict(ledger.errors) or "none"
        print(
            f"| {shards} | {took:.1f} | {len(ledger.acknowledged)} | {1000 * ledger.slowest_s:.0f} | {errors} "
            f"| {len(ledger.lost())} |",
            flush=True,
        )
    found = sum(client.exists(f"filled:{number}") for number in range(RESHARDED_KEYS))
    print(f"\nOf {RESHARDED_KEYS} keys that were there before, {found} are there after.")


def row(region, role):
    rows = region.json("status")["regions"][0]["resources"]
    return next(r for r in rows if r["id"].startswith("bench-") and r["role"] == role)


def all_guarded(region):
    """Whether every Sentinel could promote a replica: it knows all others, and was not paused a moment ago."""
    from harness.caches import SentinelLogin

    if any(info["sentinel_tilt"] for info in SentinelLogin(region, "bench").infos()):
        return False
    sentinels = region.json("status")["regions"][0]["sentinels"]
    seen = [s["caches"].get("bench") for s in sentinels]
    return len(seen) == 3 and all(s and s["others"] == 2 and s["replicas"] == 2 and not s["down"] for s in seen)


def engine_pid(region):
    """The process that listens where the primary is."""
    port = row(region, "primary")["address"].rsplit(":", 1)[1]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = (entry / "cmdline").read_bytes() if (entry / "cmdline").exists() else b""
            if command.startswith(b"/") and b"redis-server" in command and command.split(b"\0")[0].endswith(port.encode()):
                return int(entry.name)
    raise SystemExit(f"no server listens at port {port}")


if __name__ == "__main__":
    main()
