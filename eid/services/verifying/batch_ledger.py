"""The ledger of a batch: a file of JSON lines that is the result, and that says where a batch goes on which broke off.

The first line says what was judged and how; each further one is the result of one file, in the order of the files. A
last line that was cut off in writing is written again. Two runs never write to one ledger at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from eid.errors import LifecycleError, StoreError

FORMAT: Final = "eid-verification-batch"
VERSION: Final = 1
MAX_LINE: Final = 1 << 20  # octets; a report has some 5,000
_TIME: Final = "reference_time"


@dataclass(slots=True)
class Ledger:
    """An open ledger. Use it as a context manager; `open_ledger` makes one.

    Args:
        header: its first line. done: how many files have their result.
    """

    path: Path
    header: Mapping[str, Any]
    done: int
    _file: BinaryIO = field(repr=False)

    def append(self, lines: list[str]) -> None:
        """Write the results of further files; they are on the disk when this returns.

        Raises:
            StoreError: they cannot be written.
        """
        try:
            self._file.write("".join(f"{line}\n" for line in lines).encode("utf-8"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as failure:
            raise StoreError(f"{self.path} cannot be written: {failure.strerror}") from failure
        self.done += len(lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def open_ledger(path: Path, header: Mapping[str, Any], names: tuple[str, ...]) -> Ledger:
    """Begin a ledger, or go on with one of the same batch.

    Args:
        header: what is judged and how. Where it says that the time is the clock's, a batch that goes on keeps the time
            at which it began. names: the files, in order.

    Raises:
        LifecycleError: the file is no ledger, is that of another batch, or is being written by somebody else.
        StoreError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "r+b")
    except OSError as failure:
        raise StoreError(f"{path} cannot be written: {failure.strerror}") from failure
    try:
        _lock(file, path)
        return _resume(file, path, {"format": FORMAT, "version": VERSION, **header}, names)
    except BaseException:
        file.close()
        raise


def _lock(file: BinaryIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        raise LifecycleError(f"{path} is being written by another run") from failure


def _resume(file: BinaryIO, path: Path, header: dict[str, Any], names: tuple[str, ...]) -> Ledger:
    lines = _read_lines(file, path)
    began = next(lines, None)
    if began is None:
        if os.fstat(file.fileno()).st_size and not _is_cut_header(file):
            raise LifecycleError(f"{path} is there and is no ledger of a batch")
        ledger = Ledger(path, header, 0, file)
        _truncate(file, 0)
        ledger.append([json.dumps(header, ensure_ascii=False)])
        ledger.done = 0
        return ledger
    told, end = began
    if header["reference_source"] == "now" and told.get("reference_source") == "now":
        header[_TIME] = told.get(_TIME)
    differing = sorted(key for key in header.keys() | told.keys() if header.get(key) != told.get(key))
    if differing:
        raise LifecycleError(f"{path} is of another batch ({', '.join(differing)}); take another file")
    done = 0
    for told, behind in lines:
        if done == len(names) or told.get("file") != names[done]:
            raise LifecycleError(f"{path}: line {done + 2} is not the result that is due")
        done, end = done + 1, behind
    _truncate(file, end)
    return Ledger(path, header, done, file)


def _is_cut_header(file: BinaryIO) -> bool:
    file.seek(0)
    begun = file.read(MAX_LINE)
    return b"\n" not in begun and begun.startswith(f'{{"format": "{FORMAT}"'.encode())


def _truncate(file: BinaryIO, end: int) -> None:
    file.truncate(end)
    file.seek(end)


def _read_lines(file: BinaryIO, path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each whole line, and the offset behind it; a last one without its end is left out."""
    end = 0
    file.seek(0)
    while (raw := file.readline(MAX_LINE)).endswith(b"\n"):
        end += len(raw)
        try:
            told = json.loads(raw)
        except ValueError as failure:
            raise LifecycleError(f"{path} is there and is no ledger of a batch") from failure
        if not isinstance(told, dict):
            raise LifecycleError(f"{path} is there and is no ledger of a batch")
        yield told, end


def read_results(path: Path) -> Iterator[dict[str, Any]]:
    """The result lines of a ledger, without its first.

    Raises:
        StoreError: it cannot be read. LifecycleError: it is no ledger.
    """
    try:
        with path.open("rb") as file:
            lines = _read_lines(file, path)
            next(lines, None)
            for told, _ in lines:
                yield told
    except OSError as failure:
        raise StoreError(f"{path}: {failure.strerror}") from failure
