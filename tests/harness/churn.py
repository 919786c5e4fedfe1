"""Rows that are changed and deleted under every kind of index, and what is known of each of them.

Each worker owns its rows. A row's version is what the last statement about it said; a statement that ended in a lost
connection leaves two versions possible, and so does each one after it, until one is answered. Afterwards every row has
to have a possible version, and every index has to find what the table holds.
"""

import random
import threading

import psycopg

_PAUSE_S = 0.01
_JOIN_S = 60
_ROWS = 400
_KEEPALIVES = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 20_000}
# The row is not there.
_ABSENT = None

_SCHEMA = """
create table {t} (worker int not null, n int not null, version bigint not null, words text not null,
    tags int[] not null, place point not null, span int4range not null, body text not null,
    at timestamptz not null default clock_timestamp(), primary key (worker, n));
create index {t}_version on {t} using btree (version);
create index {t}_words on {t} using btree (words, version);
create index {t}_hash on {t} using hash (words);
create index {t}_tags on {t} using gin (tags);
create index {t}_gist on {t} using gist (place);
create index {t}_spgist on {t} using spgist (span);
create index {t}_brin on {t} using brin (at) with (pages_per_range = 2);
create index {t}_partial on {t} using btree (n) where version % 2 = 0
"""
_NEW = "(%(version)s, %(words)s, %(tags)s, point(%(x)s, %(y)s), int4range(%(low)s, %(high)s), %(body)s)"
_COLUMNS = "version, words, tags, place, span, body"
# What each index must find as the table does.
_QUESTIONS = (
    "select worker, n from {t} where words = 'w7'",
    "select worker, n from {t} where words between 'w1' and 'w3'",
    "select worker, n from {t} where tags @> '{{3}}'",
    "select worker, n from {t} where place <@ box '((0,0),(40,60))'",
    "select worker, n from {t} where span && int4range(100, 300)",
    "select worker, n from {t} where at > (select min(at) + (max(at) - min(at)) / 2 from {t})",
    "select worker, n from {t} where n < 200 and version % 2 = 0",
    "select worker, n from {t} where version > (select max(version) / 2 from {t})",
)


class Churn:
    """Workers that insert, change and delete, from `start` to `finish`. `seed` decides what they do."""

    def __init__(self, database, seed, workers=2, table="churn"):
        self.database, self.table = database, table
        self._stop = threading.Event()
        self._draws = [random.Random(f"{seed} {worker}") for worker in range(workers)]
        # Of each row, the versions that it may have; of a row that is not named, that it is not there.
        self._possible = [{} for _ in range(workers)]
        self._threads = []
        self.done = 0

    def make(self):
        self.database.ask(_SCHEMA.format(t=self.table))
        return self

    def start(self):
        self._stop.clear()
        for worker in range(len(self._draws)):
            thread = threading.Thread(target=self._work, args=(worker,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self._stop.set()

    def _work(self, worker):
        connection = None
        draw = self._draws[worker]
        while not self._stop.is_set():
            try:
                if connection is None or connection.closed:
                    connection = self.database.connect(**_KEEPALIVES)
                self._step(connection, worker, draw)
                self.done += 1
            except psycopg.Error:
                if connection is not None:
                    connection.close()
            self._stop.wait(_PAUSE_S)
        if connection is not None:
            connection.close()

    def _step(self, connection, worker, draw):
        kind = draw.choices(("write", "delete", "maintain"), (80, 18, 2))[0]
        if kind == "maintain":
            index = draw.choice(("version", "words", "hash", "tags", "gist", "spgist", "brin", "partial"))
            connection.execute(draw.choice((f"vacuum {self.table}", f"reindex index {self.table}_{index}")))
            return
        n = draw.randrange(_ROWS)
        version = draw.randrange(1, 1 << 40) if kind == "write" else _ABSENT
        possible = self._possible[worker].setdefault(n, {_ABSENT})
        possible.add(version)
        if version is _ABSENT:
            connection.execute(f"delete from {self.table} where worker = %s and n = %s", (worker, n))
        else:
            connection.execute(
                f"insert into {self.table} (worker, n, {_COLUMNS}) values (%(worker)s, %(n)s, {_NEW[1:-1]})"
                f" on conflict (worker, n) do update set ({_COLUMNS}, at) = ({_NEW[1:-1]}, clock_timestamp())",
                {"worker": worker, "n": n, "version": version, **_content(draw)},
            )
        possible.intersection_update({version})

    def finish(self):
        """Stops the workers. One that does not come back hangs, which fails."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_S)
            assert not thread.is_alive(), "a worker hangs on a connection that nobody ends"
        self._threads.clear()

    def check(self):
        """Stops the workers, and asserts that every row is as it may be, and that every index finds it."""
        self.finish()
        assert self.done > 0, "nothing was done, so nothing was tested"
        rows = self.database.ask(f"select worker, n, version from {self.table}")
        there = {(worker, n): version for worker, n, version in rows}
        assert len(there) == len(rows), "a row is there twice"
        wrong = {
            (worker, n): (there.get((worker, n)), versions)
            for worker, possible in enumerate(self._possible)
            for n, versions in possible.items()
            if there.get((worker, n)) not in versions
        }
        assert not wrong, f"rows whose version is none that was written last: {wrong}"
        named = {(worker, n) for worker, possible in enumerate(self._possible) for n in possible}
        assert there.keys() <= named, f"rows that nobody wrote: {sorted(there.keys() - named)}"
        self._check_indexes()

    def _check_indexes(self):
        with self.database.connect() as connection:
            for question in _QUESTIONS:
                question = question.format(t=self.table)
                connection.execute("set enable_seqscan = off; set enable_indexscan = on; set enable_bitmapscan = on")
                plan = "\n".join(line for (line,) in connection.execute(f"explain {question}"))
                assert "Index" in plan, f"no index answers this, so none is checked: {question}\n{plan}"
                by_index = sorted(connection.execute(question))
                connection.execute("set enable_seqscan = on; set enable_indexscan = off; set enable_bitmapscan = off; set enable_indexonlyscan = off")
                by_table = sorted(connection.execute(question))
                connection.execute("reset enable_indexonlyscan")
                assert by_index == by_table, f"index and table answer differently: {question}"


def _content(draw):
    """Of one row: some are wider than a page, and too random to be packed."""
    low = draw.randrange(1_000)
    wide = draw.random() < 0.1
    return {
        "words": f"w{draw.randrange(50)}",
        "tags": [draw.randrange(20) for _ in range(draw.randrange(1, 6))],
        "x": draw.randrange(100),
        "y": draw.randrange(100),
        "low": low,
        "high": low + draw.randrange(1, 200),
        "body": draw.randbytes(6_000 if wide else 40).hex(),
    }
