"""A region whose processes are started by hand, as over several hosts: no `quorate up`."""

import signal
import subprocess

from . import ports
from .poll import until
from .region import _die_with_the_tests, BINARY, START_S, STOP_S, Region

ZONES = ("a", "b", "c")


class MultiHost(Region):
    """Three nodes on the zones' loopback addresses and any number of gateways, each with a folder of its own.

    Commands (`run`, `env`, `status`) work on the first gateway's folder.
    """

    def __init__(self, gateways=("gw1",), **settings):
        super().__init__(**settings)
        self.seed = self.folder / "seed"
        self.data = self.folder / gateways[0]
        self.processes = {}
        self.api_ports = {name: self.api_port if name == gateways[0] else ports.free_port() for name in gateways}
        self.node_ports = {zone: ports.free_port() for zone in ZONES}

    def address(self, zone):
        return f"127.0.{ZONES.index(zone) + 1}.1"

    def lay_out(self):
        """What docs/multi-host.md does first: the layout, and a token for each process."""
        nodes = [f"--node=us-east-1{z}-1={self.address(z)}:{self.node_ports[z]}" for z in ZONES]
        self.on(self.seed, "region", "create", "--region", "us-east-1", *nodes)
        for zone in ZONES:
            self.on(self.seed, "region", "token", "--node", f"us-east-1{zone}-1", "--out", self.token(zone))
        for name in self.api_ports:
            self.on(self.seed, "region", "token", "--gateway", name, "--out", self.token(name))

    def token(self, name):
        return self.folder / f"{name}.token"

    def on(self, folder, *args):
        command = [BINARY, *map(str, args), "--data", folder]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, f"{args}: {result.stdout}{result.stderr}"
        return result.stdout

    def start_node(self, zone, join=False):
        host = self.folder / f"host-{zone}"
        self._spawn(zone, "node", "--data", host, *(["--join", self.token(zone)] if join else []))

    def start_gateway(self, name, join=False):
        api = ["--api", f"127.0.0.1:{self.api_ports[name]}"]
        self._spawn(name, "gateway", "--data", self.folder / name, *api, *(["--join", self.token(name)] if join else []))
        until(lambda: "gateway runs" in self.log_of(name).read_text(), START_S, f"the gateway {name} runs", pause=0.05)

    def log_of(self, name):
        return self.folder / f"{name}.log"

    def _spawn(self, name, *args):
        # Folders must let the engines' account through, as those that `quorate up` makes do.
        with self.log_of(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [BINARY, *map(str, args), "--config", self.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_the_tests,
            )

    def kill_process(self, name):
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def stop_process(self, name):
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=STOP_S) == 0

    def log_tail(self, lines=40):
        tails = []
        for path in sorted(self.folder.glob("*.log")):
            tails.append(f"--- {path}\n" + "\n".join(path.read_text(errors="replace").splitlines()[-lines:]))
        return "\n".join(tails)
