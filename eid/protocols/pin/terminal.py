"""The terminal's side of PIN management. All but the status runs inside a session that PACE has opened."""

from __future__ import annotations

import os
from collections.abc import Callable

from eid.codec.cv import Chat
from eid.errors import (
    LastTryError,
    LocalProtocolError,
    PasswordBlockedError,
    PasswordDeactivatedError,
    PasswordSuspendedError,
)
from eid.lds.security_infos import PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Exchange, send, through
from eid.protocols.pace.core import PaceResult, Password
from eid.protocols.pace.messages import SetAuthenticationTemplate, encode_set_at
from eid.protocols.pace.terminal import run_pace
from eid.protocols.pin import messages
from eid.protocols.pin.core import STATUS_WORDS, PinState, PinStatus, interpret_status_word, is_sound_pin


def read_pin_status(
    info: PACEInfo, password: PasswordId = PasswordId.PIN, *, name_parameters: bool = False
) -> Exchange[PinStatus]:
    """Ask for the state of a password, without trying it: MSE:Set AT for PACE (TR-03110-3 B.14.1).

    Raises:
        StatusWordError: the card has no such password, or does not run this protocol.
    """
    template = SetAuthenticationTemplate(info.protocol, password, info.parameter_id if name_parameters else None)
    response = yield from send(encode_set_at(template), "MSE:Set AT", *STATUS_WORDS)
    return interpret_status_word(response.sw)


def open_with_pin(
    info: PACEInfo,
    pin: bytes,
    can: bytes | None = None,
    random: Callable[[int], bytes] = os.urandom,
    *,
    name_parameters: bool = False,
    chat: Chat | None = None,
    use_last_try: bool = False,
    foreign_curves: bool = False,
) -> Exchange[PaceResult]:
    """PACE with the PIN; a suspended one is resumed by the CAN first, in one go (TR-03110-2 2.2.3).

    Args:
        chat, foreign_curves: as `run_pace` has them; the CAN resumes without the first.
        use_last_try: whether the last try may be spent; after it the card takes only the PUK.

    Raises:
        PasswordSuspendedError: suspended, and no CAN was given. LastTryError: suspended, and the last try is not to be
            used. PasswordBlockedError: the PUK must unblock it.
        PasswordDeactivatedError: it is switched off. WrongPasswordError: CAN or PIN is wrong, with the tries left.
        and what `run_pace` raises.
    """
    status = yield from read_pin_status(info, name_parameters=name_parameters)
    inner = run_pace(
        info,
        Password(PasswordId.PIN, pin),
        random,
        name_parameters=name_parameters,
        chat=chat,
        foreign_curves=foreign_curves,
    )
    match status.state:
        case PinState.BLOCKED:
            raise PasswordBlockedError(PasswordId.PIN.name)
        case PinState.DEACTIVATED:
            raise PasswordDeactivatedError(PasswordId.PIN.name)
        case PinState.SUSPENDED if can is None:
            raise PasswordSuspendedError(PasswordId.PIN.name)
        case PinState.SUSPENDED if not use_last_try:
            raise LastTryError(PasswordId.PIN.name)
        case PinState.SUSPENDED:
            resumed = yield from run_pace(
                info,
                Password(PasswordId.CAN, can or b""),
                random,
                name_parameters=name_parameters,
                foreign_curves=foreign_curves,
            )
            return (yield from through(resumed.secure_messaging, inner))
    return (yield from inner)


def open_with_puk(
    info: PACEInfo,
    puk: bytes,
    random: Callable[[int], bytes] = os.urandom,
    *,
    name_parameters: bool = False,
    use_last_try: bool = False,
    foreign_curves: bool = False,
) -> Exchange[PaceResult]:
    """PACE with the PUK, whose tries are never given back on some cards (TR-03110-2 2.2.2).

    Raises:
        LastTryError: one try is left, and it is not to be used. PasswordBlockedError: none is left.
        WrongPasswordError: the PUK is wrong, with the tries left; and what `run_pace` raises.
    """
    status = yield from read_pin_status(info, PasswordId.PUK, name_parameters=name_parameters)
    if status.state is PinState.BLOCKED:
        raise PasswordBlockedError(PasswordId.PUK.name)
    if status.tries_left == 1 and not use_last_try:
        raise LastTryError(PasswordId.PUK.name)
    entry = Password(PasswordId.PUK, puk)
    return (yield from run_pace(info, entry, random, name_parameters=name_parameters, foreign_curves=foreign_curves))


def change_pin(new_pin: bytes) -> Exchange[None]:
    """Set a new PIN, in a session that the PIN has opened or for an authority with the right to manage PINs.

    Args:
        new_pin: 4 to 16 digits, ASCII.

    Raises:
        StatusWordError: 6982 the session does not allow it, 6A80 the card does not like the PIN.
        LocalProtocolError: not 4 to 16 digits.
    """
    if not is_sound_pin(new_pin):
        raise LocalProtocolError("a PIN has 4 to 16 digits")
    yield from send(messages.encode_change(PasswordId.PIN, new_pin), "RESET RETRY COUNTER")


def unblock_pin() -> Exchange[None]:
    """Give the PIN all its tries back, in a session that the PUK has opened.

    Raises:
        StatusWordError: 6982 the session does not allow it.
    """
    yield from send(messages.encode_unblock(PasswordId.PIN), "RESET RETRY COUNTER")


def activate_pin() -> Exchange[None]:
    """Switch the PIN on, as an authority with the right to manage PINs.

    Raises:
        StatusWordError: 6982.
    """
    yield from send(messages.encode_activate(PasswordId.PIN), "ACTIVATE")


def deactivate_pin() -> Exchange[None]:
    """Switch the PIN off, as an authority with the right to manage PINs.

    Raises:
        StatusWordError: 6982.
    """
    yield from send(messages.encode_deactivate(PasswordId.PIN), "DEACTIVATE")
