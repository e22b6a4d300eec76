"""A worker process: takes work out of the outbox, does it, and looks after workers that died.

Any number of workers may run on one database, on any machines whose clocks agree within seconds. Each holds a lease on
its name; a worker whose lease has run out is dead to the others, who put what it had begun back on the queue. One that
finds its own lease taken ends at once. One worker at a time relays the outbox, and one takes each turn of a timer. Each
does the work that it can: what needs a key that it has not waits on a queue of its own for another worker.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from eid.errors import EidError, StoreError
from eid.gateways.work import CONCURRENCY, DbosEngine, dbos_engine
from eid.services.durable.handlers import HANDLERS, TIMERS
from eid.services.durable.oversight import WORKER, describe_holder
from eid.services.durable.relay import AT_ONCE, perform_job, relay
from eid.services.durable.work import Capability, Handler, Timer, Workshop
from eid.services.settings import Settings
from eid.store.database import in_transaction, open_database, reading
from eid.store.outbox import count_waiting
from eid.store.work_records import (
    Lease,
    forget_done,
    hold_lease,
    list_failures,
    list_leases,
    release_lease,
    renew_lease,
    take_turn,
)

T = TypeVar("T")
LEASE: Final = timedelta(seconds=15)  # how long a worker may be silent
BEAT: Final = 5.0  # seconds between signs of life
TICK: Final = 0.2  # seconds between looks into the outbox
RELAY: Final = "relay"
RELAY_LEASE: Final = timedelta(seconds=5)
LOOK: Final = 1.0  # seconds between looks at the timers
KEPT: Final = timedelta(days=7)  # finished jobs in the engine
MARKED: Final = timedelta(days=90)  # marks of effects that count once; longer than any job can be repeated
TIDYING: Final = timedelta(hours=1)
_TIMER: Final = "timer:"
_UNKNOWN: Final = "unknown"
log: Final = logging.getLogger("eid.worker")


def locate_work_database(settings: Settings) -> str:
    """The URL of the engine's own database: the same PostgreSQL, another file beside SQLite's."""
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return settings.database_url
    path = Path(url.database)
    return url.set(database=str(path.with_name(f"{path.stem}.work{path.suffix}"))).render_as_string(hide_password=False)


@dataclass(slots=True)
class Worker:
    """One worker. name: used by no other at the same time. Make one with `working`."""

    workshop: Workshop
    engine: DbosEngine
    name: str
    timers: Mapping[str, Timer]
    token: str
    lost: threading.Event = field(default_factory=threading.Event)
    _relay_until: float = 0.0
    _looked_at: float = 0.0
    _tidied_at: float = 0.0

    def run(self, stop: threading.Event, *, until_idle: bool = False) -> None:
        """Work until `stop` is set, or, if asked so, until there is nothing left that it can do.

        Raises:
            StoreError: somebody else took this worker's name.
        """
        while not stop.is_set() and not self.lost.is_set():
            try:
                taken = self.turn()
            except EidError as failure:  # the database or the engine, for a while
                log.warning("worker %s waits: %s", self.name, failure)
                stop.wait(BEAT)
                continue
            if until_idle and not taken and self._is_idle():
                self._tell_left()
                return
            if taken < AT_ONCE:  # what comes together meanwhile costs the engine little more than one
                stop.wait(TICK)
        if self.lost.is_set():
            raise StoreError(f"the worker {self.name} was silent too long: others have taken over its work")

    def turn(self) -> int:
        """Look once at timers and outbox; return how much work was handed over."""
        self._run_timers()
        return relay(self.workshop.engine, self.engine) if self._may_relay() else 0

    def beat(self) -> None:
        """Give a sign of life, and look after workers that give none."""
        now = self.workshop.now()
        if not self._transact(renew_lease, self._lease(WORKER + self.name, now + LEASE)):
            self.lost.set()
            return
        end = time.monotonic() + BEAT  # the next sign of life comes first, however many have died
        for lease in self._transact(list_leases, WORKER):
            if lease.expires_at <= now and time.monotonic() < end:
                self._take_over(lease, now)

    def _take_over(self, dead: Lease, now: datetime) -> None:
        """Put a dead worker's work back on the queue; its lease goes last, so that who dies here is followed, too."""
        watched = self._lease(dead.name, now + LEASE)
        if not self._transact(take_turn, watched, now):
            return
        resumed = self.engine.resume(dead.name.removeprefix(WORKER))
        self._transact(release_lease, watched)
        log.warning("worker %s is dead: %d groups of jobs resumed", dead.name.removeprefix(WORKER), resumed)

    def _may_relay(self) -> bool:
        """Whether this worker is the one that relays; asked of the database at half time only."""
        if time.monotonic() < self._relay_until:
            return True
        now = self.workshop.now()
        if not self._transact(hold_lease, self._lease(RELAY, now + RELAY_LEASE), now):
            return False
        self._relay_until = time.monotonic() + RELAY_LEASE.total_seconds() / 2
        return True

    def _run_timers(self) -> None:
        if time.monotonic() < self._looked_at + LOOK:
            return
        self._looked_at = time.monotonic()
        with reading(self.workshop.engine) as connection:
            turns = {lease.name: lease for lease in list_leases(connection, _TIMER)}
        for name, timer in self.timers.items():
            now, turn = self.workshop.now(), turns.get(_TIMER + name)
            if turn is not None and not turn.is_turn_over(now, timer.every):
                continue
            if not self._transact(take_turn, self._lease(_TIMER + name, now + timer.every), now):
                continue
            try:
                timer.run(self.workshop)
            except EidError as failure:  # it has another turn; nothing else waits for it
                log.warning("timer %s: %s", name, failure)
        if time.monotonic() >= self._tidied_at + TIDYING.total_seconds():
            self._tidied_at = time.monotonic()
            self._tidy()

    def _tidy(self) -> None:
        now = self.workshop.now()
        while self.engine.forget(now - KEPT):
            pass
        self._transact(forget_done, now - MARKED)

    def _is_idle(self) -> bool:
        """Whether nothing waits in the outbox, which another worker may be relaying, and then in the engine."""
        with reading(self.workshop.engine) as connection:
            if count_waiting(connection) or list_failures(connection, asked_again=True, limit=1):
                return False
        return self.engine.is_idle()

    def _tell_left(self) -> None:
        left = self.engine.count("ENQUEUED", "PENDING")
        if left:
            log.warning("%d groups of jobs are left for a worker who can do them", left)

    def _lease(self, name: str, until: datetime) -> Lease:
        return Lease(name, self.token, until)

    def _transact(self, work: Callable[..., T], *arguments: object) -> T:
        return in_transaction(self.workshop.engine, lambda connection: work(connection, *arguments))


