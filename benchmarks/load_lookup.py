"""Looking somebody up in a register of a million people, on PostgreSQL: how long the slowest of a hundred takes.

By personal number, by number of the receipt, and by the beginning of a name in Latin and in Arabic letters, as the
call centre does it: `eid.services.person.search.find_persons` and the rows of those who are shown (*look-up*), and with
the rows of the audit log that tell who was shown, durable at the end (*noted*). The people are made up: 400 family
names and 100 given names, each in both scripts.

Usage: load_lookup.py [--people N] [--lookups N]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles

import psycopg
from _measure import judge
from sqlalchemy import Engine

sys.path.append(str(Path(__file__).parents[1]))  # behind all else: the server of the tests

from eid.enrolment.names import build_search_keys
from eid.enrolment.roles import Actor, Role
from eid.services.person.search import Wanted, find_persons, search_persons
from eid.store.applications import build_number
from eid.store.audit import bucket_of
from eid.store.database import open_database
from eid.store.persons import load_persons
from eid.store.schema_version import upgrade
from eid.store.types import new_id, new_id_like
from tests.builders.postgres import postgres_server

TARGET = 0.02  # seconds, the slowest of a hundred
AGENT = Actor("agent-1", frozenset((Role.CALL_CENTRE_AGENT,)))
FAMILIES, GIVEN = 400, 100
LATIN = ("BA", "DI", "FO", "GU", "HA", "KI", "LO", "MU", "NA", "RI", "SO", "TU", "ZA", "YE", "WI", "JO")
ARABIC = ("با", "دي", "فو", "قو", "حا", "كي", "لو", "مو", "نا", "ري", "سو", "تو", "زا", "يه", "وي", "جو")
PERSON = """COPY person (bucket, id, state, version, personal_number, date_of_birth, record, created_at, updated_at)
    FROM STDIN"""
PERSON_SEARCH_KEY = "COPY person_search_key (bucket, person_id, key) FROM STDIN"
APPLICATION = """COPY application (bucket, id, number, state, version, person_id, applicant, service, reason, abroad,
    language, rules, rules_digest, currency, information_requests, requested_papers, created_at, updated_at)
    FROM STDIN"""
Name = tuple[tuple[str, str], tuple[str, str]]  # Latin, Arabic: family name, given names


def main() -> None:
    """Print a table, and whether the target was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--lookups", type=int, default=1000, help="of each kind")
    arguments = parser.parse_args()
    with postgres_server(durable=True) as server:
        url = server.create_database()
        engine = open_database(url)
        upgrade(engine)
        with psycopg.connect(host=str(server.sockets), user="eid", dbname=engine.url.database) as connection:
            _fill(connection, arguments.people)
        _measure(engine, arguments.people, arguments.lookups)
        engine.dispose()


def _words(parts: tuple[str, ...], number: int) -> str:
    return parts[number % 16] + parts[number // 16 % 16] + parts[(number * 7 + 3) % 16]


def _name_of(number: int) -> Name:
    drawn = random.Random(number)
    family, given = drawn.randrange(FAMILIES), FAMILIES + drawn.randrange(GIVEN)
    return (_words(LATIN, family), _words(LATIN, given)), (_words(ARABIC, family), _words(ARABIC, given))


def _number_of(number: int) -> str:
    return f"ZX{number:07}"


def _fill(connection: psycopg.Connection, people: int) -> None:
    """Three tables at once, as fast as the database takes rows."""
    now, keys = datetime.now(UTC), {}
    begun = time.perf_counter()
    cursor = connection.cursor()
    for start in range(0, people, 50_000):
        numbers = range(start, min(start + 50_000, people))
        made = [(number, new_id(now), _name_of(number)) for number in numbers]
        with cursor.copy(PERSON) as copy:
            for number, person, ((family, given), (arabic, other)) in made:
                record = {
                    "specimen": True,
                    "family_name": {"latin": family, "arabic": arabic},
                    "given_names": {"latin": given, "arabic": other},
                }
                told = json.dumps(record, ensure_ascii=False)
                copy.write_row(
                    (bucket_of(person), person, "VALID", 1, _number_of(number), "1985-02-14", told, now, now)
                )
        with cursor.copy(PERSON_SEARCH_KEY) as copy:
            for _, person, name in made:
                if name not in keys:
                    keys[name] = build_search_keys(name)
                for key in keys[name]:
                    copy.write_row((bucket_of(person), person, key))
        with cursor.copy(APPLICATION) as copy:
            for number, person, _ in made:
                one = new_id_like(person, now)
                told = ("DELIVERED", 1, person, f"a-{number}", "card", "first", False, "fr", "morocco", bytes(32))
                copy.write_row((bucket_of(one), one, build_number(one), *told, "MAD", 0, "[]", now, now))
    connection.commit()
    connection.autocommit = True
    connection.execute("ANALYZE")
    print(f"{people:,} people, as many applications: made in {time.perf_counter() - begun:.0f} s")


def _measure(engine: Engine, people: int, lookups: int) -> None:
    print(f"{'by':<18}{'found':>7}{'look-up p50':>13}{'p99':>9}{'noted p50':>12}{'p99':>9}   ms")
    drawn = random.Random(1)
    everybody = [drawn.randrange(people) for _ in range(lookups)]
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"SELECT number FROM application ORDER BY id LIMIT {lookups}")
        numbers = [row[0] for row in rows]
    kinds: dict[str, Iterator[Wanted]] = {
        "personal number": (Wanted(personal_number=_number_of(one)) for one in everybody),
        "receipt": (Wanted(number=number) for number in numbers),
        "name, Latin": (Wanted(name=" ".join(_name_of(one)[0])[: drawn.randint(3, 10)]) for one in everybody),
        "name, Arabic": (Wanted(name=" ".join(_name_of(one)[1])[: drawn.randint(3, 10)]) for one in everybody),
    }
    for kind, wanted in kinds.items():
        asked = list(wanted)
        found: list[int] = []

        def look(one: Wanted, found: list[int] = found) -> None:
            with engine.connect() as connection:
                found.append(len(load_persons(connection, find_persons(connection, one))))

        looked = _time(look, asked)
        noted = _time(lambda one: search_persons(engine, one, AGENT, datetime.now(UTC)), asked)
        figures = [quantiles(times, n=100)[at] * 1000 for times in (looked, noted) for at in (49, 98)]
        told = f"{figures[0]:>13.1f}{figures[1]:>9.1f}{figures[2]:>12.1f}{figures[3]:>9.1f}"
        print(f"{kind:<18}{sum(found) / len(found):>7.1f}{told}   {judge(figures[1] / 1000, at_most=TARGET)}")


def _time(work: Callable[[Wanted], object], asked: list[Wanted]) -> list[float]:
    taken = []
    for one in asked:
        begun = time.perf_counter()
        work(one)
        taken.append(time.perf_counter() - begun)
    return taken[len(asked) // 20 :]  # the first ones warm the caches


if __name__ == "__main__":
    main()
