"""Asks Quorate and another implementation of DynamoDB the same random requests and reports where they differ.

    python tests/differential/compare_servers.py --peer PATH_OR_PORT [--seed 1] [--scenes 50] [--scene 7]

A scene begins with empty tables and sends `REQUESTS` requests that its seed and number alone decide, so `--seed` and `--scene`
replay one. See README.md.
"""

import argparse
import json
import random
import sys
import time
import tomllib
from pathlib import Path

import groups
import items
import searches
import shapes
from compare import difference
from known import Known
from servers import Peer, Quorate

REQUESTS = 60
SETTLE_S = 3
WRITES = {
    "PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems", "ExecuteStatement", "BatchExecuteStatement",
    "ExecuteTransaction",
}  # fmt: skip
KINDS = [
    (items.put, 22), (items.update, 26), (items.delete, 5), (items.get, 8), (searches.query, 16), (searches.scan, 7),
    (groups.batch_write, 3), (groups.batch_get, 3), (groups.transact_write, 6), (groups.transact_get, 3),
    (groups.execute, 10), (groups.batch_execute, 3), (groups.execute_transaction, 3), (shapes.tables, 4),
]  # fmt: skip


def main():
    args = parse_arguments()
    known = Known(tomllib.loads((Path(__file__).parent / "known.toml").read_text()))
    print(f"seed {args.seed}", flush=True)
    classes, sent = {}, 0
    began = time.monotonic()
    with Quorate() as ours, Peer(args.peer) as theirs:
        for server in (ours, theirs):
            server.make_tables()
        for scene in range(args.scenes) if args.scene is None else [args.scene]:
            sent += play(ours, theirs, args.seed, scene, classes, args.show)
    new = report(classes, known, args)
    print(f"{sent} requests in {time.monotonic() - began:.0f} s, seed {args.seed}: {len(classes)} classes of differences, {new} not known")
    sys.exit(1 if new else 0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", required=True, help="a program that `serve --port` starts, or a port at which one answers")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--scenes", type=int, default=50)
    parser.add_argument("--scene", type=int, help="this scene alone")
    parser.add_argument("--show", action="store_true", help="print each request and both answers")
    parser.add_argument("--all", action="store_true", help="report the known differences too")
    parser.add_argument("--json", type=Path, help="a file for all classes with their examples")
    return parser.parse_args()


def play(ours, theirs, seed, scene, classes, show):
    """One scene; the number of requests that were sent."""
    for server in (ours, theirs):
        server.empty_tables()
    chance = random.Random(f"{seed}/{scene}")
    for number in range(REQUESTS):
        make = chance.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
        operation, body = make(chance)
        data = shapes.written(chance, body)
        answers = ours.ask(operation, data), theirs.ask(operation, data)
        found = difference(*answers, operation)
        if found and answers[0][0] == answers[1][0] == 200 and operation not in WRITES:
            answers, found = settled(ours, answers, operation, data)
        if show:
            print(f"{scene}/{number} {operation} {data.decode()[:2000]}\n  ours   {answers[0]}\n  theirs {answers[1]}\n  {found}")
        if not found:
            continue
        entry = classes.setdefault((operation, *found), {"count": 0, "size": 1 << 60})
        entry["count"] += 1
        if len(data) < entry["size"]:
            entry.update(size=len(data), scene=scene, number=number, body=data.decode(), answers=answers)
        if operation in WRITES and (answers[0][0] == 200 or answers[1][0] == 200):
            # From here on the two hold different items.
            return number + 1
    return REQUESTS


def settled(ours, answers, operation, data):
    """Asks again while an eventual read or an index may lag behind."""
    deadline = time.monotonic() + SETTLE_S
    while (found := difference(*answers, operation)) and time.monotonic() < deadline:
        time.sleep(0.05)
        answers = ours.ask(operation, data), answers[1]
    return answers, found


def report(classes, known, args):
    """Prints the classes, the commonest first; the number of those that are not known."""
    new, told = 0, []
    for (operation, ours, theirs), entry in sorted(classes.items(), key=lambda pair: -pair[1]["count"]):
        reason = known.reason(operation, ours, theirs, entry)
        told.append({"operation": operation, "ours": ours, "theirs": theirs, "known": reason, **entry})
        new += reason is None
        if reason is None or args.all:
            print(f"\n{entry['count']} x {operation} (--seed {args.seed} --scene {entry['scene']}, request {entry['number']})")
            print(f"  ours   {ours}\n  theirs {theirs}")
            print(f"  asked  {entry['body'][:1500]}")
            for name, (status, body) in zip(("ours  ", "theirs"), entry["answers"], strict=True):
                print(f"  {name} {status} {json.dumps(body)[:900]}")
            if reason:
                print(f"  known: {reason}")
    if args.json:
        args.json.write_text(json.dumps(told, indent=1))
    return new


if __name__ == "__main__":
    main()