@contextmanager
def working(
    workshop: Workshop,
    name: str,
    *,
    handlers: Mapping[str, Handler] | None = None,
    timers: Mapping[str, Timer] | None = None,
    concurrency: int = CONCURRENCY,
    work_database: str | None = None,
    keys_only: bool = False,
) -> Iterator[Worker]:
    """A worker of this process, which gives signs of life while the context lasts.

    Args:
        keys_only: do what this process has a key for, and leave ordinary work and timers to others.

    Raises:
        StoreError: a worker of this name is alive. GatewayError: the engine cannot be started.
    """
    url = work_database or locate_work_database(workshop.settings)
    if make_url(url).get_backend_name() == "sqlite":
        open_database(url).dispose()  # made here, so that nobody else may read it
    done = partial(perform_job, workshop, HANDLERS if handlers is None else handlers)
    serves = workshop.capabilities - ({Capability.WORK} if keys_only else set())
    token = _claim_name(workshop, name, serves)
    ordinary = {} if keys_only else TIMERS
    with dbos_engine(url, name, done, queues=tuple(Capability), serves=serves, concurrency=concurrency) as engine:
        worker = Worker(workshop, engine, name, ordinary if timers is None else timers, token)
        stop = threading.Event()
        heart = threading.Thread(target=_keep_beating, args=(worker, stop), name="worker-heart", daemon=True)
        heart.start()
        try:
            yield worker
        finally:
            stop.set()
            heart.join()
    for held in (RELAY, WORKER + name):
        lease = Lease(held, token, workshop.now())
        in_transaction(workshop.engine, partial(release_lease, lease=lease))


def _claim_name(workshop: Workshop, name: str, serves: Collection[str]) -> str:
    """Take the lease on a name; that of a worker which died a moment ago is taken at once, or waited for."""
    token = describe_holder(_process_space(), os.getpid(), uuid4().hex, serves)
    patience = time.monotonic() + 1.2 * LEASE.total_seconds()

    def claim(connection: Connection) -> bool:
        now = workshop.now()
        for held in list_leases(connection, WORKER + name):
            if held.name == WORKER + name and _has_died(held.holder):
                release_lease(connection, held)
        return hold_lease(connection, Lease(WORKER + name, token, now + LEASE), now)

    while True:
        if in_transaction(workshop.engine, claim):
            return token
        if time.monotonic() > patience:
            raise StoreError(f"a worker named {name} is at work: give this one another name")
        time.sleep(TICK)


def _has_died(holder: str) -> bool:
    """Whether the holder of a lease was a process of this machine that is no more; of others nothing is known."""
    space, _, rest = holder.partition(" ")
    number = rest.partition(" ")[0]
    if space == _UNKNOWN or space != _process_space() or not number.isdecimal():
        return False
    return int(number) == os.getpid() or not Path("/proc", number).exists()


def _process_space() -> str:
    """This boot of this machine, and the process numbers that this process sees."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot[:18]}/{os.readlink('/proc/self/ns/pid').strip('pid:[]')}"
    except OSError:
        return _UNKNOWN


def _keep_beating(worker: Worker, stop: threading.Event) -> None:
    silent_since = time.monotonic()
    while not stop.is_set() and not worker.lost.is_set():
        try:
            worker.beat()
            silent_since = time.monotonic()
        except EidError as failure:
            log.warning("worker %s gives no sign of life: %s", worker.name, failure)
            if time.monotonic() > silent_since + LEASE.total_seconds():
                worker.lost.set()
        stop.wait(BEAT)
