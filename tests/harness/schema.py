"""A schema with one of everything that a volume could keep badly, and PostgreSQL's own programs to carry it about."""

import os
import subprocess

import psycopg

from .aurora import programs

_PROGRAM_S = 120

_SCHEMA = """
create extension if not exists btree_gist;
create extension if not exists pg_trgm;
create extension if not exists hstore;
create type mood as enum ('glad', 'sad');
create domain positive as int check (value > 0);
create sequence numbers start 17 increment 3;
create table parent (id int primary key, at timestamptz not null, mood mood, small positive) partition by range (id);
create table parent_low partition of parent for values from (0) to (500);
create table parent_high partition of parent for values from (500) to (maxvalue);
create table everything (
    id int generated always as identity primary key,
    parent int references parent,
    number bigint default nextval('numbers'),
    words text not null,
    document jsonb not null,
    pairs hstore,
    tags int[] not null,
    place point not null,
    span int4range not null,
    at timestamp not null,
    packed text not null,
    wide text not null,
    sum_of numeric generated always as (number * 1.5) stored,
    search tsvector generated always as (to_tsvector('english', words)) stored,
    exclude using gist (id with =, span with &&)
);
alter table everything alter wide set storage external;
create index e_btree on everything using btree (words, number desc);
create index e_expression on everything (lower(words)) include (number) where number % 2 = 0;
create index e_hash on everything using hash (words);
create index e_gin on everything using gin (tags);
create index e_gin_search on everything using gin (search);
create index e_gin_document on everything using gin (document jsonb_path_ops);
create index e_trgm on everything using gist (words gist_trgm_ops);
create index e_gist on everything using gist (place);
create index e_spgist on everything using spgist (span);
create index e_brin on everything using brin (at) with (pages_per_range = 2);
create unlogged table fleeting (n int primary key, body text);
create materialized view summary as select mood, count(*) from parent group by mood with no data;
create view seen as select id, words from everything where number > 20;
create function doubled(n int) returns int language sql immutable as 'select 2 * n';
create table kept_notes (n int, told text);
create function note() returns trigger language plpgsql as
    $$ begin insert into kept_notes values (new.id, 'seen'); return new; end $$;
create trigger noted after insert on parent for each row execute function note();
"""

_ROWS = """
select setseed(0.25);
insert into parent select n, timestamptz '2024-01-01' + n * interval '1 hour', (array['glad','sad'])[1 + n % 2]::mood, n + 1
    from generate_series(0, 999) n;
insert into everything (parent, words, document, pairs, tags, place, span, at, packed, wide)
    select n % 1000, 'word ' || md5(n::text), jsonb_build_object('n', n % 17, 'deep', jsonb_build_array(n, n + 1)),
        hstore('k' || n % 5, n::text), array[n % 7, n % 11, n % 13], point(n % 100, n / 100),
        int4range(n % 300, n % 300 + 10), timestamp '2024-01-01' + n * interval '1 minute', repeat('packs well ', 900),
        (select coalesce(string_agg(md5(n::text || k), ''), '') from generate_series(1, 120 * (n % 3)) k)
    from generate_series(1, 1500) n;
delete from everything where id % 10 = 0;
update everything set words = words || ' changed' where id % 7 = 0;
insert into fleeting select n, md5(n::text) from generate_series(1, 300) n;
refresh materialized view summary;
select lo_from_bytea(70001, decode(repeat(md5('one'), 20000), 'hex'));
select lo_from_bytea(70002, decode(md5('two'), 'hex'));
"""

_QUESTIONS = {
    "e_btree": "select id from everything where words < 'word 3'",
    "e_hash": "select id from everything where words = 'word ' || md5('11')",
    "e_gin": "select id from everything where tags @> array[3, 5]",
    "e_gin_search": "select id from everything where search @@ to_tsquery('english', 'changed')",
    "e_gin_document": "select id from everything where document @> '{\"n\": 4}'",
    "e_trgm": "select id from everything where words like '%abc%'",
    "e_gist": "select id from everything where place <@ box '((0,0),(20,20))'",
    "e_spgist": "select id from everything where span && int4range(100, 120)",
    "e_brin": "select id from everything where at between '2024-01-01 02:00' and '2024-01-01 05:00'",
}
_DIGESTS = (
    "select count(*), sum(hashtext(everything::text)::bigint) from everything",
    "select count(*), sum(hashtext(parent::text)::bigint) from parent",
    "select count(*), sum(hashtext(kept_notes::text)::bigint) from kept_notes",
    "select sum(count) from summary",
    "select md5(lo_get(70001)), md5(lo_get(70002))",
)


class MixedSchema:
    """The schema in one database."""

    def __init__(self, database):
        self.database = database

    def make(self):
        self.database.ask(_SCHEMA)
        self.database.ask(_ROWS)

    def digest(self):
        """What stays in the volume and is the same for all who read it: not the unlogged table."""
        return [self.database.ask(question) for question in _DIGESTS]

    def check_indexes(self):
        """Every kind of index gives what the table gives."""
        with self.database.connect() as connection:
            for index, question in _QUESTIONS.items():
                with connection.transaction():
                    others = [name for name in _QUESTIONS if name != index]
                    connection.execute("set local enable_seqscan = off")
                    for other in others:
                        connection.execute(f"drop index {other}")
                    plan = "\n".join(line for (line,) in connection.execute(f"explain {question}"))
                    assert index in plan, f"{index} is not used, so it is not checked: {question}\n{plan}"
                    by_index = sorted(connection.execute(question))
                    connection.execute(f"drop index {index}")
                    connection.execute("set local enable_seqscan = on")
                    by_table = sorted(connection.execute(question))
                    assert by_index and by_index == by_table, f"{index} and the table answer differently"
                    raise psycopg.Rollback()


def client_environment(database):
    """libpq's variables for a database, certificate verified."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    names |= {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "connect_timeout": "PGCONNECT_TIMEOUT"}
    return {variable: str(database.parameters[name]) for name, variable in names.items()}


def run_program(name, *arguments, environment, check=True, within=_PROGRAM_S):
    """One of PostgreSQL's programs."""
    command = [str(programs() / name), *map(str, arguments)]
    result = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=within, check=False
    )
    assert not check or result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result


def dump(database, path, *options):
    """pg_dump into a file; its text, where it is one, without the lines that are never twice the same."""
    # rds_tools comes with every instance, as on AWS, and so does what is forbidden in pg_catalog.
    without = ["--exclude-schema=rds_tools", "--exclude-schema=pg_catalog"]
    command = ["--blobs", *without, f"--file={path}", *options]
    run_program("pg_dump", *command, environment=client_environment(database))
    if options:
        return None
    lines = path.read_text().splitlines()
    # A random word around the dump, and where it came from.
    never = ("\\restrict", "\\unrestrict")
    return "\n".join(line for line in lines if not line.startswith(never))


def restore(database, path):
    options = ["--exit-on-error", f"--dbname={database.parameters['dbname']}"]
    return run_program("pg_restore", *options, path, environment=client_environment(database))
