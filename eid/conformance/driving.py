"""Exchanges that go wrong on purpose: what a protocol sends is altered, cut off or kept."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, TypeVar

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.errors import (
    EidError,
    LocalProtocolError,
    PasswordBlockedError,
    PeerProtocolError,
    StatusWordError,
    WrongPasswordError,
)
from eid.protocols.exchange import Exchange, Request, transmit

T = TypeVar("T")
_GET_RESPONSE: Final = 0xC0


def interrupt(
    exchange: Exchange[object], at: int, alter: Callable[[CommandAPDU], CommandAPDU]
) -> Exchange[ResponseAPDU]:
    """Run an exchange up to its command number `at` (from 0), alter that one and return its answer; no more is run.

    Raises:
        what the exchange raises before; LocalProtocolError: it has not so many commands.
    """
    try:
        request = next(exchange)
        number = 0
        while True:
            if isinstance(request, CommandAPDU) and request.ins != _GET_RESPONSE:
                if number == at:
                    return (yield from transmit(alter(request)))
                number += 1
            request = exchange.send((yield request))
    except StopIteration as stop:
        raise LocalProtocolError(f"the exchange has no command {at}") from stop
    finally:
        exchange.close()


def record(exchange: Exchange[T], answers: list[ResponseAPDU]) -> Exchange[T]:
    """The same exchange; the card's answers go into the list as well, joined where they came in pieces."""
    try:
        request: Request = next(exchange)
        while True:
            try:
                reply = yield request
            except EidError as failure:
                request = exchange.throw(failure)
            else:
                if isinstance(request, CommandAPDU) and request.ins == _GET_RESPONSE and answers:
                    answers[-1] = ResponseAPDU(answers[-1].data + reply.data, reply.sw)
                else:
                    answers.append(reply)
                request = exchange.send(reply)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # the typeshed gives StopIteration.value as Any
    finally:
        exchange.close()


def refuses(exchange: Generator[Request, ResponseAPDU, object], what: str) -> Exchange[str]:
    """Run an exchange that the card has to break off by a status word; which one.

    Raises:
        PeerProtocolError: the card went along with it. AuthenticationError: it did, and failed to prove itself.
    """
    try:
        yield from exchange
    except (StatusWordError, WrongPasswordError, PasswordBlockedError) as refusal:
        return str(refusal)
    raise PeerProtocolError(f"{what} was accepted")
