"""Judging many pieces of evidence: in a pool of processes, or on any executor of the `concurrent.futures` interface.

A task is a small value that names files; whoever runs it loads policy and trust store once and must find the very ones
that the batch began with. So the result does not depend on who ran what: it is the same with one worker and with many.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from eid.crypto.public_key import load_public_key
from eid.errors import DecodeError, StoreError
from eid.evidence.codec import MAX_EVIDENCE
from eid.pki.trust_store import TrustStore
from eid.services.input_file import read_input
from eid.services.trust.files import load_trust_store
from eid.services.verifying.batch_ledger import Ledger, open_ledger, read_results
from eid.services.verifying.judgement import decode_evidence_octets, judge
from eid.services.verifying.stations import Stations
from eid.services.verifying.status_shelf import load_status_lists
from eid.verification.policy import Policy, load_policy
from eid.verification.report import Verdict, report_to_json
from eid.verification.status_lists import NO_STATUS_LISTS, StatusLists

P = ParamSpec("P")
T = TypeVar("T")

CHUNK: Final = 32  # files of one task: enough that passing tasks about costs nothing
AHEAD: Final = 4  # tasks that wait for each worker
MAX_LIST: Final = 64 << 20  # octets of a list of files


@dataclass(frozen=True, slots=True)
class StatusFiles:
    """Files of status lists. digest: what the workers must find in them; verified_at: when they were verified, UTC."""

    files: tuple[Path, ...]
    digest: str
    verified_at: datetime


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """How a batch is judged; all that a worker needs to know, on any machine that reaches the same paths.

    Args:
        policy: name or path. time: to judge at, UTC; time_source: "now" or "given".
        station_keys: SubjectPublicKeyInfo, DER, of the stations whose word counts.
        status: where the status lists are, None where there are none.
        policy_digest, trust_store_digest: what the workers must find, hexadecimal.
    """

    trust: Path
    policy: str
    time: datetime
    time_source: str
    station_keys: tuple[bytes, ...]
    policy_digest: str
    trust_store_digest: str
    status: StatusFiles | None = None


@dataclass(frozen=True, slots=True)
class BatchTask:
    """A few files of a batch."""

    order: BatchOrder
    root: Path
    names: tuple[str, ...]


@dataclass(slots=True)
class BatchSummary:
    """What came out. verdicts: how many of each, "UNREADABLE" for files that hold no evidence.

    Args:
        reasons: how often each check did not pass for each reason; where a verdict stays open, or was not performed.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """How many files there were."""
        return self.verdicts.total()

    def count(self, result: Mapping[str, Any]) -> None:
        """Count one line of the ledger."""
        report = result.get("report")
        verdict = "UNREADABLE" if report is None else report["verdict"]
        self.verdicts[verdict] += 1
        told = {"FAILED", "INDETERMINATE"} | ({"NOT_PERFORMED"} if verdict == Verdict.INDETERMINATE else set())
        for item in () if report is None else report["checks"]:
            if item["outcome"] in told:
                self.reasons[item["id"], item["reason"]] += 1

    def add(self, other: BatchSummary) -> None:
        """Count what another summary counted."""
        self.verdicts.update(other.verdicts)
        self.reasons.update(other.reasons)


@dataclass(frozen=True, slots=True)
class JudgedTask:
    """What a worker gives back: a line of JSON for each file, and what is in them."""

    lines: list[str]
    summary: BatchSummary


UNREADABLE: Final = "UNREADABLE"


def order_batch(
    trust: Path,
    policy: str,
    time: datetime,
    time_source: str,
    station_keys: tuple[bytes, ...] = (),
    status: StatusFiles | None = None,
) -> BatchOrder:
    """An order for a batch, with the digests of the policy and trust store that are there now.

    Raises:
        ProfileError: there is no such policy. StoreError: there is no such trust store.
    """
    digest = load_trust_store(trust).digest.hex()
    policy = str(Path(policy).resolve()) if policy.endswith(".toml") else policy  # for workers elsewhere
    if status is not None:
        status = replace(status, files=tuple(path.resolve() for path in status.files))
    policy_digest = load_policy(policy).digest
    return BatchOrder(trust.resolve(), policy, time, time_source, station_keys, policy_digest, digest, status)


def find_evidence(place: Path, out: Path | None = None) -> tuple[Path, tuple[str, ...]]:
    """The files of a batch: all below a directory, but hidden ones, or those that a list names, one on each line.

    Args:
        out: the ledger, which is no evidence where it lies in the directory.

    Returns:
        The folder that names are relative to, and the names: of a directory sorted, of a list as they stand there.

    Raises:
        DecodeError: the list cannot be read or is no text. StoreError: a directory cannot be read.
    """
    if not place.is_dir():
        return place.parent, _read_list(place)
    try:
        ledger = None if out is None else out.resolve()
        names = [name for name in _list_files(place) if ledger is None or not _is_same(place, name, ledger)]
    except OSError as failure:
        raise StoreError(f"{place}: {failure.strerror}") from failure
    return place, tuple(sorted(names))


def _list_files(place: Path) -> Iterator[str]:
    """Names of all files below a directory, relative to it; nothing hidden, and no way through links."""
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(place / folder) as entries:  # a tenth of the time of `Path.rglob`
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{folder}{entry.name}/")
                elif entry.is_file():
                    yield folder + entry.name


def _is_same(place: Path, name: str, other: Path) -> bool:
    return name.rpartition("/")[2] == other.name and (place / name).resolve() == other


