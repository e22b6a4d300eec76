"""Looking somebody up in a register of a million people, on PostgreSQL: how long the slowest of a hundred takes.

By personal number, by number of the receipt, and by the beginning of a name in Latin and in Arabic letters, as the
call centre does it: `eid.services.person.search.find_persons` (*look-up*), and with the rows of the audit log that tell
who was shown, durable at the end (*noted*). *processor* is what one look-up takes
of it, here and in the server: other programs spoil only the clock on the wall.

The people are made up: 400 family names and 100 given names, each in both scripts, every fourth family name with an
article. As with real names a few of them are everybody's: the commonest family name is that of a seventh of all people,
the commonest given name of a fifth, and some ten thousand are called exactly alike. *common beginning* asks for three
letters of these, *common name* for the whole of them: what many share must not cost more than what few do.

Usage: load_lookup.py [--people N] [--lookups N] [--explain]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from statistics import quantiles
from typing import Any

import psycopg
from _measure import judge
from _postgres_time import find_server, server_time
from sqlalchemy import Engine, event

sys.path.append(str(Path(__file__).parents[1]))  # behind all else: the server and the applicants of the tests

from eid.enrolment.names import build_search_keys
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.services.person.search import Wanted, find_persons, search_persons
from eid.store.applications import build_number
from eid.store.audit import bucket_of
from eid.store.database import open_database
from eid.store.schema_version import upgrade
from eid.store.types import new_id, new_id_like
from tests.builders.applicants import DOCUMENT
from tests.builders.postgres import postgres_server

TARGET = 0.02  # seconds, the slowest of a hundred
AGENT = Actor("agent-1", frozenset((Role.CALL_CENTRE_AGENT,)))
ARTICLES = load_rules("morocco").rules.record.articles
FAMILIES, GIVEN, COMMON = 400, 100, 10
AT_ONCE = 50_000  # rows of one COPY
LATIN = ("BA", "DI", "FO", "GU", "HA", "KI", "LO", "MU", "NA", "RI", "SO", "TU", "ZA", "YE", "WI", "JO")
ARABIC = ("با", "دي", "فو", "قو", "حا", "كي", "لو", "مو", "نا", "ري", "سو", "تو", "زا", "يه", "وي", "جو")
TABLES = ("person", "person_search_key", "application")
PERSON = """COPY person (bucket, id, state, version, personal_number, date_of_birth, record, created_at, updated_at)
    FROM STDIN"""
PERSON_SEARCH_KEY = "COPY person_search_key (bucket, person_id, key) FROM STDIN"
APPLICATION = """COPY application (bucket, id, number, state, version, person_id, applicant, service, reason, abroad,
    language, rules, rules_digest, currency, information_requests, requested_papers, created_at, updated_at)
    FROM STDIN"""
# Of the tables: what else hangs on them, foreign keys to them last, and how each is made again.
CONSTRAINTS = """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE contype IN ('p', 'u', 'f')
    AND (conrelid = ANY(%(tables)s::regclass[]) OR confrelid = ANY(%(tables)s::regclass[]))
    ORDER BY contype = 'f', oid"""
INDEXES = """SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = ANY(%(tables)s::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"""
Name = tuple[tuple[str, str], tuple[str, str]]  # Latin, Arabic: family name, given names


def main() -> None:
    """Print a table, and whether the target was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--lookups", type=int, default=1000, help="of each kind")
    parser.add_argument("--explain", action="store_true", help="the plans of the database, too")
    arguments = parser.parse_args()
    with postgres_server(durable=True) as server:
        url = server.create_database()
        engine = open_database(url)
        upgrade(engine)
        with psycopg.connect(host=str(server.sockets), user="eid", dbname=engine.url.database) as connection:
            _fill(connection, arguments.people)
        kinds = _ask(engine, arguments.people, arguments.lookups)
        if arguments.explain:
            _explain(engine, kinds)
        _measure(engine, find_server(url), kinds)
        engine.dispose()


# --- the register


def _words(parts: tuple[str, ...], number: int) -> str:
    return parts[number % 16] + parts[number // 16 % 16] + parts[(number * 7 + 3) % 16]


def _name(family: int, given: int) -> Name:
    latin, arabic = ("AL ", "ال") if family % 4 == 1 else ("", "")
    other = FAMILIES + given
    return (
        (latin + _words(LATIN, family), _words(LATIN, other)),
        (arabic + _words(ARABIC, family), _words(ARABIC, other)),
    )


def _draw_names(seed: int, count: int) -> list[tuple[int, int]]:
    """Family and given names: the second is half as common as the first, the third a third."""
    drawn = random.Random(seed)
    chosen = (
        drawn.choices(range(size), cum_weights=list(accumulate(1 / (rank + 1) for rank in range(size))), k=count)
        for size in (FAMILIES, GIVEN)
    )
    return list(zip(*chosen, strict=True))


def _number_of(number: int) -> str:
    return f"ZX{number:07}"


def _fill(connection: psycopg.Connection, people: int) -> None:
    """Three tables at once, as fast as the database takes rows: keys and indexes are made when all is there."""
    now, begun = datetime.now(UTC), time.perf_counter()
    with _bare(connection):
        for start in range(0, people, AT_ONCE):
            count = min(AT_ONCE, people - start)
            _copy(connection.cursor(), start, [_name(*drawn) for drawn in _draw_names(start, count)], now)
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM ANALYZE")
    size = connection.execute("SELECT pg_size_pretty(pg_database_size(current_database()))").fetchone()
    print(f"{people:,} people, as many applications, {size and size[0]}: made in {time.perf_counter() - begun:.0f} s")


@contextmanager
def _bare(connection: psycopg.Connection) -> Iterator[None]:
    """The tables without keys, foreign keys and indexes while the context lasts."""
    given = {"tables": list(TABLES)}
    constraints = connection.execute(CONSTRAINTS, given).fetchall()
    indexes = connection.execute(INDEXES, given).fetchall()
    for table, name, _ in reversed(constraints):
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    yield
    connection.execute("SET maintenance_work_mem = '512MB'")
    for table, name, definition in constraints:
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
    for _, definition in indexes:
        connection.execute(definition)


def _copy(cursor: psycopg.Cursor, start: int, names: list[Name], now: datetime) -> None:
    made = [(number, new_id(now), name) for number, name in enumerate(names, start)]
    records: dict[Name, str] = {}
    keys: dict[Name, frozenset[str]] = {}
    for name in set(names):
        records[name], keys[name] = _record(name), build_search_keys(name, ARTICLES)
    with cursor.copy(PERSON) as copy:
        for number, person, name in made:
            row = (bucket_of(person), person, "VALID", 1, _number_of(number), "1985-02-14", records[name], now, now)
            copy.write_row(row)
    with cursor.copy(PERSON_SEARCH_KEY) as copy:
        for _, person, name in made:
            for key in keys[name]:
                copy.write_row((bucket_of(person), person, key))
    with cursor.copy(APPLICATION) as copy:
        for number, person, _ in made:
            one = new_id_like(person, now)
            told = ("DELIVERED", 1, person, f"a-{number}", "card", "first", False, "fr", "morocco", bytes(32))
            copy.write_row((bucket_of(one), one, build_number(one), *told, "MAD", 0, "[]", now, now))


def _record(name: Name) -> str:
    (family, given), (arabic, other) = name
    changed = {
        "family_name": {"latin": family, "arabic": arabic},
        "given_names": {"latin": given, "arabic": other},
    }
    return json.dumps(DOCUMENT | changed, ensure_ascii=False)


# --- what is asked


def _ask(engine: Engine, people: int, lookups: int) -> dict[str, list[Wanted]]:
    drawn = random.Random(1)
    everybody = [drawn.randrange(people) for _ in range(lookups)]
    names = [_name(*indexes) for indexes in _draw_names(2, lookups)]
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT number FROM application ORDER BY id LIMIT {lookups}")
        numbers = [row[0] for row in rows]
    kinds: dict[str, Iterator[Wanted]] = {
        "personal number": (Wanted(personal_number=_number_of(one)) for one in everybody),
        "receipt": (Wanted(number=number) for number in numbers),
        "name, Latin": (Wanted(name=" ".join(latin)[: drawn.randint(4, 10)]) for latin, _ in names),
        "name, Arabic": (Wanted(name=" ".join(arabic)[: drawn.randint(3, 10)]) for _, arabic in names),
        "common beginning": (Wanted(name=_begin(drawn)) for _ in everybody),
        "common name": (
            Wanted(name=" ".join(drawn.choice(_name(drawn.randrange(COMMON), drawn.randrange(COMMON)))))
            for _ in everybody
        ),
    }
    return {kind: list(wanted) for kind, wanted in kinds.items()}


def _begin(drawn: random.Random) -> str:
    """Three letters of a name that very many have, of either script."""
    number = drawn.choice((drawn.randrange(COMMON), FAMILIES + drawn.randrange(COMMON)))
    return drawn.choice((_words(LATIN, number)[:3], _words(ARABIC, number)[:3], "ال" + _words(ARABIC, number)[:1]))


def _explain(engine: Engine, kinds: dict[str, list[Wanted]]) -> None:
    """How the database goes about each kind of look-up, of the last one that is asked."""
    for kind, asked in kinds.items():
        with engine.connect() as connection:
            ran: list[tuple[str, Any]] = []

            def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any, ran: list[Any] = ran) -> None:
                ran.append((statement, parameters))

            event.listen(connection, "before_cursor_execute", note)
            find_persons(connection, asked[-1])  # which brings the pages into memory, where they are when in use
            event.remove(connection, "before_cursor_execute", note)
            for statement, parameters in ran:
                plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", parameters)
                print(f"--- {kind}", *(f"    {line}" for (line,) in plan), sep="\n")


# --- the figures


def _measure(engine: Engine, server: int | None, kinds: dict[str, list[Wanted]]) -> None:
    print(f"{'by':<18}{'found':>7}{'look-up p50':>13}{'p99':>9}{'processor':>11}{'noted p50':>12}{'p99':>9}   ms")
    for kind, asked in kinds.items():
        found: list[int] = []

        def look(one: Wanted, found: list[int] = found) -> None:
            with engine.connect() as connection:
                found.append(len(find_persons(connection, one)))

        _time(look, asked[: len(asked) // 20])  # the first ones warm the caches
        before = time.process_time() + server_time(server)
        looked = _time(look, asked)
        used = (time.process_time() + server_time(server) - before) / len(asked) * 1000
        noted = _time(lambda one: search_persons(engine, one, AGENT, datetime.now(UTC)), asked)
        figures = [quantiles(times, n=100)[at] * 1000 for times in (looked, noted) for at in (49, 98)]
        told = f"{figures[0]:>13.1f}{figures[1]:>9.1f}{used:>11.2f}{figures[2]:>12.1f}{figures[3]:>9.1f}"
        print(
            f"{kind:<18}{sum(found) / len(found):>7.1f}{told}   {judge(figures[1] / 1000, at_most=TARGET)}", flush=True
        )


def _time(work: Callable[[Wanted], object], asked: list[Wanted]) -> list[float]:
    taken = []
    for one in asked:
        begun = time.perf_counter()
        work(one)
        taken.append(time.perf_counter() - begun)
    return taken


if __name__ == "__main__":
    main()
