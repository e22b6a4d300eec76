"""Workers that are killed with kill -9 at random, while work comes in: nothing is lost, nothing is done twice.

    python -m tests.load.kill_workers --kills 200 [--minutes 10] [--postgres | --database URL]

Each affair is two jobs. The first writes an audit row in a transaction that counts once, and causes the second, which
sends a message through the SMS gateway of the sandbox, over HTTP. Two worker processes run; one of them is killed at a
random moment and started again, under its old name or, every other time, a new one. In the end each affair has one row
and one message, nothing waits, nothing has failed, and the audit log under its signed heads is right.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from sqlalchemy import Connection, Engine, create_engine, text

from eid.audit.chain import AuditEvent
from eid.audit.tree_head import ALGORITHM
from eid.gateways.messages import Message
from eid.gateways.sandbox_sms import SmsSandbox, serve_sms
from eid.keystore.software import SoftwareSigner
from eid.services.audit.log import Sealer
from eid.services.audit.verification import verify_audit_log
from eid.services.durable.oversight import look_at_work
from eid.services.durable.work import Timer, Workshop, once, seal_heads
from eid.services.durable.worker import LEASE, locate_work_database, working
from eid.services.durable.workshop import open_workshop
from eid.services.settings import Settings, load_settings
from eid.store.audit import append_event, bucket_of, read_buckets, read_chain
from eid.store.database import in_transaction, open_database
from eid.store.outbox import Work, enqueue
from eid.store.schema_version import upgrade
from eid.store.types import new_id, new_id_like

TOKEN = "sandbox"
ORIGIN = "eid.invalid/audit"
NUMBER = "+212600000003"  # the sandbox takes a second for it, so that a kill meets work under way
KEY = "audit-key.pem"


def register(workshop: Workshop, work: Work) -> None:
    """The first job: one row, and the second job, in one transaction that counts once."""

    def effect(connection: Connection) -> None:
        now = workshop.now()
        told = AuditEvent(now, "system:worker", "affair.register", f"affair:{work.payload['affair']}", {})
        append_event(connection, bucket_of(work.id), told)
        enqueue(connection, Work(new_id_like(work.id, now), "send", work.payload, now))

    once(workshop, work, effect)


def send(workshop: Workshop, work: Work) -> None:
    """The second job: something that the database cannot undo."""
    workshop.sms.send(Message(str(work.payload["affair"]), NUMBER, "", "told", "en"))


HANDLERS = {"register": register, "send": send}
TIMERS = {"seal": Timer(every=LEASE / 15, run=seal_heads)}


def work_as(name: str) -> None:
    """What a worker process does."""
    settings = load_settings(os.environ)
    engine = open_database(settings.database_url)
    sealer = Sealer(engine, load_key(settings.home), ORIGIN)
    with working(open_workshop(settings, engine, sealer=sealer), name, handlers=HANDLERS, timers=TIMERS) as worker:
        (settings.home / f"ready-{os.getpid()}").touch()
        worker.run(threading.Event())


def bear_workers() -> None:
    """What the nursery does: for each name on standard input a worker is forked, which has all modules loaded already.

    Its process number goes to standard output. Nobody has to wait for the dead.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        born = os.fork()
        if born == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            work_as(line.strip())
            os._exit(0)
        print(born, flush=True)


