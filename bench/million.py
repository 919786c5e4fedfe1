"""What a table of many items takes, how long a killed node needs with it, and what a client feels of a split.

Parts of `bench/dynamodb.py`.
"""

import subprocess
import threading
import time

MIB = 1 << 20
CAUGHT_UP_S = 600


def million(args, region, target, items):
    """Fills a table, then kills a node and starts it again."""
    target.make_table("million")
    began = time.monotonic()
    target.load(args, "put", 64, fill=True, items=items, table="million")
    took = time.monotonic() - began
    print(f"\n{items:,} items of 1 KB written in {took:.0f} s ({items / took:,.0f}/s) by 64 connections.")
    print("\n| process | resident memory, MiB | on disk, MiB |\n|---|---|---|")
    for name, pid in region.own_processes().items():
        node = region.data / "regions" / "us-east-1" / "nodes" / name
        disk = f"{folder_bytes(node) / MIB:,.0f}" if node.exists() else ""
        print(f"| {name} | {region.rss_mib(pid):,.0f} | {disk} |")
    recover(args, region, target, items)


def recover(args, region, target, items):
    zone = region.nodes()[-1]["zone"]
    region.command("zone", "kill", zone)
    # What it will have missed.
    missed = target.load(args, "put", 16, items=items, table="million")
    began = time.monotonic()
    region.command("zone", "start", zone)
    while not caught_up(region, zone):
        if time.monotonic() - began > CAUGHT_UP_S:
            raise SystemExit("the node does not catch up")
        time.sleep(0.1)
    print(
        f"\nA killed node with them has caught up with the {missed['per_second'] * (args.seconds + 1):,.0f} writes that it "
        f"missed {time.monotonic() - began:.1f} s after its start."
    )


def caught_up(region, zone):
    """Whether every replica of that zone has all that its leader has."""
    rows = [r for p in partitions(region) for r in p["replicas"] if r["node"].startswith(zone)]
    return bool(rows) and all(row["answers"] and row["lag_entries"] == 0 for row in rows)


def partitions(region, table=None):
    tables = region.status()["tables"]
    return [partition for t in tables if table in (None, t["name"]) for partition in t["partitions"]]


def split_under_load(args, region, target):
    """Splits of a table that grows; `region` is set to split early."""
    target.make_table("growing")
    done = threading.Event()
    result = {}

    def load():
        result.update(target.load(args, "put", 16, items=200_000, table="growing", seconds=20))
        done.set()

    threading.Thread(target=load).start()
    seen = 1
    while not done.wait(0.5):
        seen = max(seen, len(partitions(region, "growing")))
    print(
        f"\nA table that grew from 1 to {seen} partitions under 16 connections of PutItem: {result['per_second']:,.0f}/s, "
        f"{result['failed']} failed, p50 {result['p50_ms']:.2f} ms, p99.9 {result['p999_ms']:.1f} ms, "
        f"worst {result['worst_ms']:.0f} ms."
    )


def folder_bytes(folder):
    output = subprocess.run(["du", "--summarize", "--bytes", folder], capture_output=True, text=True, check=True)
    return int(output.stdout.split()[0])
