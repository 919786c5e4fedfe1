"""A region under test: a data folder, a configuration, and the `quorate up` that serves it."""

import ctypes
import json
import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from . import ports, processes
from .poll import until

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("QUORATE_BIN", ROOT / "target" / "debug" / "quorate")).resolve()
COMMAND_S = 60
START_S = 60
STOP_S = 60
ENDPOINTS = 24
_API_LINE = re.compile(r"http://[\d.]+:\d+")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def _die_with_the_tests():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class CommandFailed(AssertionError):
    """A command of the program ended with a status other than 0."""

    def __init__(self, args, result):
        super().__init__(f"{shlex.join(map(str, args))}: status {result.returncode}\n{result.stdout}{result.stderr}")
        self.result = result


class Region:
    """One installation. `settings` go into its configuration file, over short times that suit tests."""

    def __init__(self, names=("us-east-1",), nodes_per_zone=1, user=None, wrapper=(), **settings):
        """`user` is an account to run as, for tests that root runs; `wrapper` are words before `quorate up`."""
        # Engines may run as another account, so every folder above theirs must let it through.
        self.folder = Path(tempfile.mkdtemp(prefix="quorate-test-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.names = list(names)
        self.wrapper = list(wrapper)
        self.binary = BINARY
        self.account = {}
        if user is not None:
            entry = pwd.getpwnam(user)
            self.account = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            # The program may lie where only root reaches it.
            self.binary = Path(shutil.copy(BINARY, self.folder / "quorate"))
        self.nodes_per_zone = nodes_per_zone
        self.api_port = ports.free_port()
        first = ports.free_run(ENDPOINTS)
        self.settings = {
            "endpoint_ports": [first, first + ENDPOINTS - 1],
            "standby_replace_after_ms": 4_000,
            **settings,
        }
        self.config = self.folder / "config.toml"
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in self.settings.items()]
        self.config.write_text("".join(lines))
        self.log = self.folder / "up.log"
        self.process = None
        self._env = None

    # The life of `quorate up`.

    def start(self, wait=True):
        """Starts `quorate up`; returns the seconds until it said that it serves."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._log_from = log.tell()
            self.process = subprocess.Popen(
                [*self.wrapper, *self.up_command()],
                **self.account,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_die_with_the_tests,
            )
        if wait:
            until(self._greeted, START_S, "`quorate up` names its API", pause=0.02)
        return time.monotonic() - began

    def up_command(self):
        command = [self.binary, "up", "--data", self.data, "--config", self.config, "--api", f"127.0.0.1:{self.api_port}"]
        command += ["--nodes-per-zone", str(self.nodes_per_zone)]
        for name in self.names:
            command += ["--region", name]
        return command

    def _greeted(self):
        assert self.process.poll() is None, f"`quorate up` ended:\n{self.log_tail()}"
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            text = log.read().decode(errors="replace")
        return any(str(self.api_port) in url for url in _API_LINE.findall(text))

    def stop(self, number=signal.SIGTERM, within=STOP_S):
        """Asks `quorate up` to end, and asserts that nothing of it is left."""
        self.process.send_signal(number)
        status = self.process.wait(timeout=within)
        left = {pid: processes.command(pid) for pid in processes.of_folder(self.folder)}
        assert not left, f"left over after a clean stop: {left}"
        return status

    def kill(self):
        """Kills `quorate up` alone, with no chance to tell its children."""
        self.process.kill()
        self.process.wait()

    def close(self, keep=False):
        """Ends everything and removes the folder."""
        if self.process is not None:
            self.process.kill()
        processes.kill_all(self.folder)
        if self.process is not None:
            self.process.wait()
        # After the processes: those that work in a mount are found by its place.
        for place in reversed(self.mounts()):
            subprocess.run(["umount", "--lazy", place], check=False)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def mounts(self):
        """Where volumes are mounted below the folder at the moment."""
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            found = [line.split() for line in file]
        volumes = [words[4] for words in found if "fuse.quorate" in words]
        return [place for place in volumes if place.startswith(f"{self.folder}/")]

    # Commands.

    def run(self, *args, check=True, within=COMMAND_S):
        """One command on this data folder."""
        command = [self.binary, *map(str, args), "--data", self.data]
        result = subprocess.run(
            command, **self.account, capture_output=True, text=True, timeout=within, cwd=self.folder, check=False
        )
        if check and result.returncode != 0:
            raise CommandFailed(command, result)
        return result

    def json(self, *args):
        return json.loads(self.run(*args, "--json").stdout)

    def env(self):
        """What `quorate env` exports."""
        if self._env is None:
            words = shlex.split(self.run("env").stdout)
            pairs = [word.split("=", 1) for word in words if "=" in word]
            self._env = dict(pairs)
        return self._env

    def ca_file(self, region=None):
        """A file with the region's certificate authority."""
        region = region or self.names[0]
        path = self.folder / f"ca-{region}.pem"
        if not path.exists():
            path.write_text(self.run("ca", "--region", region).stdout)
        return path

    def status(self, region=None):
        """`quorate status` of one region."""
        region = region or self.names[0]
        regions = self.json("status")["regions"]
        return next(found for found in regions if found["region"] == region)

    def members(self, instance, region=None):
        """The rows of one instance's members."""
        return [row for row in self.status(region)["resources"] if row["id"] == instance]

    def zones(self):
        """The rows of `zone list`."""
        rows = self.json("zone", "list")
        return rows if isinstance(rows, list) else rows["zones"]

    def zone(self, action, name):
        self.run("zone", action, name)

    # Single nodes.

    def node_folder(self, node):
        return self.data / "regions" / node.rpartition("-")[0][:-1] / "nodes" / node

    def node_pid(self, node):
        return next(row["pid"] for row in self.zones() if row["node"] == node)

    def kill_node(self, node):
        """Kills a node; its zone's others run on. It stays down until its zone is started."""
        processes.kill(self.node_pid(node))

    def start_node(self, node):
        """Starts what is down in the node's zone."""
        self.zone("start", node.rpartition("-")[0])

    def bar_node(self, node):
        """Keeps a node from starting, until `admit_node`: it does not find out who it is."""
        (self.node_folder(node) / "identity").rename(self.node_folder(node) / "identity.barred")

    def admit_node(self, node):
        barred = self.node_folder(node) / "identity.barred"
        if barred.exists():
            barred.rename(self.node_folder(node) / "identity")
            self.start_node(node)

    # What to show when a test fails.

    def log_tail(self, lines=40):
        """The last lines of every log."""
        texts = []
        for path in [self.log, *sorted(self.data.glob("regions/*/nodes/*/node.log"))]:
            if path.exists():
                # What the consensus library says of each lost peer buries the rest.
                told = [line for line in path.read_text(errors="replace").splitlines() if " openraft::" not in line]
                tail = told[-lines:]
                texts.append(f"--- {path}\n" + "\n".join(tail))
        return "\n".join(texts)
