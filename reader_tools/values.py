"""Kinds of values on the command line; a malformed one is wrong usage."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

Context = click.Context | None
Parameter = click.Parameter | None
FILE: Final = click.Path(path_type=Path)  # whether it is there is found out by opening it
DIRECTORY: Final = click.Path(file_okay=False, path_type=Path)


class HexOctets(click.ParamType[bytes]):
    """Octets in hexadecimal. length: how many there must be, or from how many to how many; None: some."""

    name = "hex"

    def __init__(self, length: int | range | None = None) -> None:
        self._lengths = range(length, length + 1) if isinstance(length, int) else length

    def convert(self, value: Any, param: Parameter, ctx: Context) -> bytes:
        """Read them; blanks and colons between octets are allowed."""
        if isinstance(value, bytes):
            return value
        try:
            octets = bytes.fromhex(value.replace(":", " "))
        except ValueError:
            self.fail("not hexadecimal octets", param, ctx)
        if not octets or (self._lengths is not None and len(octets) not in self._lengths):
            self.fail(f"{len(octets)} octets where {self._due()} are due", param, ctx)
        return octets

    def _due(self) -> str:
        if self._lengths is None:
            return "some"
        first, last = self._lengths[0], self._lengths[-1]
        return str(first) if first == last else f"{first} to {last}"


class UtcTime(click.ParamType[datetime]):
    """A time in ISO 8601: a date means its first second, a time without a zone is UTC."""

    name = "time"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> datetime:
        """Read it into UTC, to the second."""
        if isinstance(value, datetime):
            return value
        try:
            time = datetime.fromisoformat(value)
            zoned = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("not an ISO 8601 date or time, e.g. 2026-06-01 or 2026-06-01T12:00:00Z", param, ctx)
        return zoned.replace(microsecond=0)


class HostPort(click.ParamType[tuple[str, int]]):
    """HOST:PORT; an IPv6 address stands in brackets."""

    name = "host:port"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> tuple[str, int]:
        """Split it."""
        if isinstance(value, tuple):
            return value
        host, separator, port = value.rpartition(":")
        if not separator or not host or not (port.isascii() and port.isdecimal()) or int(port) > 0xFFFF:
            self.fail("not HOST:PORT", param, ctx)
        return host.removeprefix("[").removesuffix("]"), int(port)


class DataGroupFile(click.ParamType[tuple[int, Path]]):
    """A data group in a file: 1=FILE or DG1=FILE."""

    name = "n=file"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> tuple[int, Path]:
        """Split it."""
        if isinstance(value, tuple):
            return value
        name, separator, path = value.partition("=")
        if not separator or not path:
            self.fail("not NUMBER=FILE, e.g. 1=dg1.bin", param, ctx)
        return data_group_number(name, param, ctx), Path(path)


def data_group_number(name: str, param: Parameter = None, ctx: Context = None) -> int:
    """The number in "1" or "DG1".

    Raises:
        click.BadParameter: there is no such data group.
    """
    digits = name.strip().upper().removeprefix("DG")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 2 and 1 <= int(digits) <= 16:
        return int(digits)
    raise click.BadParameter(f"there is no data group {name!r}; there are 1 to 16", ctx, param)
