"""Where the time of one operation goes: a flame graph of the gateway and the nodes under load.

    python bench/flame.py --quorate target/release/quorate --load target/release/examples/dynamodb_load
        [--op get-strong] [--connections 16] [--out docs]

Needs perf (Debian's linux-perf), the right to use it, and inferno (`cargo install inferno`) on PATH.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from dynamodb import Target
from region import BenchRegion

SAMPLES_A_SECOND = 499
RECORD_S = 4
# Boxes below this share of the width are left out: nobody can read them.
BOX_MIN_PERCENT = 0.4


def main():
    args = parse_arguments()
    for program in ("perf", "inferno-collapse-perf", "inferno-flamegraph"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is not there: see the head of this file")
    with tempfile.TemporaryDirectory(prefix="quorate-flame-", dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        with BenchRegion(args.quorate, Path(folder) / "data") as region:
            target = Target(region.endpoint, region.credentials())
            target.make_table()
            target.load(args, "put", 16, fill=True)
            load = threading.Thread(target=target.load, args=(args, args.op, args.connections))
            load.start()
            time.sleep(1)
            pids = ",".join(str(pid) for pid in region.own_processes().values())
            data = Path(folder) / "perf.data"
            record = ["perf", "record", "-e", "cpu-clock", "-F", str(SAMPLES_A_SECOND), "--call-graph", "dwarf,16384"]
            subprocess.run([*record, "-p", pids, "-o", data, "--", "sleep", str(RECORD_S)], check=True, capture_output=True)
            load.join()
        draw(args, data)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quorate", type=Path, required=True, help="the binary, built for release")
    parser.add_argument("--load", type=Path, required=True, help="the load generator, built for release")
    parser.add_argument("--op", default="get-strong")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("docs"), help="the folder that the picture goes to")
    args = parser.parse_args()
    args.quorate, args.load = args.quorate.resolve(), args.load.resolve()
    # The load begins before the recording and outlasts it.
    args.seconds = RECORD_S + 3
    return args


def draw(args, data):
    picture = args.out / f"flame-{args.op}.svg"
    title = f"{args.op}, {args.connections} connections: CPU of the gateway and the nodes"
    script = subprocess.Popen(["perf", "script", "-i", data], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    collapse = subprocess.Popen(["inferno-collapse-perf"], stdin=script.stdout, stdout=subprocess.PIPE)
    flame = ["inferno-flamegraph", "--title", title, "--minwidth", str(BOX_MIN_PERCENT)]
    with open(picture, "wb") as out:
        subprocess.run(flame, stdin=collapse.stdout, stdout=out, check=True)
    print(picture)


if __name__ == "__main__":
    main()
