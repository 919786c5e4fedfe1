"""The figures of docs/benchmarks.md: measured in one run, side by side, on this machine.

    python bench/bench.py --quorate target/release/quorate [--seconds 10] [--rounds 3] [--failovers 10]
        [--faults kill-zone …] [--only PART]

Parts: throughput, failover, idle. Prints Markdown. Needs boto3 (the tests' virtual environment has it).
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pair import HandMadePair
from region import BenchRegion

CLIENTS = (1, 8, 32)
FAULTS = ("kill-engine", "kill-node", "kill-zone", "pause-zone", "pause-node")
SCALE = 20
BATTLE_CLIENTS = 8


def main():
    args = parse_arguments()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="quorate-bench-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        with BenchRegion(args.quorate, Path(folder) / "data") as region:
            print(f"\nStart of a region to its first answered call: {region.first_answer_s:.2f} s")
            created_s = region.create_instance("bench")
            print(f"create-db-instance (Multi-AZ) to `available`: {created_s:.1f} s")
            if args.only in (None, "idle"):
                idle(region, args.seconds)
            if args.only in (None, "throughput"):
                throughput(region, Path(folder), args.seconds, args.rounds)
            region.delete_instance("bench")
            if args.only in (None, "failover"):
                failover(region, args.faults, args.failovers)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quorate", type=Path, required=True, help="the binary, built for release")
    parser.add_argument("--seconds", type=int, default=10, help="of each pgbench run")
    parser.add_argument("--rounds", type=int, default=3, help="of each pgbench case; the median counts")
    parser.add_argument("--failovers", type=int, default=10, help="runs of each fault")
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=FAULTS, help="which faults to measure")
    parser.add_argument("--only", choices=("throughput", "failover", "idle"))
    args = parser.parse_args()
    args.quorate = args.quorate.resolve()
    return args


def print_machine():
    model = next((l.split(":", 1)[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "?")
    load = os.getloadavg()[0]
    print(f"Machine: {os.cpu_count()} cores ({model}), Linux {platform.release()}, load {load:.1f} at the start.")


def idle(region, seconds):
    """CPU and memory of the gateway and the nodes, engines and their guards left out."""
    before = region.cpu_seconds()
    time.sleep(seconds)
    after = region.cpu_seconds()
    print("\n| process | CPU, % of one core | RSS, MiB |\n|---|---|---|")
    total = 0.0
    for name, pid in region.own_processes().items():
        percent = 100 * (after[name] - before[name]) / seconds
        total += percent
        print(f"| {name} | {percent:.2f} | {region.rss_mib(pid):.0f} |")
    print(f"| all | {total:.2f} | |")


def throughput(region, folder, seconds, rounds):
    """pgbench through the endpoint against the same pair of servers set up by hand, in turns."""
    with HandMadePair(region.primary_conf(), folder / "pair", region.engine_account()) as pair:
        for target in (region.pgbench_target("bench"), pair.pgbench_target()):
            pgbench(target, ["-i", "-q", "-s", str(SCALE)])
        print("\n| case | clients | endpoint, tps | by hand, tps | ratio | p of endpoint, ms | p by hand, ms |")
        print("|---|---|---|---|---|---|---|")
        for name, script in (("TPC-B", []), ("select-only", ["-S"])):
            for clients in CLIENTS:
                ours, theirs = [], []
                for _ in range(rounds):
                    options = [*script, "-n", "-c", str(clients), "-j", "2", "-T", str(seconds), "-M", "prepared"]
                    theirs.append(tps(pgbench(pair.pgbench_target(), options)))
                    ours.append(tps(pgbench(region.pgbench_target("bench"), options)))
                a, b = statistics.median(ours), statistics.median(theirs)
                print(
                    f"| {name} | {clients} | {a:.0f} | {b:.0f} | {a / b:.2f} "
                    f"| {1000 * clients / a:.2f} | {1000 * clients / b:.2f} |",
                    flush=True,
                )


def pgbench(target, options):
    environment = {**os.environ, **target}
    result = subprocess.run(["pgbench", *options], env=environment, capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"pgbench {' '.join(options)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def tps(output):
    line = next(l for l in output.splitlines() if l.startswith("tps ="))
    return float(line.split()[2])


def failover(region, faults, runs):
    """Drills: the longest time without an acknowledged commit, of all clients together, while they write."""
    print("\n| fault | runs | p50, s | worst, s | acknowledged | lost | repeated |\n|---|---|---|---|---|---|---|")
    for fault in faults:
        times, acknowledged, lost, repeated = [], 0, 0, 0
        for _ in range(runs):
            verdict = region.drill(fault, BATTLE_CLIENTS)
            times.append(verdict["longest_gap_ms"] / 1000)
            acknowledged += verdict["acknowledged"]
            lost += verdict["lost"]
            repeated += verdict["repeated"]
        print(
            f"| {fault} | {runs} | {statistics.median(times):.2f} | {max(times):.2f} "
            f"| {acknowledged} | {lost} | {repeated} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
