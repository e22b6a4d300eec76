"""Audited transitions a second, the work that they cause done: applications on their way, on SQLite and PostgreSQL.

Invented people apply, order a stamp, pay it, enter it, submit, are validated, hold a place, book it, come: calls of the
services, each in transactions of its own, durable at the end of each (PostgreSQL with fsync, SQLite with synchronous
FULL). A worker process does meanwhile what `eid worker run` does: it tells people, brings applications into line with
appointments, signs heads of the audit log. A transition is a row of the audit log that tells of a new state. The time
runs from the first call until the last of the work is done.

*undisturbed* is what two free cores would give, by processor time: all that clients, worker and server used, over two;
other programs spoil only the clock on the wall. The second table paces the calls to half the target and tells how long
one takes, counted from when it was due.

Usage: load_transitions.py [--lives N] [--clients N] [--database sqlite|postgresql] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import os
import pstats
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from statistics import quantiles

from _measure import judge
from _postgres_time import find_server, server_time
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, Engine, create_engine, func, select, text

sys.path.append(str(Path(__file__).parents[1]))  # behind all else: the server and the applications of the tests

from eid.audit.tree_head import ALGORITHM
from eid.enrolment.payment import Channel
from eid.enrolment.roles import Actor, Role
from eid.enrolment.rules import load_rules
from eid.enrolment.wall_time import WallTime
from eid.keystore.software import SoftwareSigner
from eid.services.application import acts, review, views
from eid.services.appointment import appointments
from eid.services.appointment.desk import Desk
from eid.services.audit.log import Sealer
from eid.services.durable.oversight import look_at_work
from eid.services.durable.worker import locate_work_database, working
from eid.services.durable.workshop import open_workshop
from eid.services.payment.payments import PaymentDesk
from eid.services.registry import load_keys
from eid.services.settings import Settings
from eid.services.stamp import spending
from eid.services.stamp.stamps import StampOffice, StampOrder
from eid.store.database import in_transaction, open_database
from eid.store.documents import StoredDocument, insert_document
from eid.store.schema_version import upgrade
from eid.store.tables import audit_row
from eid.store.types import new_id_like
from tests.builders.applicants import VALIDATOR, applicant_record, begin_application
from tests.builders.booking import RABAT, build_desk, officer
from tests.builders.postgres import postgres_server
from tests.builders.stamps import BookkeepingChannel, Till

CORES = 2
TARGETS = {"postgresql": 174, "sqlite": 120}
LONGEST = 0.1  # seconds, p99 at half the target
SITES = 16
PLACES = 20
EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
FIRST_HOUR = 9
SLOTS = 32  # a quarter of an hour each
WARM_UP = 4  # lives of each client that do not count


@dataclass
class Clerk:
    """All that a life needs, in one client process."""

    engine: Engine
    desk: Desk
    till: Till
    tomorrow: date

    def life(self, number: int) -> Iterator[object]:
        """One person's way from the first click to the counter; each step is one call, made when it is asked for."""
        me, now = Actor(f"applicant-{number}", frozenset((Role.APPLICANT,))), datetime.now(UTC)
        record = applicant_record(personal_number=f"ZZ{100_000 + number}")
        application = begin_application(self.engine, now, me, record=record)
        yield application
        assert record.born is not None
        stamp = self.till.order(StampOrder("card", record.born, "+212600000001", "fr"), me)
        yield stamp
        payment = self.till.request(stamp, actor=me)
        yield payment
        yield self.till.tell(payment)
        digits = self.till.digits(stamp)
        yield spending.enter_stamp(self.till.office, application.id, digits, me, now)
        papers = views.requirements(self.engine, application.id, me, now).papers
        in_transaction(self.engine, lambda connection: self._file(connection, application.id, papers, now))
        yield acts.submit(self.engine, application.id, me, now)
        yield acts.take_up(self.engine, application.id, VALIDATOR, now)
        yield review.validate(self.engine, application.id, VALIDATOR, now)
        site, slot = self._place(number)
        held = appointments.hold(self.desk, application.id, site, slot, me, now)
        yield held
        yield appointments.book(self.desk, held.id, me, now)
        yield appointments.check_in(self.desk, held.id, officer(site), held.starts_at)

    def _place(self, number: int) -> tuple[str, WallTime]:
        """A time of its own for each place, the sites in turn."""
        site, rest = number % SITES, number // SITES
        slot, day = rest // PLACES % SLOTS, rest // PLACES // SLOTS
        minutes = FIRST_HOUR * 60 + 15 * slot
        return f"site-{site}", WallTime(self.tomorrow + timedelta(days=day), minutes)

    def _file(self, connection: Connection, application: uuid.UUID, papers: tuple[str, ...], now: datetime) -> None:
        """The rows of papers; looking into files is not what is measured here."""
        for code in papers:
            one = new_id_like(application, now)
            insert_document(
                connection,
                StoredDocument(
                    one, application, code, "KEPT", now.date(), "application/pdf", 1000, 1, one.hex, "me", now
                ),
            )


