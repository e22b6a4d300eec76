"""A disk that may lose power after any system call: what a card's file could then hold, call by call.

The calls of `eid.store.card_file` are recorded while they are really made. The model is the weakest that POSIX allows:
what was written is lost, in part or whole, until fsync of the file; a new name may be lost, or not, until fsync of the
folder. So a missing or misplaced fsync shows, which a real disk would hide.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eid.store import card_file, files

CALLS = ("open", "write", "fsync", "close", "replace")


@dataclass(frozen=True)
class Call:
    """One system call, or a mark ("command", "answer") with the card's state at that moment."""

    name: str
    path: str = ""
    data: bytes = field(default=b"", repr=False)
    other: str = ""


class Disk:
    """Stands in for the module `os` in `eid.store.card_file`.

    Args:
        fail_at: the call, counted from 1 over all recorded ones, that fails with EIO.
    """

    def __init__(self, fail_at: int | None = None) -> None:
        self.log: list[Call] = []
        self.fail_at = fail_at
        self.count = 0
        self._paths: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def mark(self, name: str, state: bytes) -> None:
        self.log.append(Call(name, data=state))

    def _record(self, name: str, path: str, data: bytes = b"", other: str = "") -> None:
        self.count += 1
        if self.count == self.fail_at:
            raise OSError(errno.EIO, "Input/output error")
        self.log.append(Call(name, path, data, other))

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if str(path).endswith(".lock"):
            return os.open(path, flags, mode)
        self._record("open", str(path))
        descriptor = os.open(path, flags, mode)
        self._paths[descriptor] = str(path)
        return descriptor

    def write(self, descriptor: int, data: bytes) -> int:
        piece = bytes(data[: max(1, len(data) - len(data) // 3)])  # a short write, as POSIX allows
        self._record("write", self._paths[descriptor], piece)
        return os.write(descriptor, piece)

    def fsync(self, descriptor: int) -> None:
        self._record("fsync", self._paths[descriptor])

    def close(self, descriptor: int) -> None:
        path = self._paths.pop(descriptor, None)
        os.close(descriptor)
        if path is not None:
            self._record("close", path)

    def replace(self, source: Path, target: Path) -> None:
        self._record("replace", str(source), other=str(target))
        os.replace(source, target)


def attach(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> Disk:
    for module in (card_file, files):
        monkeypatch.setattr(module, "os", disk)
    return disk


@dataclass
class _Inode:
    content: bytes = b""
    is_synced: bool = False

    def images(self) -> set[bytes]:
        """What may be found of it after a power cut."""
        if self.is_synced:
            return {self.content}
        return {self.content[:length] for length in (0, len(self.content) // 2, len(self.content))}


def after_power_cuts(disk: Disk, path: Path, at_first: bytes) -> Iterator[tuple[Call, set[bytes]]]:
    """After each call: the call, and everything that the card's file may hold if the power goes now."""
    files: dict[str, _Inode] = {}
    named = [_Inode(at_first, is_synced=True)]  # what the name may stand for: the durable one, and later ones
    for call in disk.log:
        match call.name:
            case "open":
                files.setdefault(call.path, _Inode())
            case "write":
                files[call.path].content += call.data
                files[call.path].is_synced = False
            case "fsync" if call.path == str(path.parent):
                named = named[-1:]
            case "fsync":
                files[call.path].is_synced = True
            case "replace" if call.other == str(path):
                named.append(files.pop(call.path))
        yield call, set().union(*(inode.images() for inode in named))
