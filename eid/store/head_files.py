"""Tree heads as files, one pair for each: the copy that somebody with rights over the database cannot reach.

::

    2026-11-22/00000000000000000042.checkpoint   the signed note; the number is the size of the tree
    2026-11-22/00000000000000000042.rows         the entries that the head before it has not, 41 octets each

Nothing is ever rewritten, so the directory may be a write-once store or be copied by anything. A pair is complete when
its checkpoint is there: it is written last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from eid.audit.tree_head import MAX_CHECKPOINT, Seal
from eid.errors import StoreError
from eid.store.files import make_names_durable

CHECKPOINT: Final = ".checkpoint"
ROWS: Final = ".rows"
MAX_ROWS: Final = 1 << 27  # octets
_DIGITS: Final = 20


def last_size(directory: Path) -> int:
    """Size of the tree under the newest head that was written; 0 where there is none.

    Only the newest day that has a head is looked at: in a year there are millions.

    Raises:
        StoreError: the directory cannot be read.
    """
    days = (_heads_in(folder) for folder in sorted(_days(directory), reverse=True))
    return max((_size(path) for path in next(filter(None, days), ())), default=0)


def store_seal(directory: Path, seal: Seal, sealed_at: datetime) -> None:
    """Write one head; harmless where it is written.

    Raises:
        StoreError: it cannot be written, or another one of its size is there.
    """
    folder = directory / sealed_at.date().isoformat()
    stem = f"{seal.size:0{_DIGITS}}"
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        _store(folder / (stem + ROWS), seal.entries)
        _store(folder / (stem + CHECKPOINT), seal.checkpoint.encode())
        for place in (folder, directory):
            make_names_durable(place)
    except OSError as failure:
        raise StoreError(f"the tree head {seal.size} cannot be written: {failure.strerror}") from failure


def has_seal(directory: Path, seal: Seal, sealed_at: datetime) -> bool:
    """Whether the directory has this head.

    Raises:
        StoreError: its file cannot be read.
    """
    path = directory / sealed_at.date().isoformat() / f"{seal.size:0{_DIGITS}}{CHECKPOINT}"
    return path.is_file() and _load(path, 4 * MAX_CHECKPOINT) == seal.checkpoint.encode()


def load_seals(directory: Path) -> Iterator[Seal]:
    """The heads of a directory, in order of their size.

    Raises:
        StoreError: a file is missing, too large or cannot be read.
    """
    for path in sorted((path for folder in _days(directory) for path in _heads_in(folder)), key=_size):
        rows = _load(path.with_suffix(ROWS), MAX_ROWS)
        note = _load(path, 4 * MAX_CHECKPOINT).decode("utf-8", errors="replace")
        yield Seal(_size(path), rows, note)


def _days(directory: Path) -> list[Path]:
    try:
        return [item for item in directory.iterdir() if item.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as failure:
        raise StoreError(f"{directory}: {failure.strerror}") from failure


def _heads_in(folder: Path) -> list[Path]:
    """The checkpoints of a day."""
    try:
        found = list(folder.iterdir())
    except OSError as failure:
        raise StoreError(f"{folder}: {failure.strerror}") from failure
    return [item for item in found if item.suffix == CHECKPOINT and len(item.stem) == _DIGITS and item.stem.isdecimal()]


def _size(path: Path) -> int:
    return int(path.stem)


def _store(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, durable and read-only; one that is there must say the same."""
    if path.exists():
        if path.read_bytes() != content:
            raise StoreError(f"{path} says something else than the database")
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o444), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _load(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as failure:
        raise StoreError(f"{path}: {failure.strerror}") from failure
    if len(raw) > limit:
        raise StoreError(f"{path} has over {limit} octets")
    return raw
