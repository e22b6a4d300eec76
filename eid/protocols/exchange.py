"""Terminal protocols as generators: they yield requests, receive replies and return their result.

A protocol written so does no I/O and needs no threads. `drive` is the only loop that talks to a card; `through` runs an
exchange inside a secure channel; composition is ``yield from``. A test feeds recorded replies, a server can hold an
exchange and relay its APDUs to a reader far away.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias, TypeVar

from eid.codec.apdu import (
    MAX_EXTENDED_LE,
    MAX_SHORT_LE,
    CommandAPDU,
    ResponseAPDU,
    decode_response,
    split_chain,
)
from eid.codec.status_word import SW, describe_status_word
from eid.errors import LocalProtocolError, PeerProtocolError, StatusWordError

T = TypeVar("T")
_GENERAL_AUTHENTICATE: Final = 0x86
_BYTES_REMAINING: Final = SW.BYTES_REMAINING >> 8


@dataclass(frozen=True, slots=True)
class Reset:
    """Ask for a card reset; the reply is a `ResponseAPDU` whose data is the ATR."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Ask that a fact be made durable before the exchange goes on, or mark where a step begins and ends.

    Args:
        step: stable name of the step. phase: "intent" or "result" of a personalisation step, "begin" or "end" of a
            reading step.
        detail: facts worth keeping (digests, key versions, public keys); never a secret, never personal data.
    """

    step: str
    phase: str
    detail: dict[str, str] = field(default_factory=dict)


Request: TypeAlias = CommandAPDU | Reset | Checkpoint
Exchange: TypeAlias = Generator[Request, ResponseAPDU, T]


class Connection(Protocol):
    """A card within reach."""

    @property
    def atr(self) -> bytes:
        """Answer to reset, or the ATR that PC/SC makes up for a contactless card (PC/SC part 3, 3.1.3.2.3)."""

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU, return the response APDU.

        Raises:
            TransportError: the link failed.
        """

    def reset(self) -> bytes:
        """Reset the card, return its ATR."""

    def close(self) -> None:
        """Let go of the card."""


class CheckpointSink(Protocol):
    """Where checkpoints become durable."""

    def record(self, checkpoint: Checkpoint) -> None:
        """Return only once the fact is durable."""


class SecureChannel(Protocol):
    """The terminal's side of secure messaging or of SCP03."""

    def protect_command(self, command: CommandAPDU) -> CommandAPDU:
        """Wrap a command."""

    def unprotect_response(self, response: ResponseAPDU) -> ResponseAPDU:
        """Check and unwrap a response.

        Raises:
            AuthenticationError: the MAC is wrong or missing; the channel is dead from then on.
        """


def collect(response: ResponseAPDU) -> Exchange[ResponseAPDU]:
    """Fetch what a card holds back with 61xx, by GET RESPONSE, and join it (ISO/IEC 7816-4 5.3.4, 11.9.1).

    Raises:
        PeerProtocolError: the card promises octets and gives none, or more than a response can hold.
    """
    data = response.data
    while response.sw >> 8 == _BYTES_REMAINING:
        response = yield CommandAPDU(0x00, 0xC0, 0x00, 0x00, le=response.sw & 0xFF or MAX_SHORT_LE)
        data += response.data
        if not response.data or len(data) > MAX_EXTENDED_LE:
            raise PeerProtocolError("GET RESPONSE brings nothing, or does not come to an end")
    return ResponseAPDU(data, response.sw)


def transmit(command: CommandAPDU) -> Exchange[ResponseAPDU]:
    """Send one command and return its whole response, whatever the status word."""
    response = yield command
    return (yield from collect(response)) if response.sw >> 8 == _BYTES_REMAINING else response


def send(command: CommandAPDU, name: str, *accepted: int) -> Exchange[ResponseAPDU]:
    """Send one command and insist on 9000 or one of the `accepted` status words.

    Args:
        name: the command's name for the error text.

    Raises:
        StatusWordError: the card answered something else.
    """
    response = yield from transmit(command)
    if response.sw not in accepted:
        require_success(response, name)
    return response


def require_success(response: ResponseAPDU, name: str) -> ResponseAPDU:
    """The response, if its status word is 9000.

    Raises:
        StatusWordError: the card answered something else. This is the only place that raises it.
    """
    if response.sw != SW.OK:
        raise StatusWordError(response.sw, name, describe_status_word(response.sw))
    return response


