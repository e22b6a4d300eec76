"""Workers that are killed with kill -9 at random, while an office works: nothing is lost, nothing is doubled.

    python -m tests.load.kill_workers --kills 200 [--seconds 480] [--postgres | --database URL]

People buy stamps, pay, apply, come, are approved, get a card and lose it (`tests.load.affairs`), through the services.
Two worker processes do what that causes: messages, searches, stamps consumed and released, refunds, blanks, heads of
the audit log, status lists. One of them is killed at a random moment and started again, under its old name or, every
other time, a new one. The clock sets the pace: the kills are spread over the seconds, whatever else the machine does.
In the end `eid audit seal`, `eid status publish` and `eid audit verify` are run as an operator would, and the books
must be right (`tests.load.books`).
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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, column, create_engine, func, select, table

from eid.audit.tree_head import ALGORITHM
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.abis.server import serve_sandbox as serve_abis
from eid.gateways.sandbox_sms import SmsSandbox, serve_sms
from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.ports import Signer
from eid.keystore.software import SoftwareKeyStore
from eid.services.audit.log import LABEL, RECORD, Sealer, make_audit_key
from eid.services.card.status_lists import PublicationTerms, StatusPublisher, StatusSigner
from eid.services.durable.handlers import TIMERS
from eid.services.durable.oversight import look_at_work
from eid.services.durable.worker import locate_work_database, working
from eid.services.durable.workshop import open_workshop
from eid.services.pki.authority import KEYS as AUTHORITY_KEYS
from eid.services.pki.authority import IssuingAuthority, open_authority
from eid.services.pki.authority_creation import create_authority
from eid.services.reading.station_key import KEYS
from eid.services.registry import load_keys
from eid.services.settings import Settings, load_settings
from eid.store.database import in_transaction, open_database
from eid.store.schema_version import upgrade
from eid.store.signature_record import SignatureRecord
from tests.load import deaths
from tests.load.affairs import open_office
from tests.load.books import count_what_is_caused, examine, examine_publications, read_caused

TOKEN = "sandbox"
PASSPHRASE = "open sesame"
CHEAP = ScryptCost(n=16)
PRODUCT = "ma-cnie"
REST = timedelta(seconds=3)
BUSY = {"seal": timedelta(seconds=2), "status": timedelta(seconds=3)}  # so that kills meet them
CLERKS = 14  # affairs at once
PACE = 2.4  # seconds for each kill: 200 in eight minutes, and time to settle within ten
LIVELY = 60.0  # seconds without anything happening, after which nothing is waited for
WAITING = ("ENQUEUED", "PENDING", "DELAYED")


# --- the workers


def bear_workers() -> None:
    """What the nursery does: for each name on standard input a worker is forked, which has all modules loaded already.

    Its process number goes to standard output. Nobody has to wait for the dead. Behind the name may stand at which
    moment it is to die (`tests.load.deaths`).
    """
    settings = load_settings(os.environ)
    signer = SoftwareKeyStore(settings.home / KEYS, PASSPHRASE.encode()).load(LABEL, ALGORITHM)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        born = os.fork()
        if born == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            name, apart, moment = line.strip().partition(" ")
            if apart:
                deaths.hurry()
            if moment in deaths.MOMENTS:
                deaths.arrange(moment)
            _work_as(name, settings, signer)
            os._exit(0)
        print(born, flush=True)


def _work_as(name: str, settings: Settings, signer: Signer) -> None:
    """What a worker process does; in all but its hurry as `eid worker run --authority`."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    engine = open_database(settings.database_url)
    sealer = Sealer(engine, signer, settings.audit_origin, SignatureRecord(settings.home / RECORD))
    authority = _open_authority(settings.home)
    publisher = StatusPublisher(
        engine,
        lambda now: StatusSigner(*authority.status_signer(now)),
        PublicationTerms(rest=REST),
        settings.home / "www",
    )
    workshop = open_workshop(settings, engine, sealer=sealer, publisher=publisher)
    timers = {kind: replace(timer, every=BUSY.get(kind, timer.every)) for kind, timer in TIMERS.items()}
    with working(workshop, name, timers=timers) as worker:
        (settings.home / f"ready-{os.getpid()}").touch()
        worker.run(threading.Event())


