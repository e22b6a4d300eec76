"""Files that a person names on the command line: bounded before they are read."""

from __future__ import annotations

from pathlib import Path

from eid.errors import DecodeError


def read_input(path: Path, limit: int, what: str) -> bytes:
    """Read a whole file of at most `limit` octets; a pipe is read no further than that.

    Args:
        what: what the file ought to be, for the error text.

    Raises:
        DecodeError: it is empty, too large, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            if path.is_file() and path.stat().st_size > limit:
                raise DecodeError(f"{path}: over {limit} octets, so it is no {what}")
            raw = file.read(limit + 1)
    except (OSError, ValueError) as failure:  # a name with a zero octet is a ValueError
        if isinstance(failure, DecodeError):
            raise
        reason = failure.strerror if isinstance(failure, OSError) else "there can be no such file"
        raise DecodeError(f"{path}: {reason}") from failure
    if len(raw) > limit:
        raise DecodeError(f"{path}: over {limit} octets, so it is no {what}")
    if not raw:
        raise DecodeError(f"{path}: empty, so it is no {what}")
    return raw