def through(channel: SecureChannel, exchange: Exchange[T], *, max_link: int | None = None) -> Exchange[T]:
    """Turn an exchange into the same exchange inside a secure channel. Checkpoints pass; a reset cannot.

    Args:
        max_link: octets of data that the card takes at once; a longer protected command goes as a chain (ISO/IEC 7816-4
            5.3.3). None: as it is, in extended length where it needs that.

    Whatever fails, be it the channel or the link below it, is thrown into the inner exchange where it waits, so that an
    exchange means the same inside a channel as outside.
    """
    return _send_each(exchange, lambda request: _relay(channel, request, max_link))


def in_links(exchange: Exchange[T], max_data: int) -> Exchange[T]:
    """Turn an exchange into the same one with its long commands cut into chains (ISO/IEC 7816-4 5.3.3).

    Put it *inside* `through` for ISO secure messaging, which protects each link as a command of its own; SCP03 protects
    the whole command and cuts it then (`max_link` of `through`). A GENERAL AUTHENTICATE that is a link already is left
    alone: it is a step of PACE (Doc 9303-11 4.4.4.2). Chip Authentication has a single one, which is cut.

    Args:
        max_data: octets of plain data that a link can carry.
    """
    return _send_each(exchange, lambda request: _send_links(request, max_data))


def _send_each(exchange: Exchange[T], send: Callable[[Request], Exchange[ResponseAPDU]]) -> Exchange[T]:
    """The same exchange, each of its requests sent in another way."""
    try:
        request = next(exchange)
        while True:
            try:
                reply = (yield request) if isinstance(request, Checkpoint) else (yield from send(request))
            except Exception as failure:  # noqa: BLE001 - not ours to judge: the inner exchange gets it where it waits
                request = exchange.throw(failure)
            else:
                request = exchange.send(reply)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # the typeshed gives StopIteration.value as Any
    finally:
        exchange.close()


def _send_links(request: Request, max_data: int) -> Exchange[ResponseAPDU]:
    if not isinstance(request, CommandAPDU) or (request.ins == _GENERAL_AUTHENTICATE and request.is_chained):
        return (yield request)
    *links, last = split_chain(request, max_data)
    for link in links:
        refused = yield link
        if refused.sw != SW.OK:
            return refused
    return (yield last)


def _relay(channel: SecureChannel, request: Request, max_link: int | None) -> Exchange[ResponseAPDU]:
    if isinstance(request, Reset):
        raise LocalProtocolError("a reset cannot pass through a secure channel")
    if isinstance(request, Checkpoint):
        return (yield request)
    protected = channel.protect_command(request)
    if max_link is None:
        return channel.unprotect_response((yield from transmit(protected)))
    *links, last = split_chain(protected, max_link)
    for link in links:
        refused = yield from transmit(replace(link, extended=False))
        if refused.sw != SW.OK:
            return channel.unprotect_response(refused)
    if links:
        last = replace(last, extended=False)
    # GET RESPONSE is no command of its own to the channel: what it fetches is unprotected as one response.
    return channel.unprotect_response((yield from transmit(last)))


class _Discard:
    def record(self, checkpoint: Checkpoint) -> None:
        """Keep nothing."""


def drive(exchange: Exchange[T], connection: Connection, checkpoints: CheckpointSink | None = None) -> T:
    """Run an exchange against a card: the only loop that does I/O.

    Args:
        checkpoints: where checkpoints are made durable; without it they are dropped.

    Raises:
        TransportError: the link failed; and whatever the exchange raises. A failing link is thrown into the exchange,
            so that it can leave a checkpoint behind, and then raised.
    """
    sink = checkpoints if checkpoints is not None else _Discard()
    try:
        request = next(exchange)
        while True:
            try:
                reply = _answer(request, connection, sink)
            except Exception as failure:  # noqa: BLE001 - thrown in where the exchange waits, so it can clean up
                request = exchange.throw(failure)
            else:
                request = exchange.send(reply)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # the typeshed gives StopIteration.value as Any
    finally:
        exchange.close()


def _answer(request: Request, connection: Connection, sink: CheckpointSink) -> ResponseAPDU:
    if isinstance(request, Checkpoint):
        sink.record(request)
        return ResponseAPDU()
    if isinstance(request, Reset):
        return ResponseAPDU(connection.reset())
    return decode_response(connection.transmit(request.encode()))