def _read_list(place: Path) -> tuple[str, ...]:
    try:
        text = read_input(place, MAX_LIST, "list of files").decode("utf-8")
    except UnicodeDecodeError as failure:
        raise DecodeError(f"{place}: no list of files: not UTF-8", offset=failure.start) from failure
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def verify_batch(
    order: BatchOrder,
    place: Path,
    out: Path,
    executor: Executor,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> BatchSummary:
    """Judge all files, and leave the results in a ledger; go on where an earlier run of the same batch broke off.

    Args:
        place: a directory, or a list of files. out: the ledger.
        executor: where tasks run; `workers` of them at a time. progress: told how many files are done, of how many.

    Raises:
        LifecycleError: the ledger is another batch's. StoreError: it cannot be written, the trust store changed under
            way, or a worker died; then the same call goes on. DecodeError, ProfileError: nothing could begin.
    """
    root, names = find_evidence(place, out)
    summary = BatchSummary()
    with open_ledger(out, _build_header(order, names), names) as ledger:
        began = datetime.fromisoformat(ledger.header["reference_time"])
        order = replace(order, time=began)
        _load_material(order)  # workers that are forks of this process have it from here
        for result in read_results(out):
            summary.count(result)
        progress(ledger.done, len(names))
        tasks = (BatchTask(order, root, chunk) for chunk in _chunks(names[ledger.done :]))
        for judged in _run(tasks, ledger, executor, workers * AHEAD):
            ledger.append(judged.lines)
            summary.add(judged.summary)
            progress(ledger.done, len(names))
    return summary


def _run(tasks: Iterator[BatchTask], ledger: Ledger, executor: Executor, ahead: int) -> Iterator[JudgedTask]:
    """Keep the workers busy, and give the results in order; so no more than a few wait at any time."""
    waiting: deque[Future[JudgedTask]] = deque()
    try:
        for task in tasks:
            waiting.append(executor.submit(judge_task, task))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenExecutor as failure:
        raise StoreError(f"a worker died; the same command goes on after {ledger.done} files") from failure
    finally:
        for future in waiting:
            future.cancel()


def _chunks(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))


def _build_header(order: BatchOrder, names: tuple[str, ...]) -> dict[str, Any]:
    policy = load_policy(order.policy)
    return {
        "policy": policy.name,
        "policy_version": policy.revision,
        "policy_digest": order.policy_digest,
        "trust_store_digest": order.trust_store_digest,
        "status_lists_digest": NO_STATUS_LISTS.digest if order.status is None else order.status.digest,
        "reference_time": order.time.isoformat().replace("+00:00", "Z"),
        "reference_source": order.time_source,
        "station_keys": sorted(hashlib.sha256(key).hexdigest() for key in order.station_keys),
        "files": len(names),
        "files_digest": hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape")).hexdigest(),
    }


# --- in the worker --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Material:
    """What a worker judges by, loaded once for an order."""

    trust: TrustStore
    policy: Policy
    stations: Stations
    status_lists: StatusLists


def judge_task(task: BatchTask) -> JudgedTask:
    """Judge the files of a task.

    Raises:
        StoreError: policy, trust store or status lists are not those of the order any more.
    """
    material = _load_material(task.order)
    results = [_judge_file(task, name, material) for name in task.names]
    summary = BatchSummary()
    for result in results:
        summary.count(result)
    return JudgedTask([_encode_line(result) for result in results], summary)


def _encode_line(result: dict[str, Any]) -> str:
    """A result in one line of text that UTF-8 can hold: the name of a file need not be text, and is escaped then."""
    line = json.dumps(result, ensure_ascii=False)
    return line if line.isascii() or _is_unicode(line) else json.dumps(result)


def _is_unicode(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=2)
def _load_material(order: BatchOrder) -> _Material:
    trust, policy = load_trust_store(order.trust), load_policy(order.policy)
    if (trust.digest.hex(), policy.digest) != (order.trust_store_digest, order.policy_digest):
        raise StoreError("the trust store or the policy changed since the batch began")
    keys = {hashlib.sha256(raw).digest(): load_public_key(raw) for raw in order.station_keys}
    lists = NO_STATUS_LISTS
    if order.status is not None:
        # The clock's time, whatever time is judged at: that a card is revoked by now counts, as in `eid verify --at`.
        lists, _ = load_status_lists(order.status.files, trust, order.status.verified_at)
        if lists.digest != order.status.digest:
            raise StoreError("the status lists changed since the batch began")
    return _Material(trust, policy, keys, lists)


def _judge_file(task: BatchTask, name: str, material: _Material) -> dict[str, Any]:
    order = task.order
    result: dict[str, Any] = {"file": name, "sha256": None}
    try:
        raw = read_input(task.root / name, MAX_EVIDENCE, "evidence")
        result["sha256"] = hashlib.sha256(raw).hexdigest()
        submission = decode_evidence_octets(raw)
    except DecodeError as failure:
        return {**result, "error": str(failure).removeprefix(f"{task.root / name}: ")}
    at = None if order.time_source == "now" else order.time
    judged = judge(
        submission,
        material.trust,
        material.policy,
        now=order.time,
        at=at,
        stations=material.stations,
        status_lists=material.status_lists,
    )
    return {**result, "report": report_to_json(judged.report)}


# --- executors ------------------------------------------------------------------------------------------------------


class InlineExecutor(Executor):
    """Runs each task at once, in this process: for one worker, and for looking into."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it and return its result as a future."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - a future carries whatever its task raised
            future.set_exception(error)
        return future


def open_executor(workers: int) -> Executor:
    """An executor of so many processes; of none for one worker."""
    return InlineExecutor() if workers == 1 else ProcessPoolExecutor(workers, initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    """Control-C is for the process that writes the ledger; workers end when their tasks are taken back."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
