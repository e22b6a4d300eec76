"""The durable engine that work runs on (`WorkEngine` of eid.gateways.jobs); the one place that knows DBOS Transact.

Only its MIT core is used, and of that as little as can be: queues, one workflow, and `resume_workflow` for the work of
dead executors. A process listens to the queues that it serves, and may put work into any. No conductor, no key, no
schedules, no steps: a job is one call, which may be repeated. Jobs that come together are one workflow, whose
bookkeeping costs more than most jobs; each is tried again by itself. What is settled here for good, because it cannot
be changed once a work database exists: no LISTEN/NOTIFY, which takes a lock over the whole of PostgreSQL at each
commit; JSON instead of pickles; a constant application version, so that a new release goes on with the work of the old
one.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, error

from eid.errors import GatewayError
from eid.gateways.jobs import ORDINARY, Job, Perform

PREFIX: Final = "eid_"  # of the queues' names in the engine
WORKFLOW: Final = "eid_work"
VERSION: Final = "1"  # of what the engine keeps; the same over releases, or work of an older one would be stranded
SCHEMA: Final = "eid_work"
POLLING: Final = 0.2  # seconds; a look costs as much as some jobs
RARELY: Final = 0.5  # seconds between looks into the other queues, where something comes every ten seconds at most
CONCURRENCY: Final = 24  # jobs at once in one process; they wait for the database and the world, not for the processor
GROUP: Final = 10  # jobs in one workflow; all of them are repeated where their process dies
FORGET_AT_ONCE: Final = 500  # finished jobs that are dropped in one go
STOP_SECONDS: Final = 10  # for jobs under way when the process is asked to end; what is cut short is resumed
CONSOLE: Final = "__dbos_console_log_handler__"  # what DBOS calls its handler of log lines


@dataclass(frozen=True, slots=True)
class DbosEngine:
    """Jobs on DBOS; one for each process. Make it with `dbos_engine`. serves: the queues that it takes jobs from."""

    serves: frozenset[str] = frozenset((ORDINARY,))

    def submit(self, jobs: Sequence[Job], attempt: int = 0) -> None:
        """Put each job on its queue; harmless where they are there or done."""
        for queue in dict.fromkeys(job.queue for job in jobs):
            alike = [job for job in jobs if job.queue == queue]
            for start in range(0, len(alike), GROUP):
                _enqueue(alike[start : start + GROUP], attempt, None)

    def resume(self, executor: str) -> int:
        """Put what a dead executor had begun back, each on its queue; return how many groups of jobs that are."""
        with _failures_told():
            begun = DBOS.list_workflows(status="PENDING", executor_id=executor, load_input=False, load_output=False)
            for item in begun:
                DBOS.resume_workflow(item.workflow_id, queue_name=item.queue_name)
        return len(begun)

    def count(self, *status: str) -> int:
        """How many groups of jobs are in a state: "ENQUEUED", "PENDING", "DELAYED", "SUCCESS" or "ERROR"."""
        with _failures_told():
            return len(DBOS.list_workflows(status=list(status), load_input=False, load_output=False))

    def is_idle(self) -> bool:
        """Whether nothing waits or is under way in the queues that it serves."""
        served = [PREFIX + queue for queue in self.serves]
        with _failures_told():
            return not DBOS.list_workflows(
                status=["ENQUEUED", "PENDING"], queue_name=served, limit=1, load_input=False, load_output=False
            )

    def forget(self, before: datetime) -> int:
        """Drop some of the jobs that were over before this moment; return how many."""
        with _failures_told():
            over = DBOS.list_workflows(
                status=["SUCCESS", "ERROR"],
                completed_before=before.astimezone(UTC).isoformat(),
                limit=FORGET_AT_ONCE,
                load_input=False,
                load_output=False,
            )
            if over:
                DBOS.delete_workflows([item.workflow_id for item in over])
        return len(over)


@contextmanager
def dbos_engine(
    url: str,
    executor: str,
    perform: Perform,
    *,
    queues: Collection[str] = (ORDINARY,),
    serves: Collection[str] = (ORDINARY,),
    concurrency: int = CONCURRENCY,
) -> Iterator[DbosEngine]:
    """Run the engine in this process while the context lasts; jobs that it had begun when it last died are resumed.

    Args:
        url: of the work database, SQLAlchemy's form. executor: name of this process, used by no other at the same time.
        queues: all that there are. serves: those that this process takes jobs from. concurrency: of ordinary work;
            of the other queues it does one job at a time.

    Raises:
        GatewayError: the work database cannot be opened.
    """
    begun: set[str] = set()
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="job")

    def do(job: Job, attempt: int) -> None:
        pause = perform(job, attempt)
        if pause is not None:
            _enqueue([job], attempt + 1, pause)

    def run(jobs: list[dict[str, Any]], attempt: int) -> None:
        told = [_read(it) for it in jobs]
        begun.add(told[0].id)
        try:
            tried = [pool.submit(do, job, attempt) for job in told]
            wait(tried)
        finally:
            begun.discard(told[0].id)
        for one in tried:
            one.result()

    logging.getLogger("alembic").setLevel(logging.WARNING)
    _forget_old_console()
    with _failures_told():
        DBOS(config=_configure(url, executor, concurrency))
        DBOS.workflow(name=WORKFLOW)(run)
        DBOS.listen_queues([PREFIX + queue for queue in serves])
        DBOS.launch()
        for queue in queues:
            _register(queue, concurrency)
    try:
        yield DbosEngine(frozenset(serves))
    finally:
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=STOP_SECONDS if begun else 0)
        pool.shutdown(wait=False, cancel_futures=True)
        _forget_old_console()  # a thread of its own may outlive it, and has something to say


def _configure(url: str, executor: str, concurrency: int) -> DBOSConfig:
    return DBOSConfig(
        name="eid_work",
        system_database_url=url,
        dbos_system_schema=SCHEMA,
        application_version=VERSION,
        executor_id=executor,
        serializer=DBOSPortableJSONSerializer(),
        use_listen_notify=False,
        enable_otlp=False,
        log_level="ERROR",
        sys_db_pool_size=concurrency + 4,
    )


def _register(queue: str, concurrency: int) -> None:
    at_once, polling = (concurrency, POLLING) if queue == ORDINARY else (1, RARELY)
    DBOS.register_queue(
        PREFIX + queue, worker_concurrency=at_once, polling_interval_sec=polling, on_conflict="always_update"
    )


def _forget_old_console() -> None:
    """Let DBOS log to the stderr of now; it keeps that of its first start, which may be closed, and flushes it."""
    logger = logging.getLogger("dbos")
    for handler in [it for it in logger.handlers if it.name == CONSOLE]:
        logger.removeHandler(handler)


def _enqueue(jobs: Sequence[Job], attempt: int, pause: timedelta | None) -> None:
    options: dict[str, Any] = {
        "workflow_name": WORKFLOW,
        "queue_name": PREFIX + jobs[0].queue,
        "workflow_id": f"{_name(jobs)}:{attempt}",
        "app_version": VERSION,
    }
    if pause is not None:
        options["delay_seconds"] = pause.total_seconds()
    with _failures_told():
        DBOS.enqueue_workflow_with_options(options, [_tell(job) for job in jobs], attempt)  # type: ignore[arg-type]  # a plain dictionary


def _tell(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "payload": dict(job.payload),
        "created_at": job.created_at.isoformat(),
        "queue": job.queue,
    }


def _read(told: dict[str, Any]) -> Job:
    created_at, queue = datetime.fromisoformat(told["created_at"]), told.get("queue", ORDINARY)
    return Job(told["id"], told["kind"], told["payload"], created_at, queue)


def _name(jobs: Sequence[Job]) -> str:
    """What the same jobs are known by, and no others."""
    if len(jobs) == 1:
        return jobs[0].id
    return hashlib.sha256("\n".join(job.id for job in jobs).encode()).hexdigest()


@contextmanager
def _failures_told() -> Iterator[None]:
    """Turn what the engine raises into our error; its own text may hold what was to be stored."""
    try:
        yield
    except error.DBOSException as failure:
        raise GatewayError(f"the work engine failed: {type(failure).__name__}") from failure
