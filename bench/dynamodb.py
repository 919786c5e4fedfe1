"""DynamoDB's figures of docs/benchmarks.md: Quorate and dynoxide under the same load, in turns, in one run.

    python bench/dynamodb.py --quorate target/release/quorate --load target/release/examples/dynamodb_load
        [--dynoxide PATH] [--seconds 5] [--connections 1 16 64] [--only latency] [--plots docs]

Prints Markdown. dynoxide keeps one copy, checks no signature and syncs each write; it is measured when its program is there
(`cargo install dynoxide-rs`). Needs boto3 (the tests' virtual environment has it).
"""

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import boto3
from bench import print_machine
from million import million, split_under_load
from plot import latency_chart
from region import BenchRegion, free_port

OPS = ("put", "get-strong", "get-eventual", "update-many", "update-hot", "query")
ITEMS = 10_000
IDLE_TABLES = 500
MILLION = 1_000_000
SPLIT_BYTES = 16 << 20
PARTS = ("ratios", "latency", "idle", "million", "split")
PERCENTILES = {"p50": "p50_ms", "p90": "p90_ms", "p99": "p99_ms", "p99.9": "p999_ms"}


def main():
    args = parse_arguments()
    print_machine()
    wanted = (args.only,) if args.only else PARTS
    if set(wanted) - {"split"}:
        with region_for(args) as (region, folder), dynoxide(args, folder) as other:
            ours = Target(region.endpoint, region.credentials())
            targets = [ours] + ([other] if other else [])
            for target in targets:
                target.make_table()
                target.load(args, "put", 16, fill=True)
            if "ratios" in wanted:
                ratios(args, ours, other)
            if "latency" in wanted:
                latency(args, ours)
            if "idle" in wanted:
                idle(region, ours, args.tables)
            if "million" in wanted:
                million(args, region, ours, args.items)
    if "split" in wanted:
        with region_for(args, dynamodb_split_bytes=SPLIT_BYTES) as (region, _):
            split_under_load(args, region, Target(region.endpoint, region.credentials()))


@contextlib.contextmanager
def region_for(args, **settings):
    """A region with these settings, and the folder that it is in."""
    with tempfile.TemporaryDirectory(prefix="quorate-bench-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        with BenchRegion(args.quorate, Path(folder) / "data", **settings) as region:
            yield region, Path(folder)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quorate", type=Path, required=True, help="the binary, built for release")
    parser.add_argument("--load", type=Path, required=True, help="the load generator, built for release")
    parser.add_argument("--dynoxide", type=Path, help="dynoxide's program; left out when it is not there")
    parser.add_argument("--seconds", type=int, default=5, help="of each case")
    parser.add_argument("--connections", type=int, nargs="+", default=(1, 16, 64))
    parser.add_argument("--tables", type=int, default=IDLE_TABLES, help="idle tables")
    parser.add_argument("--items", type=int, default=MILLION, help="of the large table")
    parser.add_argument("--plots", type=Path, help="the folder that charts of latency go to")
    parser.add_argument("--only", choices=PARTS)
    args = parser.parse_args()
    args.quorate, args.load = args.quorate.resolve(), args.load.resolve()
    return args


class Target:
    """An endpoint and its credentials."""

    def __init__(self, endpoint, credentials):
        self.endpoint, self.credentials = endpoint, credentials
        self.api = boto3.client(
            "dynamodb",
            endpoint_url=f"http://{endpoint}",
            region_name="us-east-1",
            aws_access_key_id=credentials[0],
            aws_secret_access_key=credentials[1],
        )

    def make_table(self, name="bench"):
        self.api.create_table(
            TableName=name,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )
        while self.api.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
            time.sleep(0.005)

    def load(self, args, op, connections, fill=False, items=ITEMS, table="bench", seconds=None):
        command = [args.load, "--endpoint", self.endpoint, "--table", table, "--op", op]
        command += ["--connections", str(connections), "--items", str(items)]
        command += ["--seconds", str(seconds or args.seconds), *(["--fill"] if fill else [])]
        environment = {
            **os.environ, "AWS_ACCESS_KEY_ID": self.credentials[0], "AWS_SECRET_ACCESS_KEY": self.credentials[1]
        }
        result = subprocess.run(command, env=environment, capture_output=True, text=True)
        if result.returncode != 0:
            raise SystemExit(f"the load {op} failed:\n{result.stdout}{result.stderr}")
        return json.loads(result.stdout)


@contextlib.contextmanager
def dynoxide(args, folder):
    """dynoxide with its file-backed mode; None when it is not there."""
    if not args.dynoxide or not args.dynoxide.exists():
        print("\ndynoxide is not there: its columns are empty.")
        yield None
        return
    port = free_port()
    command = [args.dynoxide, "serve", "--host", "127.0.0.1", "--port", str(port), "--db-path", folder / "other.db"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        target = Target(f"127.0.0.1:{port}", ("AKIDEXAMPLE", "secret"))
        until_answered(target)
        yield target
    finally:
        process.terminate()
        process.wait()


def until_answered(target):
    deadline = time.monotonic() + 20
    while True:
        try:
            return target.api.list_tables()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def ratios(args, ours, other):
    print("\n| operation | connections | Quorate, /s | p50, ms | p99, ms | dynoxide, /s | p50, ms | p99, ms | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for op in (*OPS, "floor"):
        for connections in args.connections:
            a = ours.load(args, op, connections)
            row = f"| {op} | {connections} | {a['per_second']:.0f} | {a['p50_ms']:.2f} | {a['p99_ms']:.2f} "
            if other and op != "floor":
                b = other.load(args, op, connections)
                row += f"| {b['per_second']:.0f} | {b['p50_ms']:.2f} | {b['p99_ms']:.2f} "
                row += f"| {a['per_second'] / max(b['per_second'], 1):.2f} |"
            else:
                row += "| | | | |"
            print(row, flush=True)


def latency(args, ours):
    """Latency by percentile as load rises to saturation."""
    print("\n| operation | connections | /s | p50, ms | p90, ms | p99, ms | p99.9, ms |\n|---|---|---|---|---|---|---|")
    for op in ("put", "get-strong"):
        points = []
        for connections in (1, 2, 4, 8, 16, 32, 64, 128):
            a = ours.load(args, op, connections)
            by_percentile = {name: a[key] for name, key in PERCENTILES.items()}
            points.append((a["per_second"], by_percentile, f"{connections} connections"))
            columns = " | ".join(f"{ms:.2f}" for ms in by_percentile.values())
            print(f"| {op} | {connections} | {a['per_second']:.0f} | {columns} |", flush=True)
        if args.plots:
            chart = latency_chart(f"{op}: latency by load, 1 to 128 connections", points, tuple(PERCENTILES))
            (args.plots / f"latency-{op}.svg").write_text(chart)


def idle(region, ours, tables):
    began = time.monotonic()
    for at in range(tables):
        ours.make_table(f"idle-{at}")
    each = (time.monotonic() - began) / tables
    time.sleep(5)
    seconds = 20
    before = region.cpu_seconds()
    time.sleep(seconds)
    after = region.cpu_seconds()
    total = sum(after[name] - before[name] for name in before) * 100 / seconds
    rss = sum(region.rss_mib(pid) for pid in region.own_processes().values())
    print(f"\nCreateTable to ACTIVE, {tables} one after another: {each:.3f} s each.")
    print(f"{tables} empty tables, all processes together: {total:.2f} % of one core, {rss:.0f} MiB.")


if __name__ == "__main__":
    main()
