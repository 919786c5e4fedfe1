"""Rounds of one kind: everything is killed at a random moment, and the volume comes back from some of its six segments.

Regions have two nodes in each zone, and so one segment on each. From any four nodes writes go on. From three, nothing
is written or promoted before the next node is there.
"""

import os
import random
import signal
import time
from contextlib import ExitStack

from . import processes
from .aurora import check_pages, check_pages_of_reader
from .churn import Churn
from .ledger import Ledger
from .mysql import check_tables
from .poll import until

# Of one round: a debug program on a busy machine takes its time to start four nodes and an engine.
ROUND_S = 150
_VOTERS_NEEDED = 2
_SEGMENTS_TO_WRITE = 4
_SEGMENTS_TO_READ = 3
_LOAD_ROWS = 20


class Postgres:
    """What is special to aurora-postgresql: rows under every kind of index, amcheck, checksums."""

    WRITERS = 2

    def __init__(self, clusters, name, seed):
        self.clusters, self.name = clusters, name
        self.database = clusters.database(name)
        self.churn = Churn(self.database, seed).make()
        # Makes the extension, which a standby cannot.
        check_pages(self.database)

    def more_load(self):
        return [self.churn]

    def check(self):
        self.churn.check()
        check_pages(self.database)
        assert self.database.one("show data_checksums") == "on"
        assert self.database.one("show full_page_writes") == "off"

    def check_reader(self, reads):
        assert reads.one("select pg_is_in_recovery()") is True
        check_pages_of_reader(reads)


class Mariadb:
    """What is special to aurora-mysql: tables that are read through, no page written twice."""

    WRITERS = 3

    def __init__(self, clusters, name):
        self.clusters, self.name = clusters, name
        self.database = clusters.database(name)

    def more_load(self):
        return []

    def check(self):
        check_tables(self.database)
        assert self.database.one("select @@innodb_doublewrite") == 0

    def check_reader(self, reads):
        assert reads.one("select @@read_only") == 1
        check_tables(reads)


