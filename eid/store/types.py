"""Column types and identifiers that are the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import TypeDecorator

LANGUAGE: Final = String(3).with_variant(String(2), "sqlite")
"""A code of ISO 639. SQLite, where it was made with two letters once, keeps no lengths."""
_VERSION_7: Final = 7 << 76
_VARIANT: Final = 0b10 << 62


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware values in, UTC out. SQLite keeps no zone, so UTC is what it keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC.

        Raises:
            ValueError: the value has no zone; the caller's mistake.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Attach the zone that SQLite has dropped."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def new_id(now: datetime, random: Callable[[int], bytes] = os.urandom) -> uuid.UUID:
    """A UUID of version 7: sorted by time, unguessable, made without the database (RFC 9562 5.7)."""
    milliseconds = int(now.timestamp() * 1000) & (1 << 48) - 1
    noise = int.from_bytes(random(10), "big")
    rand_a, rand_b = noise >> 62 & 0xFFF, noise & (1 << 62) - 1
    return uuid.UUID(int=milliseconds << 80 | _VERSION_7 | rand_a << 64 | _VARIANT | rand_b)


def made_at(identifier: uuid.UUID) -> datetime:
    """When a UUID of version 7 was made, to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)


def new_id_like(relative: uuid.UUID, now: datetime, random: Callable[[int], bytes] = os.urandom) -> uuid.UUID:
    """A UUID of version 7 that lies in the same bucket as a relative: it has the same last octet."""
    return uuid.UUID(bytes=new_id(now, random).bytes[:15] + relative.bytes[15:])
