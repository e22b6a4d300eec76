"""The file of a virtual card: replaced as a whole, so that it is the old card or the new one whatever happens.

The new state is written beside the file and forced to the disk, takes the file's name in one step, and the folder is
forced to the disk, so that the name is durable too. One process holds the file at a time.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from typing import Final, Self

from eid.errors import StoreError
from eid.store.files import make_names_durable

MODE: Final = 0o600  # the state holds the chip's private keys
MAX_STATE: Final = 16 * 1024 * 1024  # octets
_TEMPORARY_SUFFIX: Final = ".tmp"


class CardFile:
    """A card file that this process holds until `close`. Make one with `open_card_file`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock
        self._remove_leftovers()

    def load(self) -> bytes:
        """Read the state.

        Raises:
            StoreError: there is no such file, it is not a file, it is too large, or it cannot be read.
        """
        return load_card_file(self.path)

    def store(self, state: bytes) -> None:
        """Replace the state; return when that is durable.

        Raises:
            StoreError: it could not be; the file then holds the old state or, if only the last step failed, the new
                one.
        """
        if self._lock is None:
            raise StoreError(f"the card file {self.path} was let go of")
        temporary = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}{_TEMPORARY_SUFFIX}")
        try:
            try:
                _write_durably(temporary, state)
                os.replace(temporary, self.path)
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
            make_names_durable(self.path.parent)
        except OSError as failure:
            raise StoreError(f"the card file {self.path} cannot be written: {failure.strerror}") from failure

    def close(self) -> None:
        """Let go of the file; harmless twice."""
        if self._lock is not None:
            os.close(self._lock)  # which ends the lock
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remove_leftovers(self) -> None:
        """Whoever holds the lock is the only writer: what another one left behind when it was killed is rubbish."""
        for leftover in self.path.parent.glob(f".{_literal(self.path.name)}.*{_TEMPORARY_SUFFIX}"):
            leftover.unlink(missing_ok=True)


def open_card_file(path: Path) -> CardFile:
    """Take hold of a card file, which need not exist yet.

    Raises:
        StoreError: another process holds it, or the folder cannot be written to.
    """
    lock_path = path.with_name(f".{path.name}.lock")
    try:
        lock = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
    except OSError as failure:
        raise StoreError(f"the card file {path} cannot be locked: {failure.strerror}") from failure
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        os.close(lock)
        raise StoreError(f"another process is using the card file {path}") from failure
    return CardFile(path, lock)


def load_card_file(path: Path) -> bytes:
    """Read a card's state without taking hold of the file: it is whole at any moment.

    Raises:
        StoreError: there is no such file, it is not a file, it is too large, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            state = file.read(MAX_STATE + 1)
    except FileNotFoundError as failure:
        raise StoreError(f"there is no card file {path}") from failure
    except OSError as failure:
        raise StoreError(f"the card file {path} cannot be read: {failure.strerror}") from failure
    if len(state) > MAX_STATE:
        raise StoreError(f"{path} is over {MAX_STATE} octets, so it is no card file")
    return state


def _write_durably(path: Path, state: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
    try:
        rest = memoryview(state)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
