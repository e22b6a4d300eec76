"""The record of signatures: what each long-term key signed, when, for what and on whose word; one file for each key.

A line is one signature: JSON, and in it the SHA-256 of the line before, so that nothing can be changed, left out or put
between without trace. The line is durable before the key is asked to sign: a crash can leave a line whose signature was
never made, never a signature without its line. What is cut off at the end shows only against a head that somebody
noted elsewhere: the minutes of a ceremony, a backup.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from eid.errors import LifecycleError, StoreError
from eid.store.files import make_names_durable

SUFFIX: Final = ".signatures"
NOTHING: Final = "0" * 64  # what the first line names as the one before
MAX_TEXT: Final = 128  # characters of a purpose, of an operator's name
_TAIL: Final = 4096  # octets; no line is longer


class SignatureLimitError(LifecycleError):
    """A key has made as many signatures as it may make."""


@dataclass(frozen=True, slots=True)
class SignatureEntry:
    """One signature.

    Args:
        number: 1 for the key's first. purpose: what it is for, e.g. "EF.SOD". digest: SHA-256 of what is signed, hex.
        operator: who ordered it. previous: SHA-256 of the line before, hex.
    """

    number: int
    at: datetime
    purpose: str
    digest: str
    operator: str
    previous: str

    def encode(self) -> bytes:
        """The line, without its end."""
        told = {
            "number": self.number,
            "at": self.at.isoformat(),
            "purpose": self.purpose,
            "digest": self.digest,
            "operator": self.operator,
            "previous": self.previous,
        }
        return json.dumps(told, ensure_ascii=True, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class SignatureRecord:
    """The record of all keys of an authority, a directory that is made on first use."""

    directory: Path

    def append(
        self, label: str, message: bytes, *, purpose: str, operator: str, at: datetime, limit: int | None = None
    ) -> SignatureEntry:
        """Write down that a key is about to sign; returns when that is durable.

        Args:
            label: the key's. message: the octets to be signed. at: aware. limit: of all signatures of the key.

        Raises:
            SignatureLimitError: the key has reached its limit. StoreError: the record is damaged or cannot be written.
        """
        with self._open(label) as descriptor:
            last, end = _read_last(descriptor, label)
            number = 1 if last is None else _decode(last, label).number + 1
            if limit is not None and number > limit:
                raise SignatureLimitError(f"the key {label} has made the {limit} signatures that it may make")
            digest, previous = hashlib.sha256(message).hexdigest(), NOTHING
            if last is not None:
                previous = hashlib.sha256(last).hexdigest()
            entry = SignatureEntry(number, at, purpose[:MAX_TEXT], digest, operator[:MAX_TEXT], previous)
            os.ftruncate(descriptor, end)  # of a line that was torn, whose signature was never made
            _write_all(descriptor, entry.encode() + b"\n")
            os.fsync(descriptor)
        return entry

    def count(self, label: str) -> int:
        """How many signatures a key has made.

        Raises:
            StoreError: the record is damaged or cannot be read.
        """
        path = self._path(label)
        if not path.exists():
            return 0
        with self._open(label) as descriptor:
            last, _ = _read_last(descriptor, label)
        return 0 if last is None else _decode(last, label).number

    def labels(self) -> tuple[str, ...]:
        """Labels of the keys that have signed, sorted."""
        return tuple(sorted(path.name.removesuffix(SUFFIX) for path in self.directory.glob(f"*{SUFFIX}")))

    def entries(self, label: str) -> Iterator[SignatureEntry]:
        """All signatures of a key, oldest first, each line held against the one before.

        Raises:
            StoreError: a line is damaged, missing, doubled or out of place.
        """
        previous = NOTHING
        for number, line in enumerate(self._lines(label), 1):
            entry = _decode(line, label)
            if (entry.number, entry.previous) != (number, previous):
                raise StoreError(f"the record of signatures of {label} is broken at number {number}")
            previous = hashlib.sha256(line).hexdigest()
            yield entry

    def head(self, label: str) -> str:
        """SHA-256 of the last line, hex: whoever notes it can tell later that nothing was cut off.

        Raises:
            StoreError: the record cannot be read.
        """
        last = None
        for last in self._lines(label):  # noqa: B007 the last one is wanted
            pass
        return NOTHING if last is None else hashlib.sha256(last).hexdigest()

    def _lines(self, label: str) -> Iterator[bytes]:
        try:
            with self._path(label).open("rb") as file:
                yield from (line[:-1] for line in file if line.endswith(b"\n"))
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unreadable(label, error) from error

    def _path(self, label: str) -> Path:
        return self.directory / f"{label}{SUFFIX}"

    @contextmanager
    def _open(self, label: str) -> Iterator[int]:
        """The file, locked: one signature of a key is written down at a time."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            if not self.directory.is_dir():
                self.directory.mkdir(mode=0o700, exist_ok=True)
                make_names_durable(self.directory.parent)
            is_new = not self._path(label).exists()
            descriptor = os.open(self._path(label), flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if is_new:
                    make_names_durable(self.directory)
                yield descriptor
            finally:
                os.close(descriptor)  # which ends the lock
        except OSError as error:
            raise _unreadable(label, error) from error


def _read_last(descriptor: int, label: str) -> tuple[bytes | None, int]:
    """The last whole line without its end, and the offset behind it; what stands after that is torn."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - 2 * _TAIL)
    tail = os.pread(descriptor, size - start, start)
    end = tail.rfind(b"\n")
    if end < 0:
        if start:
            raise StoreError(f"the record of signatures of {label} is damaged at its end")
        return None, 0
    return tail[tail.rfind(b"\n", 0, end) + 1 : end], start + end + 1


def _decode(line: bytes, label: str) -> SignatureEntry:
    try:
        told: dict[str, Any] = json.loads(line)
        entry = SignatureEntry(
            told["number"],
            datetime.fromisoformat(told["at"]),
            told["purpose"],
            told["digest"],
            told["operator"],
            told["previous"],
        )
        if type(entry.number) is not int or entry.encode() != line:
            raise ValueError("another form")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StoreError(f"the record of signatures of {label} has a damaged line") from None
    return entry


def _write_all(descriptor: int, raw: bytes) -> None:
    while raw:
        raw = raw[os.write(descriptor, raw) :]


def _unreadable(label: str, error: OSError) -> StoreError:
    return StoreError(f"the record of signatures of {label}: {error.strerror}")
