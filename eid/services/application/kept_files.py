"""Files are kept first and named by a row second; where the row is refused, the files go again.

What a process leaves that dies between the two lies there encrypted, under its name, until the same file comes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection, Engine

from eid.errors import EidError
from eid.gateways.blobs import BlobStore
from eid.store.blob_names import named_blobs
from eid.store.database import in_transaction, reading

T = TypeVar("T")


def name_or_drop(
    engine: Engine, blobs: BlobStore, bucket: int, names: Iterable[str], work: Callable[[Connection], T]
) -> T:
    """Run `work`, which names blobs that were kept, in a transaction; where it fails, what no row names is dropped.

    Args:
        bucket: of the rows. names: of the blobs.

    Raises:
        what `work` and `in_transaction` raise.
    """
    kept = tuple(names)
    try:
        return in_transaction(engine, work)
    except EidError:
        with suppress(EidError):  # it is told why it failed, not that something was left
            _drop_unnamed(engine, blobs, bucket, kept)
        raise


def _drop_unnamed(engine: Engine, blobs: BlobStore, bucket: int, names: tuple[str, ...]) -> None:
    """The same content of the same person is one blob: what another row names stays."""
    with reading(engine) as connection:
        named = named_blobs(connection, bucket, names)
    for name in names:
        if name not in named:
            blobs.delete(name)
