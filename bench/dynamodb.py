"""DynamoDB's figures of docs/benchmarks.md: Quorate and dynoxide under the same load, in turns, in one run.

    python bench/dynamodb.py --quorate target/release/quorate --load target/release/examples/dynamodb_load
        [--dynoxide PATH] [--seconds 5] [--connections 1 16 64] [--only latency]

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
from region import BenchRegion, cpu_seconds, free_port

OPS = ("put", "get-strong", "get-eventual", "update-many", "update-hot", "query")
ITEMS = 10_000
IDLE_TABLES = 500


def main():
    args = parse_arguments()
    print_machine()
    with tempfile.TemporaryDirectory(prefix="quorate-bench-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        with BenchRegion(args.quorate, Path(folder) / "data") as region, dynoxide(args, Path(folder)) as other:
            ours = Target(region.endpoint, region.credentials())
            targets = [ours] + ([other] if other else [])
            for target in targets:
                target.make_table()
                target.load(args, "put", 16, fill=True)
            if args.only in (None, "ratios"):
                ratios(args, ours, other)
            if args.only in (None, "latency"):
                latency(args, ours)
            if args.only in (None, "idle"):
                idle(region, ours, args.tables)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quorate", type=Path, required=True, help="the binary, built for release")
    parser.add_argument("--load", type=Path, required=True, help="the load generator, built for release")
    parser.add_argument("--dynoxide", type=Path, help="dynoxide's program; left out when it is not there")
    parser.add_argument("--seconds", type=int, default=5, help="of each case")
    parser.add_argument("--connections", type=int, nargs="+", default=(1, 16, 64))
    parser.add_argument("--tables", type=int, default=IDLE_TABLES, help="idle tables")
    parser.add_argument("--only", choices=("ratios", "latency", "idle"))
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

    def load(self, args, op, connections, fill=False):
        command = [args.load, "--endpoint", self.endpoint, "--op", op, "--connections", str(connections)]
        command += ["--items", str(ITEMS), "--seconds", str(args.seconds), *(["--fill"] if fill else [])]
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
    print("\n| operation | connections | /s | p50, ms | p90, ms | p99, ms | p99.9, ms |\n|---|---|---|---|---|---|---|")
    for op in ("put", "get-strong"):
        for connections in (1, 2, 4, 8, 16, 32, 64, 128):
            a = ours.load(args, op, connections)
            print(
                f"| {op} | {connections} | {a['per_second']:.0f} | {a['p50_ms']:.2f} | {a['p90_ms']:.2f} "
                f"| {a['p99_ms']:.2f} | {a['p999_ms']:.2f} |",
                flush=True,
            )


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
