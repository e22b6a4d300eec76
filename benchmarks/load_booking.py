"""`eid.services.appointment.appointments`: 200 people after 50 places, in eight processes, on SQLite and on PostgreSQL.

Everybody wants the first time that is offered: looks at the offers, holds, books, and looks again where somebody else
was quicker. Counted afterwards in the database: who is booked, and whether any place was given twice. The time runs
from the moment at which all processes are ready. *undisturbed* is what two free cores would give, by processor time:
all that the processes used, the server's among them, over two; other programs spoil only the clock on the wall.

Usage: load_booking.py [--people N] [--processes N] [--rounds N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
import uuid
from collections import Counter
from datetime import date
from multiprocessing.synchronize import Barrier
from pathlib import Path

from _measure import judge
from _postgres_time import find_server, server_time
from sqlalchemy import func, select

sys.path.append(str(Path(__file__).parents[1]))  # behind all else: the server and the applications of the tests

from eid.enrolment.rules import load_rules
from eid.errors import EnrolmentError
from eid.services.appointment.appointments import book, hold, offer_times
from eid.services.appointment.desk import Desk
from eid.store.appointment_tables import appointment, appointment_place
from eid.store.database import in_transaction, open_database
from eid.store.schema_version import upgrade
from tests.builders.booking import NOW, RABAT, applicant, build_desk, store_application
from tests.builders.postgres import postgres_server

PLACES = 5
TIMES = 10  # a quarter of an hour each: 50 places
MONDAY = date(2026, 11, 23)
TARGET = 5.0  # seconds
CORES = 2
SITE = {
    **RABAT,
    "places": PLACES,
    "hours": [{"days": ["mon"], "from": "09:00", "until": "11:30"}],
}


def main() -> None:
    """Print a table, and whether the targets were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{'database':<12}{'booked':>8}{'full':>6}{'double':>8}{'lost races':>12}{'seconds':>9}{'undisturbed':>13}")
    seconds: dict[str, list[float]] = {"SQLite": [], "PostgreSQL": []}
    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        for number in range(arguments.rounds):
            urls = {"SQLite": f"sqlite:///{folder}/{number}.db", "PostgreSQL": server.create_database()}
            for name, url in urls.items():
                seconds[name].append(_measure(name, url, arguments.people, arguments.processes))
    for name, taken in seconds.items():
        print(f"{name}: {min(taken):.2f} s in the quickest round, {judge(min(taken), at_most=TARGET)}")


def _measure(name: str, url: str, people: int, processes: int) -> float:
    applications = _prepare(url, people)
    ready = multiprocessing.Barrier(processes + 1)
    results = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=_work, args=(url, applications[share::processes], ready, results))
        for share in range(processes)
    ]
    for worker in workers:
        worker.start()
    server = find_server(url)
    ready.wait()
    before, begun = server_time(server), time.perf_counter()
    told = [results.get() for _ in workers]
    seconds = time.perf_counter() - begun
    for worker in workers:
        worker.join()
    outcomes = sum((counted for counted, _ in told), Counter())
    used = sum(taken for _, taken in told) + server_time(server) - before
    booked, double = _count(url)
    right = booked == outcomes["booked"] == min(people, PLACES * TIMES) and not double
    figures = f"{name:<12}{booked:>8}{outcomes['full']:>6}{double:>8}{outcomes['lost']:>12}{seconds:>9.2f}"
    figures += f"{used / CORES:>13.2f}"
    print(f"{figures}  {'right' if right else 'WRONG'}")
    if not right:
        raise SystemExit(1)
    return min(seconds, used / CORES)


def _prepare(url: str, people: int) -> list[tuple[int, uuid.UUID]]:
    engine = open_database(url)
    upgrade(engine)
    build_desk(engine, SITE)
    made = in_transaction(engine, lambda connection: [store_application(connection, one) for one in range(people)])
    engine.dispose()
    return list(enumerate(made))


def _work(
    url: str,
    people: list[tuple[int, uuid.UUID]],
    ready: Barrier,
    results: multiprocessing.Queue[tuple[Counter[str], float]],
) -> None:
    engine = open_database(url)
    desk = Desk(engine, load_rules("morocco").rules.appointments)
    outcomes: Counter[str] = Counter()
    with engine.connect():
        ready.wait()
    begun = time.process_time()
    for number, application in people:
        outcomes += _want(desk, number, application)
    results.put((outcomes, time.process_time() - begun))
    engine.dispose()


def _want(desk: Desk, number: int, application: uuid.UUID) -> Counter[str]:
    who, lost = applicant(number), 0
    while found := offer_times(desk, application, SITE["code"], MONDAY, 1, who, NOW):
        try:
            made = hold(desk, application, SITE["code"], found[0].slot, who, NOW)
        except EnrolmentError as refused:
            if refused.guard != "place-free":
                raise
            lost += 1
            continue
        book(desk, made.id, who, NOW)
        return Counter(booked=1, lost=lost)
    return Counter(full=1, lost=lost)


def _count(url: str) -> tuple[int, int]:
    """Appointments that are booked, and cells of places that more than one of them has."""
    engine = open_database(url)
    cell = (appointment_place.c.site, appointment_place.c.slot, appointment_place.c.place)
    twice = select(*cell).group_by(*cell).having(func.count() > 1).subquery()
    with engine.connect() as connection:
        booked = connection.execute(
            select(func.count()).select_from(appointment).where(appointment.c.state == "BOOKED")
        ).scalar_one()
        double = connection.execute(select(func.count()).select_from(twice)).scalar_one()
    engine.dispose()
    return booked, double


if __name__ == "__main__":
    main()