class Rounds:
    """Rounds over one cluster with a writer and a reader."""

    def __init__(self, region, engine, seed):
        self.region, self.engine = region, engine
        self.draw = random.Random(seed)
        self.ledgers = []

    def play(self, count):
        """From four nodes, then from three, then from four, and so on."""
        for number in range(count):
            began = time.monotonic()
            told = self.from_three() if number % 2 else self.from_four()
            print(f"round {number}: {told}, {time.monotonic() - began:.1f} s in all", flush=True)

    def from_four(self):
        with self._load() as ledger:
            started, barred = self._start_after_kill(_SEGMENTS_TO_WRITE)
            back = ledger.wait_for_more(_LOAD_ROWS, within=ROUND_S)
            self._check_all(ledger, started)
        self._admit(barred)
        # The next round may begin with nodes that have not caught up.
        return f"{sorted(started)} back after {back:.1f} s"

    def from_three(self):
        """Readers answer, and have everything that was acknowledged; writes go on with the fourth segment."""
        clusters, name = self.engine.clusters, self.engine.name
        clusters.wait_running(name, within=ROUND_S)
        home = clusters.node(clusters.readers(name)[0])
        reads = clusters.database(name, reader=True)
        with self._load() as ledger:
            started, barred = self._start_after_kill(_SEGMENTS_TO_READ, home)
            stopped_at, epoch = ledger.acknowledged(), self._cluster()["epoch"]
            until(self._says_so, ROUND_S, "the cluster says that its storage takes no writes")
            asked = time.monotonic()
            until(lambda: self._look_from_three(reads, ledger), ROUND_S, "readers answer", pause=0.2)
            read = time.monotonic() - asked
            assert ledger.acknowledged() == stopped_at, "three segments took a write"
            assert self._cluster()["epoch"] == epoch, "somebody was promoted who cannot write"
            admitted = self.draw.choice(barred)
            self._admit([admitted])
            back = ledger.wait_for_more(_LOAD_ROWS, within=ROUND_S)
            self._check_all(ledger, [*started, admitted])
        self._admit(barred)
        return f"{sorted(started)} read after {read:.1f} s; with {admitted} back after {back:.1f} s"

    def _look_from_three(self, reads, ledger):
        """Whether readers answer; if they do, all of it is there and whole."""
        try:
            reads.ask("select 1", **reads.IMPATIENT)
        except reads.ERRORS:
            return False
        seen = ledger.compare(reads)
        seen.assert_clean()
        for earlier in self.ledgers[:-1]:
            earlier.compare(reads).assert_clean()
        self.engine.check_reader(reads)
        return True

    def _load(self):
        return _Load(self)

    def _start_after_kill(self, count, *wanted):
        """Kills every node at a random moment and starts `count`; the nodes that run, and those that are kept from it."""
        time.sleep(self.draw.uniform(0.0, 2.0))
        kill_all_nodes(self.region)
        started = self._some(count, wanted)
        barred = [node for node in self._nodes() if node not in started]
        for node in barred:
            self.region.bar_node(node)
        start_all(self.region)
        return started, barred

    def _some(self, count, wanted):
        """So many nodes, among them enough of the first nodes of the zones: those keep the catalog."""
        while True:
            nodes = self.draw.sample(self._nodes(), count)
            if set(wanted) <= set(nodes) and sum(node.endswith("-1") for node in nodes) >= _VOTERS_NEEDED:
                return nodes

    def _nodes(self):
        return [row["node"] for row in self.region.zones()]

    def _cluster(self):
        (found,) = (row for row in self.region.status()["clusters"] if row["id"] == self.engine.name)
        return found

    def _says_so(self):
        return (self._cluster()["detail"] or "").startswith("storage: fewer than four segments")

    def _check_all(self, ledger, started):
        """Everything that was acknowledged is there, and whole, from these nodes alone."""
        ledger.check()
        self.engine.check()
        for earlier in self.ledgers[:-1]:
            earlier.compare().assert_clean()
        running = {row["node"] for row in self.region.zones() if row["state"] == "running"}
        assert running == set(started), "the volume was rebuilt from those nodes, and from nothing else"

    def _admit(self, nodes):
        for node in nodes:
            self.region.admit_node(node)


class _Load:
    """A ledger of its own for one round, and what else writes."""

    def __init__(self, rounds):
        self.rounds = rounds
        self.stack = ExitStack()

    def __enter__(self):
        engine, ledgers = self.rounds.engine, self.rounds.ledgers
        for load in engine.more_load():
            self.stack.enter_context(load)
        ledger = Ledger(engine.database, writers=engine.WRITERS, table=f"ledger_{len(ledgers)}")
        ledgers.append(ledger)
        self.stack.enter_context(ledger)
        ledger.wait_for_more(_LOAD_ROWS, within=ROUND_S)
        return ledger

    def __exit__(self, *error):
        return self.stack.__exit__(*error)


def rounds(short):
    """How many are asked for; `short` where nobody asks."""
    return int(os.environ.get("QUORATE_AURORA_ROUNDS", short))


def seed():
    """The seed of a test: a given one, or one that is told."""
    found = int(os.environ.get("QUORATE_AURORA_SEED", random.randrange(1 << 32)))
    print(f"seed {found}", flush=True)
    return found


def kill_all_nodes(region):
    pids = [row["pid"] for row in region.zones() if row["pid"]]
    for pid in pids:
        processes.send(pid, signal.SIGKILL)
    for pid in pids:
        until(lambda: not processes.runs(pid), 20, f"process {pid} has ended", pause=0.01)


def start_all(region):
    for zone in sorted({row["zone"] for row in region.zones()}):
        region.zone("start", zone)


def wait_healthy(region, clusters, instances, within=120):
    """Until every node runs, and these instances are available."""

    def whole():
        return all(row["state"] == "running" for row in region.zones()) and all(
            node["alive"] for node in region.status()["nodes"]
        )

    until(whole, within, "all nodes run", pause=0.3)
    for instance in instances:
        clusters.wait_instance(instance, within=within)
    # A reader that began without a writer begins again, and is available all the while.
    clusters.wait_running(instances[0].rpartition("-")[0], within=within)
