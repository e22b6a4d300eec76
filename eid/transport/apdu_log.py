"""The recorded log of a conversation with a card, JSON lines (docs/formats/apdu-log.md)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any, Final

from eid.errors import DecodeError

FORMAT: Final = "eid-apdu-log"
VERSION: Final = 1
MAX_LINE: Final = 300_000  # characters: a command and a response of 65,544 octets each, in hexadecimal, fit
MAX_LINES: Final = 1_000_000


@unique
class Redaction(StrEnum):
    """What a log leaves out."""

    NONE = "none"
    COMMAND_DATA = "command-data"  # headers and lengths of commands stay; such a log can still be replayed
    ALL_DATA = "all-data"  # of responses only length and status word stay


@dataclass(frozen=True, slots=True)
class LoggedCommand:
    """One command and its answer.

    Args:
        header: the first four octets. length: of the whole command APDU. command: all of it, None where redacted.
        response: the response APDU, None where redacted; then `response_length` and `sw` tell of it.
        microseconds: how long the answer took, where it was measured.
    """

    header: bytes
    length: int
    response_length: int
    sw: int
    command: bytes | None = field(default=None, repr=False)
    response: bytes | None = field(default=None, repr=False)
    microseconds: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedReset:
    """A reset. atr: what the card answered."""

    atr: bytes


@dataclass(frozen=True, slots=True)
class LoggedFailure:
    """The link failed at this point. error: name of the error in `eid.errors`."""

    error: str


LogEntry = LoggedCommand | LoggedReset | LoggedFailure


@dataclass(frozen=True, slots=True)
class ApduLog:
    """A whole log. atr: of the card as the recording began."""

    atr: bytes
    redaction: Redaction
    entries: tuple[LogEntry, ...] = field(repr=False)


def encode_log_header(atr: bytes, redaction: Redaction) -> str:
    """First line of a log, with its line feed."""
    return _line({"format": FORMAT, "version": VERSION, "redaction": redaction.value, "atr": atr.hex().upper()})


def encode_log_entry(entry: LogEntry) -> str:
    """One further line of a log, with its line feed."""
    if isinstance(entry, LoggedReset):
        return _line({"reset": entry.atr.hex().upper()})
    if isinstance(entry, LoggedFailure):
        return _line({"failure": entry.error})
    fields: dict[str, Any] = {}
    if entry.command is not None:
        fields["command"] = entry.command.hex().upper()
    else:
        fields |= {"header": entry.header.hex().upper(), "length": entry.length}
    if entry.response is not None:
        fields["response"] = entry.response.hex().upper()
    else:
        fields |= {"response_length": entry.response_length, "sw": f"{entry.sw:04X}"}
    if entry.microseconds is not None:
        fields["microseconds"] = entry.microseconds
    return _line(fields)


def redact(command: bytes, response: bytes, redaction: Redaction, microseconds: int | None = None) -> LoggedCommand:
    """Make the log entry of a command and its answer, leaving out what the redaction says."""
    return LoggedCommand(
        header=command[:4],
        length=len(command),
        response_length=len(response),
        sw=int.from_bytes(response[-2:], "big"),
        command=command if redaction is Redaction.NONE else None,
        response=None if redaction is Redaction.ALL_DATA else response,
        microseconds=microseconds,
    )


def decode_apdu_log(raw: bytes) -> ApduLog:
    """Decode a log.

    Raises:
        DecodeError: it is not UTF-8, not JSON lines, of another format or version, or a line makes no sense.
    """
    try:
        lines = raw.decode("utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as failure:
        raise DecodeError("APDU log is not UTF-8", offset=failure.start) from failure
    if len(lines) > MAX_LINES:
        raise DecodeError(f"APDU log of {len(lines)} lines, over {MAX_LINES}")
    header = _Fields(lines[0], 1)
    if header.text("format") != FORMAT or header.number("version") != VERSION:
        raise DecodeError(f"line 1: not an APDU log of format {FORMAT} version {VERSION}")
    try:
        redaction = Redaction(header.text("redaction"))
    except ValueError as failure:
        raise DecodeError("line 1: unknown redaction") from failure
    entries = tuple(_decode_entry(_Fields(line, number)) for number, line in enumerate(lines[1:], 2))
    return ApduLog(header.octets("atr"), redaction, entries)


def _decode_entry(fields: _Fields) -> LogEntry:
    if "reset" in fields:
        return LoggedReset(fields.octets("reset"))
    if "failure" in fields:
        return LoggedFailure(fields.text("failure"))
    command = fields.octets("command") if "command" in fields else None
    response = fields.octets("response") if "response" in fields else None
    if response is not None and len(response) < 2:
        raise fields.error("a response APDU has at least two octets")
    return LoggedCommand(
        header=command[:4] if command is not None else fields.octets("header"),
        length=len(command) if command is not None else fields.number("length"),
        response_length=len(response) if response is not None else fields.number("response_length"),
        sw=int.from_bytes((response if response is not None else fields.octets("sw"))[-2:], "big"),
        command=command,
        response=response,
        microseconds=fields.number("microseconds") if "microseconds" in fields else None,
    )


class _Fields:
    """The fields of one line, with the line's number for errors."""

    def __init__(self, line: str, number: int) -> None:
        self._number = number
        if len(line) > MAX_LINE:
            raise self.error(f"longer than {MAX_LINE} characters")
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as failure:
            raise self.error("not JSON") from failure
        if not isinstance(fields, dict):
            raise self.error("not a JSON object")
        self._fields: dict[str, Any] = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise self.error(f"field {name!r} is not a text")
        return value

    def number(self, name: str) -> int:
        value = self._fields.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(f"field {name!r} is not a number from 0")
        return value

    def octets(self, name: str) -> bytes:
        value = self.text(name)
        try:
            return bytes.fromhex(value)
        except ValueError as failure:
            raise self.error(f"field {name!r} is not hexadecimal") from failure

    def error(self, what: str) -> DecodeError:
        return DecodeError(f"APDU log, line {self._number}: {what}")


def _line(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":")) + "\n"
