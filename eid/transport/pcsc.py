"""PC/SC through pyscard: the only importer of `smartcard`, and it imports it when a reader is first asked for.

pyscard's low-level API is used directly, for its high-level one walks each octet of a response in Python.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Final

from eid.errors import CardRemovedError, ReaderUnavailableError, TransportError
from eid.transport.t0 import transmit_t0

_RECONNECT_TRIES: Final = 3
_REMOVAL_POLL: Final = 1000  # milliseconds; vpcd looks for the card every 400, USB readers report at once
_STATUS_SLICE: Final = 250  # milliseconds; a wait is cut so that Ctrl-C is served


@dataclass(frozen=True, slots=True)
class ReaderInfo:
    """A reader that PC/SC knows. atr: of the card in it, empty where there is none."""

    index: int
    name: str
    card_present: bool
    in_use: bool
    atr: bytes


class PcscConnection:
    """A connected card. Made by `open_reader`; closing it resets the card, so that no session outlives it."""

    def __init__(self, reader: str, context: int, *, exclusive: bool) -> None:
        scard = _scard()
        self.reader = reader
        self._context = context
        self._share = scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.SCARD_SHARE_SHARED
        self._protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        result, self._card, protocol = scard.SCardConnect(context, reader, self._share, self._protocols)
        _raise_unless_ok(result, f"connecting to the card in {reader!r}")
        self._open = True
        self._removed = False
        self._use_protocol(protocol)
        self._atr = self._read_atr()

    @property
    def atr(self) -> bytes:
        """Answer to the last reset, as PC/SC gives it (PC/SC part 3, 3.1.3.2.3 for contactless cards)."""
        return self._atr

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU, return the response APDU; under T=0 the whole response is gathered.

        Raises:
            CardRemovedError: the card left the reader.
            TransportError: the link failed, or another program has reset the card.
        """
        if self._is_t0:
            return transmit_t0(self._transmit, command)
        return self._transmit(command)

    def reset(self) -> bytes:
        """Reset the card (warm), return its ATR.

        Raises:
            CardRemovedError: the card left the reader.
            TransportError: the link failed.
        """
        self._require_open()
        scard = _scard()
        for _ in range(_RECONNECT_TRIES):
            result, protocol = scard.SCardReconnect(self._card, self._share, self._protocols, scard.SCARD_RESET_CARD)
            if result != scard.SCARD_W_RESET_CARD:  # somebody else reset it in between: once more
                break
        self._check(result, "resetting the card")
        self._use_protocol(protocol)
        self._atr = self._read_atr()
        return self._atr

    def close(self) -> None:
        """Reset the card and let go of it; closing twice is harmless, and so is a card that has left."""
        if self._open:
            self._open = False
            scard = _scard()
            # vpcd waits for ever for a card that it is to reset and that has left: its reader would be lost
            disposition = scard.SCARD_LEAVE_CARD if self._removed else scard.SCARD_RESET_CARD
            scard.SCardDisconnect(self._card, disposition)
            scard.SCardReleaseContext(self._context)

    def __enter__(self) -> PcscConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _use_protocol(self, protocol: int) -> None:
        scard = _scard()
        self._is_t0 = protocol == scard.SCARD_PROTOCOL_T0
        self._header = scard.SCARD_PCI_T0 if self._is_t0 else scard.SCARD_PCI_T1
        self._scard_transmit = scard.SCardTransmit

    def _transmit(self, command: bytes) -> bytes:
        if not self._open:
            self._require_open()
        result, response = self._scard_transmit(self._card, self._header, list(command))
        if result:
            self._check(result, "transmitting to the card")
        if len(response) < 2:  # pcscd 1.9 reports success where vpcd lost its card while waiting for the answer
            self._check(_scard().SCARD_E_NOT_TRANSACTED, "waiting for an answer")
        return bytes(response)

    def _read_atr(self) -> bytes:
        result, _reader, _state, _protocol, atr = _scard().SCardStatus(self._card)
        self._check(result, "reading the card's ATR")
        return bytes(atr)

    def _check(self, result: int, doing: str) -> None:
        scard = _scard()
        try:
            if result == scard.SCARD_E_NOT_TRANSACTED and self._has_left():
                raise CardRemovedError(f"the card left the reader {self.reader!r} while {doing}")
            _raise_unless_ok(result, f"{doing} in {self.reader!r}")
        except CardRemovedError:
            self._removed = True
            raise

    def _has_left(self) -> bool:
        """A card pulled out in mid-command is first reported as "not transacted"; the reader's state follows."""
        return _wait_for_state(self._context, self.reader, present=False, milliseconds=_REMOVAL_POLL)

    def _require_open(self) -> None:
        if not self._open:
            raise TransportError(f"the connection to {self.reader!r} is closed")


def list_readers() -> tuple[ReaderInfo, ...]:
    """All readers that PC/SC knows, in its order; empty where there is none.

    Raises:
        ReaderUnavailableError: there is no pyscard or no PC/SC service.
    """
    with _context() as context:
        names = _reader_names(context)
        if not names:
            return ()
        scard = _scard()
        result, states = scard.SCardGetStatusChange(context, 0, [(name, scard.SCARD_STATE_UNAWARE) for name in names])
        if result not in (scard.SCARD_S_SUCCESS, scard.SCARD_E_TIMEOUT):
            _raise_unless_ok(result, "asking for the readers' state")
        return tuple(_reader_info(index, state) for index, state in enumerate(states))