def load_key(home: Path) -> SoftwareSigner:
    key = load_pem_private_key((home / KEY).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return SoftwareSigner("audit", key, ALGORITHM)


@dataclass
class Tally:
    """What a run did."""

    affairs: int = 0
    kills: int = 0
    in_flight: int = 0  # kills at which the worker had begun jobs
    jobs_in_flight: int = 0  # in groups, as the engine counts them
    verified: str = ""
    findings: list[str] = field(default_factory=list)


class Run:
    """One run: a database, two workers, somebody who causes work, somebody who kills."""

    def __init__(self, settings: Settings, sms: SmsSandbox, address: str, seed: int) -> None:
        self.settings, self.sms, self.random, self.tally = settings, sms, random.Random(seed), Tally()
        (settings.home / "token").write_text(TOKEN + "\n")
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (settings.home / KEY).write_bytes(pem)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("EID_")},
            "EID_HOME": str(settings.home),
            "EID_DATABASE": settings.database,
            "EID_SMS": address,
            "EID_SMS_TOKEN_FILE": str(settings.home / "token"),
        }
        self.engine: Engine = open_database(settings.database_url)
        upgrade(self.engine)
        self.workers: dict[str, int] = {}  # process numbers
        self.incarnations = Counter[int]()
        command = [sys.executable, "-m", "tests.load.kill_workers", "--bear-workers"]
        with (settings.home / "workers.log").open("a") as log:
            self.nursery = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def start(self, place: int) -> None:
        """Start a worker: of every two in a place the second has the name of the first."""
        name = f"w{place}-{self.incarnations[place] // 2}"
        self.incarnations[place] += 1
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        print(name, file=self.nursery.stdin, flush=True)
        self.workers[name] = int(self.nursery.stdout.readline())

    def kill(self, name: str) -> None:
        """End a worker as a power cut would, and note what it had begun."""
        _end(self.workers.pop(name))
        begun = self.count_begun(name)
        self.tally.kills += 1
        self.tally.in_flight += begun > 0
        self.tally.jobs_in_flight += begun

    def count_begun(self, name: str) -> int:
        """How many groups of jobs the engine holds to be under way in a worker."""
        engine = create_engine(locate_work_database(self.settings))
        schema = "" if engine.dialect.name == "sqlite" else "eid_work."
        begun = f"SELECT count(*) FROM {schema}workflow_status WHERE status = 'PENDING' AND executor_id = :executor"
        try:
            with engine.connect() as connection:
                return int(connection.execute(text(begun), {"executor": name}).scalar_one())
        finally:
            engine.dispose()

    def cause(self, affairs: int) -> None:
        """Cause work: some affairs in one transaction."""

        def work(connection: Connection) -> None:
            now = datetime.now(UTC)
            for _ in range(affairs):
                self.tally.affairs += 1
                enqueue(connection, Work(new_id(now), "register", {"affair": self.tally.affairs}, now))

        before = self.tally.affairs
        try:
            in_transaction(self.engine, work, attempts=40)
        except BaseException:
            self.tally.affairs = before
            raise

    def kill_at_random(self, kills: int, pause: tuple[float, float], batch: int, until: float) -> None:
        """Cause work and kill workers in turns, so often, or until a moment of the monotonic clock."""
        for place in (0, 1):
            self.start(place)
            self.await_ready()
        while self.tally.kills < kills and time.monotonic() < until:
            self.cause(batch)
            time.sleep(self.random.uniform(*pause))
            name = self.random.choice(self.await_ready())
            self.kill(name)
            self.start(int(name[1]))

    def await_ready(self) -> list[str]:
        """The workers that are at work; at least one."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            home = self.settings.home
            if found := [name for name, it in self.workers.items() if (home / f"ready-{it}").exists()]:
                return sorted(found)
            time.sleep(0.1)
        raise TimeoutError((self.settings.home / "workers.log").read_text()[-4000:])

    def settle(self, seconds: float) -> None:
        """Wait until all is done, or nothing more has been for so long."""
        sent, end = -1, time.monotonic() + seconds
        while time.monotonic() < end and not self.is_done():
            with self.sms.lock:
                now_sent = len(self.sms.messages)
            if now_sent != sent:
                sent, end = now_sent, time.monotonic() + seconds
            time.sleep(0.5)
        time.sleep(2)  # whatever would be done twice is done now

    def is_done(self) -> bool:
        """Whether each affair has its message, and nothing waits."""
        with self.sms.lock:
            sent = len(self.sms.messages)
        return sent >= self.tally.affairs and look_at_work(self.engine, datetime.now(UTC)).waiting == 0

    def end(self) -> None:
        """End the workers, and who bears them."""
        while self.workers:
            _end(self.workers.popitem()[1])
        with self.nursery:  # its pipes are closed, and it is waited for
            self.nursery.kill()

    def examine(self) -> Tally:
        """Stop the workers and look whether anything was lost or doubled."""
        self.end()
        Sealer(self.engine, load_key(self.settings.home), ORIGIN).seal(datetime.now(UTC))
        with self.engine.connect() as connection:
            rows = [row.event.subject for bucket in read_buckets(connection) for row in read_chain(connection, bucket)]
        wanted = {f"affair:{number}" for number in range(1, self.tally.affairs + 1)}
        state = look_at_work(self.engine, datetime.now(UTC))
        messages = {f"affair:{key}" for key in self.sms.messages}
        for what, count in (
            ("affairs lost", len(wanted - set(rows))),
            ("affairs done twice", len(rows) - len(set(rows))),
            ("messages lost", len(wanted - messages)),
            ("messages that nobody asked for", len(messages - wanted)),
            ("work left in the outbox", state.waiting),
            ("work that failed", len(state.failures)),
        ):
            if count:
                self.tally.findings.append(f"{what}: {count}")
        key = load_key(self.settings.home).public_key_info
        report = verify_audit_log(self.engine, ORIGIN, key, self.settings.heads_directory)
        self.tally.findings += [item.what for item in report.findings]
        self.tally.verified = f"audit log: {report.rows} rows verified under {report.heads} signed heads"
        if report.sealed != self.tally.affairs:
            self.tally.findings.append(f"rows under a signed head: {report.sealed}")
        return self.tally


def _end(process: int) -> None:
    """Kill a worker and wait until it is gone; the nursery buries it."""
    os.kill(process, signal.SIGKILL)
    while Path(f"/proc/{process}").exists():
        time.sleep(0.01)


def run(
    kills: int,
    *,
    home: Path,
    seed: int,
    pause: tuple[float, float],
    batch: int,
    database: str = "",
    seconds: float = 3600.0,
) -> Tally:
    """Kill so often, at intervals of `pause` seconds, with `batch` affairs caused before each; what came of it."""
    with serve_sms(TOKEN) as (sms, address):
        course = Run(Settings(home=home, database=database), sms, address, seed)
        try:
            course.kill_at_random(kills, pause, batch, time.monotonic() + seconds)
            course.settle(60 + 3 * LEASE.total_seconds())
            return course.examine()
        finally:
            course.end()
            course.engine.dispose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database", default="", help="SQLAlchemy URL; SQLite in a directory of its own without it")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL server for the run")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--pause", type=float, nargs=2, default=(0.5, 5.5), metavar=("FROM", "TO"))
    parser.add_argument("--batch", type=int, default=40, help="affairs caused before each kill")
    parser.add_argument("--minutes", type=float, default=60.0, help="end after so many minutes of killing")
    parser.add_argument("--bear-workers", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bear_workers:
        bear_workers()
        return 0
    with tempfile.TemporaryDirectory(prefix="eid-kill-") as folder:
        options = {"home": Path(folder), "seed": given.seed, "pause": tuple(given.pause), "batch": given.batch}
        options["seconds"] = 60 * given.minutes
        started = time.monotonic()
        if given.postgres:
            from tests.builders.postgres import postgres_server

            with postgres_server() as server:
                tally = run(given.kills, database=server.create_database(), **options)
        else:
            tally = run(given.kills, database=given.database, **options)
        print(
            f"seed {given.seed}: {tally.kills} kills in {time.monotonic() - started:.0f} s, {tally.in_flight} of them"
            f" with work in flight ({tally.jobs_in_flight} groups of jobs); {tally.affairs} affairs of two jobs"
        )
        for finding in tally.findings:
            print(f"- {finding}")
        print(tally.verified)
        print("nothing lost, nothing doubled, nothing left over" if not tally.findings else "FAILED")
        if tally.findings:
            print((Path(folder) / "workers.log").read_text()[-4000:], file=sys.stderr)
        return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
