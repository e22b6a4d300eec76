"""The terminal's side of PACE."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eid.codec.apdu import ResponseAPDU
from eid.codec.cv import Chat
from eid.codec.status_word import SW
from eid.crypto.integrated_mapping import nonce_lengths
from eid.crypto.mac import verify_mac
from eid.errors import DecodeError, PasswordBlockedError, PeerProtocolError, WrongPasswordError
from eid.lds.security_infos import PACEInfo
from eid.protocols.exchange import Exchange, require_success, transmit
from eid.protocols.pace import core, messages
from eid.protocols.pace.core import (
    ChipAuthenticationData,
    Mapping,
    Nonce,
    PaceResult,
    Parameters,
    Password,
    SessionKeys,
)
from eid.protocols.pace.messages import Answer, SetAuthenticationTemplate, Step


def run_pace(
    info: PACEInfo,
    password: Password,
    random: Callable[[int], bytes] = os.urandom,
    *,
    name_parameters: bool = False,
    chat: Chat | None = None,
    foreign_curves: bool = False,
) -> Exchange[PaceResult]:
    """Run PACE (Doc 9303-11 4.4.3) and open secure messaging.

    Args:
        name_parameters: send `info.parameter_id` in data object 84; due where several PACEInfos of the chip have the
            same protocol (4.4.4.1), refused by some chips elsewhere.
        chat: terminal type and rights, where Terminal Authentication version 2 is to follow.
        foreign_curves: whether a curve that the chip writes out and nobody knows will do, once it was validated.

    Raises:
        WrongPasswordError: the password is not the card's. PasswordBlockedError: the card takes it no more.
        StatusWordError: the card refuses otherwise. AuthenticationError: the card's token is wrong.
        PeerProtocolError: an answer is malformed, a key is not on the curve, or is our own sent back.
        LocalProtocolError: the PACEInfo asks for something that is not spoken here.
    """
    parameters = core.require_parameters(info, foreign_curves=foreign_curves)
    k_pi = core.derive_nonce_key(parameters.suite, password)
    parameter_id = info.parameter_id if name_parameters else None
    yield from _set_at(SetAuthenticationTemplate(info.protocol, password.id, parameter_id, chat), password)

    encrypted = (yield from _general_authenticate(Step.NONCE, b"", password)).value
    nonce = core.decrypt_nonce(parameters.suite, k_pi, encrypted)
    generator, mapping_public = yield from _map(parameters, nonce, password, random)

    key = parameters.group.generate(random)
    public = key.public_on(generator)
    peer = (yield from _general_authenticate(Step.KEY_AGREEMENT, public, password)).value
    with _peer_elements():
        keys = core.derive_session_keys(parameters.suite, key, public, peer)

    token = core.compute_token(parameters, keys, peer)
    answer = yield from _general_authenticate(Step.TOKEN, token, password)
    verify_mac(core.compute_token(parameters, keys, public), answer.value)
    chip = _chip_authentication_data(parameters, keys, answer, mapping_public)
    session = core.open_session(parameters.suite, keys)
    group = parameters.group.name
    return PaceResult(session, info, group, password.id, chip, peer, answer.references, chat)


def _map(
    parameters: Parameters, nonce: Nonce, password: Password, random: Callable[[int], bytes]
) -> Exchange[tuple[bytes, bytes]]:
    """The mapped generator, and the chip's public mapping key where the mapping has one."""
    if parameters.mapping is Mapping.INTEGRATED:
        terminal_nonce = random(nonce_lengths(parameters.suite)[1])
        yield from _general_authenticate(Step.MAPPING, terminal_nonce, password, may_be_empty=True)
        return core.map_nonces(parameters, nonce, terminal_nonce), b""
    mapping_key = parameters.group.generate(random)
    answer = yield from _general_authenticate(Step.MAPPING, mapping_key.public, password)
    with _peer_elements():
        return core.map_generator(parameters.group, nonce, mapping_key, answer.value), answer.value


def _chip_authentication_data(
    parameters: Parameters, keys: SessionKeys, answer: Answer, mapping_public: bytes
) -> ChipAuthenticationData | None:
    if parameters.mapping is not Mapping.CHIP_AUTHENTICATION:
        return None
    if answer.chip_authentication_data is None:
        raise PeerProtocolError("chip-authentication mapping without its data (Doc 9303-11 4.4.4.2)")
    factor = core.decrypt_chip_authentication_data(parameters.suite, keys, answer.chip_authentication_data)
    return ChipAuthenticationData(factor, mapping_public)


def _set_at(template: SetAuthenticationTemplate, password: Password) -> Exchange[None]:
    response = yield from transmit(messages.encode_set_at(template))
    if response.sw == SW.TRIES_LEFT:  # 63C0: none
        raise PasswordBlockedError(password.id.name)
    if response.sw & 0xFFF0 == SW.TRIES_LEFT:
        return  # earlier tries have failed; the password may still be used (TR-03110-3 B.14.1)
    _require_success(response, "MSE:Set AT", password)


def _general_authenticate(
    step: Step, value: bytes, password: Password, *, may_be_empty: bool = False
) -> Exchange[Answer]:
    response = yield from transmit(messages.encode_general_authenticate(step, value))
    _require_success(response, f"GENERAL AUTHENTICATE {step}", password)
    try:
        return messages.decode_answer(step, response.data, may_be_empty=may_be_empty)
    except DecodeError as fault:
        raise PeerProtocolError(f"PACE step {step}: {fault}") from fault


def _require_success(response: ResponseAPDU, name: str, password: Password) -> None:
    if response.sw == SW.AUTHENTICATION_METHOD_BLOCKED:
        raise PasswordBlockedError(password.id.name)
    if response.sw == SW.WARNING_AUTHENTICATION_FAILED:
        raise WrongPasswordError(password.id.name)
    if response.sw & 0xFFF0 == SW.TRIES_LEFT:
        raise WrongPasswordError(password.id.name, response.sw & 0x0F)
    require_success(response, name)


@contextmanager
def _peer_elements() -> Iterator[None]:
    """Inside, an element that does not decode is the card's fault."""
    try:
        yield
    except DecodeError as fault:
        raise PeerProtocolError(f"the card's public key: {fault}") from fault