def main() -> None:
    """Print two tables, and whether the targets were met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lives", type=int, default=200)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--profile", action="store_true", help="where one client and the worker spend their time")
    arguments = parser.parse_args()
    kinds = arguments.database or ["sqlite", "postgresql"]
    for kind in kinds:
        for pace in (None, TARGETS[kind] / 2):
            with tempfile.TemporaryDirectory(prefix="eid-load-") as folder, _database(kind, folder) as url:
                _Run(kind, Path(folder), url, arguments).measure(pace)


@contextmanager
def _database(kind: str, folder: str) -> Iterator[str]:
    """The URL of an empty database of a kind, which outlives power cuts."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/eid.db"
        return
    with postgres_server(durable=True) as server:
        yield server.create_database()


class _Run:
    """One measurement: a database, a worker, clients."""

    def __init__(self, kind: str, home: Path, url: str, arguments: argparse.Namespace) -> None:
        self.kind, self.url, self.arguments = kind, url, arguments
        self.settings = Settings(home=home, database=url)
        self.engine = open_database(url)
        upgrade(self.engine)
        load_keys(self.settings)
        hours = [{"days": EVERY_DAY, "from": "09:00", "until": "17:00"}]
        sites = ({**RABAT, "code": f"site-{number}", "places": PLACES, "hours": hours} for number in range(SITES))
        build_desk(self.engine, *sites, now=datetime.now(UTC))

    def measure(self, pace: float | None) -> None:
        """pace: transitions a second, None for as many as possible."""
        ready, stop, clients = multiprocessing.Event(), multiprocessing.Event(), self.arguments.clients
        worker = multiprocessing.Process(target=_work, args=(self.settings, ready, stop), daemon=True)
        worker.start()
        ready.wait()
        barrier = multiprocessing.Barrier(clients + 1)
        results: multiprocessing.Queue[tuple[list[float], float]] = multiprocessing.Queue()
        people = [
            multiprocessing.Process(
                target=_apply, args=(self.settings, number, self.arguments, pace, barrier, results), daemon=True
            )
            for number in range(clients)
        ]
        for one in people:
            one.start()
        barrier.wait(60)  # warm
        self._drain()
        before, used = self._count(), self._time(worker.pid)
        server = server_time(find_server(self.url))
        begun = time.perf_counter()
        barrier.wait(60)
        told = [results.get(timeout=180) for _ in people]
        asked = time.perf_counter() - begun
        self._drain()
        seconds = time.perf_counter() - begun
        cpu = {
            "clients": sum(cpu for _, cpu in told),
            "worker": self._time(worker.pid) - used,
            "server": server_time(find_server(self.url)) - server,
        }
        made, jobs = (after - earlier for after, earlier in zip(self._count(), before, strict=True))
        for one in people:
            one.join()
        stop.set()
        worker.join()
        failures = look_at_work(self.engine, datetime.now(UTC)).failures
        if failures:
            raise SystemExit(f"{len(failures)} pieces of work failed: {failures[0].why}")
        self._tell(pace, made, jobs, asked, seconds, cpu, sorted(taken for taken_all, _ in told for taken in taken_all))
        self.engine.dispose()

    def _tell(
        self,
        pace: float | None,
        made: int,
        jobs: int,
        asked: float,
        seconds: float,
        cpu: dict[str, float],
        latencies: list[float],
    ) -> None:
        total, target = sum(cpu.values()), TARGETS[self.kind]
        shares = ", ".join(f"{who} {1000 * spent / made:.2f}" for who, spent in cpu.items())
        print(
            f"{self.kind}: {made} transitions and {jobs} jobs in {seconds:.1f} s ({asked:.1f} s until the last call);"
            f" ms of processor for a transition: {1000 * total / made:.2f} ({shares})"
        )
        p50, p99 = (quantiles(latencies, n=100)[at] for at in (49, 98))
        if pace is None:
            rate, undisturbed = made / seconds, made * CORES / total
            best = rate if self.kind == "sqlite" else max(rate, undisturbed)  # one writer at a time: cores are no help
            verdict = judge(best, at_least=target)
            print(f"  {rate:.0f}/s by the clock, {undisturbed:.0f}/s undisturbed, {verdict}")
        else:
            verdict = judge(p99, at_most=LONGEST)
            print(f"  at {made / asked:.0f}/s: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, {verdict}")

    def _drain(self) -> None:
        """Wait until nothing is left to do."""
        engine = create_engine(locate_work_database(self.settings))
        schema = "" if engine.dialect.name == "sqlite" else "eid_work."
        left = text(f"SELECT count(*) FROM {schema}workflow_status WHERE status IN ('ENQUEUED', 'PENDING', 'DELAYED')")
        end = time.monotonic() + 120
        while time.monotonic() < end:
            waits = look_at_work(self.engine, datetime.now(UTC)).waiting
            with engine.connect() as connection:
                if not waits and not connection.execute(left).scalar_one():
                    engine.dispose()
                    return
            time.sleep(0.05)
        raise SystemExit("the work was not done within two minutes")

    def _count(self) -> tuple[int, int]:
        """Rows of the audit log that tell of a state; jobs in the engine."""
        work = create_engine(locate_work_database(self.settings))
        schema = "" if work.dialect.name == "sqlite" else "eid_work."
        with self.engine.connect() as connection, work.connect() as other:
            made = connection.execute(
                select(func.count()).select_from(audit_row).where(audit_row.c.detail["to"].as_string().isnot(None))
            )
            jobs = other.execute(text(f"SELECT count(*) FROM {schema}workflow_status"))
            counted = made.scalar_one(), jobs.scalar_one()
        work.dispose()
        return counted

    def _time(self, process: int | None) -> float:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _apply(
    settings: Settings,
    client: int,
    arguments: argparse.Namespace,
    pace: float | None,
    barrier: Barrier,
    results: multiprocessing.Queue[tuple[list[float], float]],
) -> None:
    """One client process: a share of the lives, one after the other."""
    engine = open_database(settings.database_url)
    rules = load_rules("morocco").rules
    office = StampOffice(engine, rules, load_keys(settings))
    till = Till(engine, PaymentDesk(office, {name: BookkeepingChannel(name) for name in Channel}), datetime.now(UTC))
    clerk = Clerk(engine, Desk(engine, rules.appointments), till, (datetime.now(UTC) + timedelta(days=2)).date())
    numbers = range(client, arguments.lives + WARM_UP * arguments.clients, arguments.clients)
    for number in numbers[:WARM_UP]:
        for _ in clerk.life(number):
            pass
    barrier.wait(60)
    barrier.wait(60)
    profile = cProfile.Profile() if arguments.profile and client == 0 and pace is None else None
    begun_cpu, due, taken = time.process_time(), time.perf_counter(), []
    calls_per_transition = 11 / 14
    pause = None if pace is None else arguments.clients / (pace * calls_per_transition)
    if profile:
        profile.enable()
    for number in numbers[WARM_UP:]:
        life = clerk.life(number)
        while True:
            if pause is not None:
                due += pause
                time.sleep(max(0.0, due - time.perf_counter()))
            begun = time.perf_counter() if pause is None else due
            if next(life, None) is None:
                break
            taken.append(time.perf_counter() - begun)
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        pstats.Stats(profile).sort_stats("cumtime").print_stats(70)
    results.put((taken, time.process_time() - begun_cpu))
    engine.dispose()


def _work(settings: Settings, ready: Event, stop: Event) -> None:
    """The worker process."""
    engine = open_database(settings.database_url)
    key = SoftwareSigner("audit", ec.generate_private_key(ec.SECP256R1()), ALGORITHM)
    sealer = Sealer(engine, key, "eid.invalid/audit")
    ending = threading.Event()
    with working(open_workshop(settings, engine, sealer=sealer), "load") as worker:
        threading.Thread(target=_pass_on, args=(stop, ending), daemon=True).start()
        ready.set()
        worker.run(ending)


def _pass_on(stop: Event, ending: threading.Event) -> None:
    stop.wait()
    ending.set()


if __name__ == "__main__":
    main()
