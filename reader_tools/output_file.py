"""Files that a command leaves behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from eid.errors import StoreError


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, for it tells of a person; it appears whole or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    with private_file(path) as file:
        file.write(content)


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write into, that its owner alone may read; it appears whole when the context ends well, or not at all.

    Raises:
        StoreError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        if path.exists() and not path.is_file():  # a pipe or device is written to as it is
            with path.open("wb") as file:
                yield file
            return
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            yield file
        unfinished.replace(path)
    except OSError as failure:
        raise StoreError(f"{path} cannot be written: {failure.strerror}") from failure
    finally:
        unfinished.unlink(missing_ok=True)