def _end_with(parent: int) -> None:
    """No worker outlives the run."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _open_authority(home: Path) -> IssuingAuthority:
    return open_authority(home / "pki", _authority_keys(home), "kill_workers")


def _authority_keys(home: Path) -> SoftwareKeyStore:
    return SoftwareKeyStore(home / "pki" / AUTHORITY_KEYS, PASSPHRASE.encode(), cost=CHEAP)


@dataclass
class Tally:
    """What a run did."""

    affairs: int = 0
    kills: int = 0
    seconds: float = 0.0  # from the first kill to the last
    in_flight: int = 0  # kills at which the worker had begun jobs
    groups_in_flight: int = 0  # of jobs, as the engine counts them
    jobs: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)  # by the commands at the end
    findings: list[str] = field(default_factory=list)


@dataclass
class Workers:
    """Two workers, and whoever kills them."""

    settings: Settings
    nursery: subprocess.Popen[str]
    chance: random.Random
    tally: Tally
    alive: dict[str, int] = field(default_factory=dict)  # process numbers
    incarnations: Counter[int] = field(default_factory=Counter)

    def start(self, place: int) -> None:
        """Start a worker: of every two in a place the second has the name of the first."""
        name = f"w{place}-{self.incarnations[place] // 2}"
        self.incarnations[place] += 1
        self.bear(name, name)

    def bear(self, name: str, line: str) -> None:
        """Have the nursery bear a worker, which is known here by a name."""
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        print(line, file=self.nursery.stdin, flush=True)
        self.alive[name] = int(self.nursery.stdout.readline())

    def kill_at_random(self, kills: int, seconds: float) -> None:
        """Kill so often, spread over so many seconds: each kill has its share of them, and a random moment in it."""
        begun = time.monotonic()
        for number in range(kills):
            due = begun + (number + self.chance.random()) * seconds / kills
            time.sleep(max(0.0, due - time.monotonic()))
            name = self.chance.choice(self.await_ready())
            self.kill(name)
            self.start(int(name[1]))
        self.tally.seconds = time.monotonic() - begun

    def kill(self, name: str) -> None:
        """End a worker as a power cut would, and note what it had begun."""
        _end(self.alive.pop(name))
        begun = count_jobs(self.settings, ("PENDING",), name)
        self.tally.kills += 1
        self.tally.in_flight += begun > 0
        self.tally.groups_in_flight += begun

    def await_ready(self) -> list[str]:
        """The workers that are at work; at least one."""
        end, home = time.monotonic() + 60, self.settings.home
        while time.monotonic() < end:
            if found := [name for name, it in self.alive.items() if (home / f"ready-{it}").exists()]:
                return sorted(found)
            time.sleep(0.05)
        raise TimeoutError(_log(home))

    def end(self) -> None:
        """End them all, and who bears them."""
        while self.alive:
            _end(self.alive.popitem()[1])
        with self.nursery:  # its pipes are closed, and it is waited for
            self.nursery.kill()


def count_jobs(settings: Settings, states: tuple[str, ...], executor: str | None = None) -> int:
    """How many groups of jobs the engine has in these states, of one worker or of all."""
    engine = create_engine(locate_work_database(settings))
    schema = None if engine.dialect.name == "sqlite" else "eid_work"
    jobs = table("workflow_status", column("status"), column("executor_id"), schema=schema)
    asked = select(func.count()).select_from(jobs).where(jobs.c.status.in_(states))
    if executor is not None:
        asked = asked.where(jobs.c.executor_id == executor)
    try:
        with engine.connect() as connection:
            return connection.execute(asked).scalar_one()
    finally:
        engine.dispose()


# --- the run


def run(kills: int, *, home: Path, seed: int, seconds: float, database: str = "") -> Tally:
    """Kill so often within so many seconds while an office works; what came of it."""
    tally = Tally()
    with open_world(home, database) as (settings, engine, sms, environment):
        nursery = start_nursery(home, environment)
        workers = Workers(settings, nursery, random.Random(seed), tally)
        with open_office(settings, engine, sms, seed, blanks=20 * kills + 500) as office:
            until = time.monotonic() + seconds
            clerks = [threading.Thread(target=office.work, args=(until,), name="clerk") for _ in range(CLERKS)]
            try:
                for place in (0, 1):
                    workers.start(place)
                workers.await_ready()
                for clerk in clerks:
                    clerk.start()
                workers.kill_at_random(kills, seconds)
                for clerk in clerks:
                    clerk.join()
                tally.findings += _settle(settings, engine)
            finally:
                office.stopped.set()
                workers.end()
            _close(settings, environment, tally)
            tally.affairs = len(office.begun)
            tally.findings += _pace(tally)
            tally.findings += [*examine(office), *examine_publications(engine, home / "www")]
            with engine.connect() as connection:
                tally.jobs = Counter(read_caused(connection).values())
    return tally


@contextmanager
def open_world(home: Path, database: str) -> Iterator[tuple[Settings, Engine, SmsSandbox, dict[str, str]]]:
    """Database, keys, authority, and the gateways that are there besides the till."""
    (home / "token").write_text(TOKEN + "\n")
    (home / "passphrase").write_text(PASSPHRASE + "\n")
    for folder in ("www", "pki"):
        (home / folder).mkdir()
    with ExitStack() as stack:
        sms, address = stack.enter_context(serve_sms(TOKEN))
        abis = stack.enter_context(serve_abis(SandboxAbis()))
        told = {
            "EID_HOME": str(home),
            "EID_DATABASE": database,
            "EID_SMS": address,
            "EID_SMS_TOKEN_FILE": str(home / "token"),
            "EID_ABIS": f"http://127.0.0.1:{abis.port}",
            "EID_PASSPHRASE_FILE": str(home / "passphrase"),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EID_")}
        settings = load_settings(told)
        engine = open_database(settings.database_url)
        stack.callback(engine.dispose)
        upgrade(engine)
        in_transaction(engine, count_what_is_caused)
        load_keys(settings)
        make_audit_key(settings, SoftwareKeyStore(home / KEYS, PASSPHRASE.encode(), cost=CHEAP))
        create_authority(home / "pki", PRODUCT, _authority_keys(home), datetime.now(UTC).replace(microsecond=0))
        yield settings, engine, sms, inherited | told


def start_nursery(home: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.load.kill_workers", "--bear-workers"]
    with (home / "workers.log").open("a") as log:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        return subprocess.Popen(command, env=environment, text=True, **pipes)  # type: ignore[call-overload, no-any-return]  # pipes by name


def _settle(settings: Settings, engine: Engine) -> list[str]:
    """Wait until nothing is left to do; what is wrong where nothing more happens before that."""
    left, end = -1, time.monotonic() + LIVELY
    while time.monotonic() < end:
        now_left = look_at_work(engine, datetime.now(UTC)).waiting + count_jobs(settings, WAITING)
        if not now_left:
            failed = count_jobs(settings, ("ERROR",))
            return [f"groups of jobs that ended in an error: {failed}"] if failed else []
        if now_left != left:
            left, end = now_left, time.monotonic() + LIVELY
        time.sleep(0.5)
    return [f"groups of jobs that nobody has done: {left}"]


def _pace(tally: Tally) -> list[str]:
    """A long run proves something only where it is busy: a quarter of the kills with work in flight, in ten minutes."""
    if tally.kills < 100 or (4 * tally.in_flight >= tally.kills and tally.seconds <= 600):
        return []
    return [f"only {tally.in_flight} kills met work in flight, in {tally.seconds:.0f} s"]


def _close(settings: Settings, environment: dict[str, str], tally: Tally) -> None:
    """What an operator does at the end: the last rows are sealed, the last changes published, the log verified."""
    publish = ("status", "publish", "--due", "--dir", settings.home / "pki", "--out", settings.home / "www")
    verify = ("audit", "verify", "--heads", settings.heads_directory)
    for words in (("audit", "seal"), publish, verify):
        command = [str(Path(sys.executable).with_name("eid")), *map(str, words)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        tally.said.append(f"$ eid {' '.join(map(str, words[:2]))}\n{done.stdout.rstrip()}")
        if done.returncode:
            tally.findings.append(f"eid {words[0]} {words[1]} ended with {done.returncode}: {done.stderr[-1000:]}")


def _end(process: int) -> None:
    """Kill a worker and wait until it is gone; the nursery buries it."""
    os.kill(process, signal.SIGKILL)
    while Path(f"/proc/{process}").exists():
        time.sleep(0.01)


def _log(home: Path) -> str:
    return (home / "workers.log").read_text()[-4000:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=0.0, help="for the kills; 2.4 for each of them without it")
    parser.add_argument("--database", default="", help="SQLAlchemy URL; SQLite in a directory of its own without it")
    parser.add_argument("--postgres", action="store_true", help="start a PostgreSQL server for the run")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--bear-workers", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bear_workers:
        bear_workers()
        return 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="eid-kill-") as folder, ExitStack() as stack:
        database = given.database
        if given.postgres:
            from tests.builders.postgres import postgres_server

            database = stack.enter_context(postgres_server()).create_database()
        home = Path(folder)
        seconds = given.seconds or PACE * given.kills
        tally = run(given.kills, home=home, seed=given.seed, seconds=seconds, database=database)
        _tell(tally, given.seed, time.monotonic() - begun)
        if tally.findings:
            print(_log(home), file=sys.stderr)
    return 1 if tally.findings else 0


def _tell(tally: Tally, seed: int, seconds: float) -> None:
    print(
        f"seed {seed}: {tally.kills} kills in {tally.seconds:.0f} s, {tally.in_flight} of them with work in flight"
        f" ({tally.groups_in_flight} groups of jobs); {tally.affairs} affairs; {seconds:.0f} s in all"
    )
    print("jobs: " + ", ".join(f"{number} {kind}" for kind, number in tally.jobs.most_common()))
    print("\n".join(tally.said))
    for finding in tally.findings:
        print(f"- {finding}")
    print("nothing lost, nothing doubled, nothing left over" if not tally.findings else "FAILED")


if __name__ == "__main__":
    sys.exit(main())
