"""How values are written in every response."""

from __future__ import annotations

from datetime import UTC, datetime


def render_time(time: datetime) -> str:
    """RFC 3339, UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