def open_reader(reader: str | int | None = None, *, exclusive: bool = True, wait: float = 0.0) -> PcscConnection:
    """Connect to the card in a reader.

    Args:
        reader: name, an unambiguous part of it (upper and lower case alike), or index; None takes the first reader that
            holds a card, else the first.
        exclusive: keep every other program away from the card, as a session with it deserves.
        wait: seconds to wait for a card.

    Raises:
        ReaderUnavailableError: no pyscard, no PC/SC service, no such reader, no card in it, or it is in use.
    """
    name = find_reader(reader).name
    context = _establish()
    try:
        if wait > 0:
            _wait_for_state(context, name, present=True, milliseconds=int(wait * 1000))
        return PcscConnection(name, context, exclusive=exclusive)
    except BaseException:
        _scard().SCardReleaseContext(context)
        raise


def find_reader(reader: str | int | None = None) -> ReaderInfo:
    """Find one reader by name, part of a name or index, as `open_reader` does.

    Raises:
        ReaderUnavailableError: there is none, or more than one has that part in its name.
    """
    readers = list_readers()
    if not readers:
        raise ReaderUnavailableError("PC/SC runs but knows no reader: plug one in, or start a virtual one")
    if reader is None:
        return next((info for info in readers if info.card_present), readers[0])
    if isinstance(reader, int):
        found = [info for info in readers if info.index == reader]
    else:
        found = [info for info in readers if info.name == reader]
        found = found or [info for info in readers if reader.casefold() in info.name.casefold()]
    if len(found) == 1:
        return found[0]
    known = ", ".join(repr(info.name) for info in readers)
    raise ReaderUnavailableError(f"{'several readers match' if found else 'no reader'} {reader!r}; there are: {known}")


def require_pyscard() -> None:
    """Insist on pyscard without asking for the PC/SC service.

    Raises:
        ReaderUnavailableError: it is not installed.
    """
    _scard()


def wait_for_card(reader: str, present: bool = True, timeout: float = 5.0) -> bool:
    """Wait until the reader reports a card, or reports none; tell whether it came to that within `timeout` seconds.

    Raises:
        ReaderUnavailableError: no pyscard, no PC/SC service or no such reader.
    """
    with _context() as context:
        return _wait_for_state(context, reader, present=present, milliseconds=int(timeout * 1000))


@cache
def _scard() -> Any:  # pyscard's wrapper of the PC/SC functions carries no types
    try:
        import smartcard.scard as scard  # lazily, for it is an extra
    except ImportError as failure:
        raise ReaderUnavailableError(
            "PC/SC needs pyscard: pip install 'eid-card[pcsc]' (on Debian first: apt-get install gcc python3-dev"
            f" libpcsclite-dev pcscd) ({failure})"
        ) from failure
    module: ModuleType = scard
    return module


def _establish() -> int:
    scard = _scard()
    result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    _raise_unless_ok(result, "asking for the PC/SC service")
    return int(context)


@contextmanager
def _context() -> Iterator[int]:
    context = _establish()
    try:
        yield context
    finally:
        _scard().SCardReleaseContext(context)


def _reader_names(context: int) -> list[str]:
    scard = _scard()
    result, names = scard.SCardListReaders(context, [])
    if result == scard.SCARD_E_NO_READERS_AVAILABLE:
        return []
    _raise_unless_ok(result, "listing the readers")
    return list(names)


def _reader_info(index: int, state: tuple[str, int, list[int]]) -> ReaderInfo:
    scard = _scard()
    name, flags, atr = state
    in_use = bool(flags & (scard.SCARD_STATE_INUSE | scard.SCARD_STATE_EXCLUSIVE))
    return ReaderInfo(index, name, bool(flags & scard.SCARD_STATE_PRESENT), in_use, bytes(atr))


def _wait_for_state(context: int, reader: str, *, present: bool, milliseconds: int) -> bool:
    scard = _scard()
    deadline = time.monotonic() + milliseconds / 1000
    known = scard.SCARD_STATE_UNAWARE
    while True:
        result, states = scard.SCardGetStatusChange(context, _STATUS_SLICE, [(reader, known)])
        if result == scard.SCARD_S_SUCCESS:
            known = states[0][1] & ~scard.SCARD_STATE_CHANGED
            if bool(known & scard.SCARD_STATE_PRESENT) is present:
                return True
        elif result != scard.SCARD_E_TIMEOUT:
            _raise_unless_ok(result, f"watching the reader {reader!r}")
        if time.monotonic() >= deadline:
            return False


def _raise_unless_ok(result: int, doing: str) -> None:
    scard = _scard()
    if result == scard.SCARD_S_SUCCESS:
        return
    if result in (scard.SCARD_W_REMOVED_CARD, scard.SCARD_W_UNPOWERED_CARD, scard.SCARD_E_READER_UNAVAILABLE):
        raise CardRemovedError(f"the card or its reader is gone ({doing})")
    explanation = _UNAVAILABLE.get(result & 0xFFFFFFFF)
    if explanation is not None:
        raise ReaderUnavailableError(f"{explanation} ({doing})")
    raise TransportError(
        f"PC/SC failed while {doing}: {scard.SCardGetErrorMessage(result)} ({result & 0xFFFFFFFF:08X})"
    )


_UNAVAILABLE: Final = {  # winscard.h
    0x80100009: "there is no such reader",
    0x8010000B: "another program is using the card",
    0x8010000C: "there is no card in the reader",
    0x80100066: "the card does not answer to a reset",
    0x8010001D: "no PC/SC service: install and start it (Debian: apt-get install pcscd; systemctl start pcscd)",
    0x8010001E: "the PC/SC service has stopped: start it again (Debian: systemctl start pcscd)",
    0x8010002E: "PC/SC knows no reader",
}
