"""Record a conversation with a card, and replay it without the card."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

from eid import errors
from eid.errors import ReplayMismatchError, TransportError
from eid.protocols.exchange import Connection
from eid.transport.apdu_log import (
    ApduLog,
    LogEntry,
    LoggedCommand,
    LoggedFailure,
    LoggedReset,
    Redaction,
    encode_log_entry,
    encode_log_header,
    redact,
)


class RecordingConnection:
    """A `Connection` around another one that writes the log of what passes.

    Args:
        write: is given each line of the log as it happens, e.g. a text file's `write`.
        redaction: what the log leaves out; a plain log holds personal data and must be kept like the card itself.
        clock: seconds from any origin.
    """

    def __init__(
        self,
        connection: Connection,
        write: Callable[[str], object],
        *,
        redaction: Redaction = Redaction.COMMAND_DATA,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._connection = connection
        self._write = write
        self._redaction = redaction
        self._clock = clock
        write(encode_log_header(connection.atr, redaction))

    @property
    def atr(self) -> bytes:
        """The card's ATR."""
        return self._connection.atr

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU, return the response APDU, log both."""
        begun = self._clock()
        try:
            response = self._connection.transmit(command)
        except TransportError as failure:
            self._log(LoggedFailure(type(failure).__name__))
            raise
        microseconds = int((self._clock() - begun) * 1_000_000)
        self._log(redact(command, response, self._redaction, microseconds))
        return response

    def reset(self) -> bytes:
        """Reset the card, log and return its ATR."""
        atr = self._connection.reset()
        self._log(LoggedReset(atr))
        return atr

    def close(self) -> None:
        """Let go of the card."""
        self._connection.close()

    def _log(self, entry: LogEntry) -> None:
        self._write(encode_log_entry(entry))


class ReplayConnection:
    """A `Connection` that answers from a log; each command must be the one that the log has next."""

    def __init__(self, log: ApduLog) -> None:
        self._entries = log.entries
        self._atr = log.atr
        self._position = 0

    @property
    def atr(self) -> bytes:
        """The recorded card's ATR."""
        return self._atr

    @property
    def remaining(self) -> int:
        """Entries of the log that nobody has asked for yet."""
        return len(self._entries) - self._position

    def transmit(self, command: bytes) -> bytes:
        """Answer a command with the response that the log has for it.

        Raises:
            ReplayMismatchError: the log has another command next, none at all, or no response data.
            TransportError: the recording ended so at this point.
        """
        entry = self._next()
        if isinstance(entry, LoggedFailure):
            _raise_recorded(entry)
        if isinstance(entry, LoggedReset):
            raise ReplayMismatchError(f"{self._place()} a reset, not a command")
        if not _matches(entry, command):
            raise ReplayMismatchError(
                f"{self._place()} {entry.header.hex().upper()} of {entry.length} octets,"
                f" not this {command[:4].hex().upper()} of {len(command)}"
            )
        if entry.response is None:
            raise ReplayMismatchError(f"{self._place()} this command, but its response data is redacted")
        return entry.response

    def reset(self) -> bytes:
        """Answer a reset with the ATR that the log has for it.

        Raises:
            ReplayMismatchError: the log has no reset next.
        """
        entry = self._next()
        if not isinstance(entry, LoggedReset):
            raise ReplayMismatchError(f"{self._place()} no reset")
        self._atr = entry.atr
        return entry.atr

    def close(self) -> None:
        """Nothing is held."""

    def _next(self) -> LogEntry:
        if self._position == len(self._entries):
            raise ReplayMismatchError(f"the log ends after {self._position} entries")
        self._position += 1
        return self._entries[self._position - 1]

    def _place(self) -> str:
        return f"entry {self._position} of the log is"


def _matches(entry: LoggedCommand, command: bytes) -> bool:
    if entry.command is not None:
        return entry.command == command
    return entry.header == command[:4] and entry.length == len(command)


def _raise_recorded(entry: LoggedFailure) -> NoReturn:
    kind = getattr(errors, entry.error, None)
    if not (isinstance(kind, type) and issubclass(kind, TransportError)):
        kind = TransportError
    raise kind("the link failed here when the log was recorded")
