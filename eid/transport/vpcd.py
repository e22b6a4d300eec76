"""The card's side of vpcd, the virtual reader driver of vsmartcard: a card object behind a TCP socket.

The card connects to vpcd (or vpcd to the card, where the driver was told a host). A frame is a length of two octets,
big endian, and that many octets. A frame of one octet controls the card: 0 power off, 1 power on, 2 reset, 4 send the
ATR; only the last is answered. Any other frame is a command APDU and is answered with a response APDU.

vpcd writes length and body with two calls and Nagle's algorithm on, so the body waits until the length is acknowledged.
Linux delays that acknowledgement by 40 ms unless TCP_QUICKACK is set, and forgets the setting after each read: it is
set again after *every* recv. Without it a card answers 20 commands a second, with it some 10,000.
"""

from __future__ import annotations

import socket
from enum import IntEnum, unique
from typing import Final

from eid.errors import CardRemovedError, ReaderUnavailableError, TransportError
from eid.transport.reactive_card import ReactiveCard

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 35963
MAX_FRAME: Final = 65535
_RECEIVE_SIZE: Final = 2 + MAX_FRAME
_RESPONSE_TOO_LONG: Final = b"\x6f\x00"  # ISO/IEC 7816-4 5.6: no precise diagnosis
_MUTE: Final = b"\x00"  # no response APDU: PC/SC reports a communication error
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)  # Linux only; elsewhere there is nothing to re-arm


@unique
class Control(IntEnum):
    """Frames of one octet."""

    POWER_OFF = 0
    POWER_ON = 1
    RESET = 2
    GET_ATR = 4


class VpcdLink:
    """Frames over a connected stream socket; owns the socket."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._buffer = bytearray()
        self._is_tcp = connected.family in (socket.AF_INET, socket.AF_INET6)
        connected.settimeout(None)
        if self._is_tcp:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self) -> bytes | None:
        """Return the next frame's body, 0..65535 octets; None once the other end or `shut_down` has ended the link."""
        while (frame := self._take_frame()) is None:
            if not self._fill():
                return None
        return frame

    def send(self, body: bytes) -> bool:
        """Send one frame of at most 65535 octets; False where the link has ended."""
        try:
            self._socket.sendall(len(body).to_bytes(2, "big") + body)
        except OSError:
            return False
        return True

    def shut_down(self) -> None:
        """End the link; a `receive` that waits in another thread returns None. Safe from a signal handler."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the other end was faster

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()

    def _take_frame(self) -> bytes | None:
        if len(self._buffer) < 2:
            return None
        end = 2 + int.from_bytes(self._buffer[:2], "big")
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[2:end])
        del self._buffer[:end]
        return frame

    def _fill(self) -> bool:
        try:
            chunk = self._socket.recv(_RECEIVE_SIZE)
            if self._is_tcp and _QUICKACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        except OSError:
            return False
        self._buffer += chunk
        return bool(chunk)


class VpcdCard:
    """A card object in a virtual reader's slot.

    Args:
        card: answers the commands. connected: a stream socket to vpcd; this object closes it.
    """

    def __init__(self, card: ReactiveCard, connected: socket.socket) -> None:
        self._card = card
        self._link = VpcdLink(connected)

    def serve(self) -> bool:
        """Answer until vpcd hangs up, `stop` is called, or the card removes itself; then the card has no power.

        Returns:
            whether the card has removed itself.
        """
        try:
            while (frame := self._link.receive()) is not None:
                answer = self._answer(frame)
                if answer is not None and not self._link.send(answer):
                    break
        except CardRemovedError:
            return True  # a card that is made to leave hangs up, which is how vpcd sees a removal
        else:
            return False
        finally:
            self._link.close()
            self._card.power_off()

    def stop(self) -> None:
        """Pull the card out: from another thread or from a signal handler."""
        self._link.shut_down()

    def _answer(self, frame: bytes) -> bytes | None:
        if len(frame) > 1:
            try:
                response = self._card.process(frame)
            except CardRemovedError:
                raise
            except TransportError:  # a card that is made to lose this command, or its answer
                return _MUTE
            return response if len(response) <= MAX_FRAME else _RESPONSE_TOO_LONG
        return self._control(frame[0]) if frame else None

    def _control(self, code: int) -> bytes | None:
        if code == Control.GET_ATR:
            return self._card.atr
        if code == Control.POWER_OFF:
            self._card.power_off()
        elif code in (Control.POWER_ON, Control.RESET):
            self._card.reset()
        return None  # an unknown code is not answered, for vpcd would not read it


def connect_to_vpcd(host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, timeout: float = 5.0) -> socket.socket:
    """Connect to a vpcd that listens.

    Args:
        timeout: seconds.

    Raises:
        ReaderUnavailableError: nothing listens there.
    """
    try:
        return socket.create_connection((host, port), timeout)
    except OSError as failure:
        raise ReaderUnavailableError(
            f"no virtual reader at {host}:{port} ({failure.strerror or failure}): is pcscd running, with the driver of"
            " the package vsmartcard-vpcd?"
        ) from failure


def serve_vpcd(card: ReactiveCard, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> VpcdCard:
    """Put a card into the slot of the vpcd that listens at host:port.

    Returns:
        The card in its slot: call its `serve` to answer, its `stop` from a signal handler to pull the card out.

    Raises:
        ReaderUnavailableError: nothing listens there.
    """
    return VpcdCard(card, connect_to_vpcd(host, port))
