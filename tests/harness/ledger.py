"""The row ledger: who writes down every row that it tried, and later asks for all of them back.

Each writer inserts ids that nobody else uses, one statement and so one commit each. What the server answered is
an acknowledgement and binds for ever, with a warning or without. What ended in a lost connection is unknown: the
row may be there. What the server refused before it wrote is refused: the row must not be there.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from .poll import until

# A writer's ids start here times its number.
_STRIDE = 1_000_000_000
# Between two rows of a writer: the machine is shared with what is tested.
_PAUSE_S = 0.004
# A client that hangs on a dead server is a finding, not a reason to wait for ever.
_HANG_S = 45


@dataclass
class Notes:
    """What one writer knows."""

    tried: list = field(default_factory=list)
    acknowledged: list = field(default_factory=list)
    unknown: list = field(default_factory=list)
    refused: list = field(default_factory=list)
    errors: Counter = field(default_factory=Counter)


@dataclass
class Verdict:
    """What the table holds, compared with what the writers know."""

    acknowledged: int
    unknown: int
    refused: int
    lost: list
    repeated: list
    never_tried: list
    refused_but_there: list
    longest_silence_s: float

    def assert_clean(self):
        assert self.acknowledged > 0, "nothing was acknowledged, so nothing was tested"
        wrong = [self.lost, self.repeated, self.never_tried, self.refused_but_there]
        assert not any(wrong), f"the ledger does not hold: {self}"


class Ledger:
    """Writers on one instance, from `start` to `finish`."""

    def __init__(self, database, writers=3, table="ledger"):
        self.database = database
        self.table = table
        self._stop = threading.Event()
        self._notes = [Notes() for _ in range(writers)]
        self._threads = []
        # (monotonic time, id) of each acknowledgement, over all writers.
        self.times = []

    def start(self):
        # No unique key: a row that arrives twice must be seen twice.
        self.database.ask(f"drop table if exists {self.table}")
        self.database.ask(f"create table {self.table} (id bigint not null)")
        for number, notes in enumerate(self._notes):
            thread = threading.Thread(target=self._write, args=(number, notes), daemon=True)
            thread.start()
            self._threads.append(thread)
        self.wait_for_more(3)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self._stop.set()

    def _write(self, number, notes):
        connection = None
        next_id = number * _STRIDE
        while not self._stop.is_set():
            try:
                if connection is None or connection.closed:
                    connection = self.database.connect(**self.database.KEEPALIVES)
            except self.database.ERRORS as error:
                notes.errors[_name(error)] += 1
                self._stop.wait(0.05)
                continue
            next_id += 1
            self._write_one(connection, next_id, notes)
            self._stop.wait(_PAUSE_S)
        if connection is not None:
            connection.close()

    def _write_one(self, connection, row, notes):
        notes.tried.append(row)
        try:
            connection.execute(f"insert into {self.table} (id) values (%s)", (row,))
        except self.database.ERRORS as error:
            (notes.refused if self.database.is_refusal(error) else notes.unknown).append(row)
            notes.errors[_name(error)] += 1
            connection.close()
        else:
            notes.acknowledged.append(row)
            self.times.append((time.monotonic(), row))

    # While writers run.

    def acknowledged(self):
        return len(self.times)

    def wait_for_more(self, count=20, within=_HANG_S):
        """Until so many further rows were acknowledged; returns the seconds that it took."""
        began, before = time.monotonic(), self.acknowledged()
        until(
            lambda: self.acknowledged() >= before + count,
            within,
            f"{count} more rows are acknowledged; errors so far: {self.errors()}",
            pause=0.02,
        )
        return time.monotonic() - began

    def first_after(self, moment):
        """Waits for the first acknowledgement later than a moment; the seconds between the two."""

        def later():
            return next((at - moment for at, _ in list(self.times) if at > moment), None)

        return until(later, _HANG_S, "an acknowledgement later than the moment", pause=0.02)

    def errors(self):
        return sum((notes.errors for notes in self._notes), Counter())

    # Afterwards.

    def finish(self, within=_HANG_S):
        """Stops the writers and compares. A writer that does not come back hangs, which fails."""
        self._stop.set()
        deadline = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a writer hangs on a connection that nobody ends"
        return self.compare()

    def compare(self, database=None):
        """Reads the whole table from `database`, or from where it was written."""
        database = database or self.database
        found = Counter(row for (row,) in database.ask(f"select id from {self.table}"))
        every = {name: {row for n in self._notes for row in getattr(n, name)} for name in _LISTS}
        times = sorted(at for at, _ in self.times)
        silences = [after - before for before, after in zip(times, times[1:])]
        return Verdict(
            acknowledged=len(every["acknowledged"]),
            unknown=len(every["unknown"]),
            refused=len(every["refused"]),
            lost=sorted(every["acknowledged"] - found.keys()),
            repeated=sorted(row for row, count in found.items() if count > 1),
            never_tried=sorted(found.keys() - every["tried"]),
            refused_but_there=sorted(every["refused"] & found.keys()),
            longest_silence_s=max(silences, default=0.0),
        )

    def check(self):
        """Stops the writers and asserts that every promise was kept."""
        verdict = self.finish()
        verdict.assert_clean()
        return verdict


_LISTS = ("tried", "acknowledged", "unknown", "refused")


def _name(error):
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:160]
