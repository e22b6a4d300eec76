"""The terminal's side of PACE."""

from __future__ import annotations

import os
from collections.abc import Callable

from eid.codec.apdu import ResponseAPDU
from eid.codec.status_word import SW
from eid.crypto import points
from eid.crypto.mac import verify_mac
from eid.crypto.points import Point
from eid.errors import DecodeError, PasswordBlockedError, PeerProtocolError, WrongPasswordError
from eid.lds.security_infos import PACEInfo
from eid.protocols.exchange import Exchange, require_success, transmit
from eid.protocols.pace import core, messages
from eid.protocols.pace.core import PaceResult, Parameters, Password
from eid.protocols.pace.messages import SetAuthenticationTemplate, Step


def run_pace(
    info: PACEInfo,
    password: Password,
    random: Callable[[int], bytes] = os.urandom,
    *,
    name_parameters: bool = False,
) -> Exchange[PaceResult]:
    """Run PACE (Doc 9303-11 4.4.3) and open secure messaging.

    Args:
        name_parameters: send `info.parameter_id` in data object 84; due where several PACEInfos of the chip have the
            same protocol (4.4.4.1), refused by some chips elsewhere.

    Raises:
        WrongPasswordError: the password is not the card's. PasswordBlockedError: the card takes it no more.
        StatusWordError: the card refuses otherwise. AuthenticationError: the card's token is wrong.
        PeerProtocolError: an answer is malformed, a key is not on the curve, or is our own sent back.
        LocalProtocolError: the PACEInfo asks for something that is not spoken here.
    """
    parameters = core.require_parameters(info)
    k_pi = core.derive_nonce_key(parameters.suite, password)
    parameter_id = info.parameter_id if name_parameters else None
    yield from _set_at(SetAuthenticationTemplate(info.protocol, password.id, parameter_id), password)

    encrypted = yield from _general_authenticate(Step.NONCE, b"", password)
    nonce = core.decrypt_nonce(parameters.suite, k_pi, encrypted)

    mapping_key = core.generate_key_pair(parameters.curve, random)
    answer = yield from _general_authenticate(Step.MAPPING, mapping_key.encoded_public, password)
    generator = core.map_generator(parameters.curve, nonce, mapping_key, _decode_point(parameters, answer))

    key = core.generate_key_pair(parameters.curve, random)
    public = key.multiply(generator)
    encoded = points.encode_point(parameters.curve, public)
    answer = yield from _general_authenticate(Step.KEY_AGREEMENT, encoded, password)
    peer = _decode_point(parameters, answer)
    keys = core.derive_session_keys(parameters.suite, key, public, peer)

    token = core.compute_token(parameters, keys, peer)
    answer = yield from _general_authenticate(Step.TOKEN, token, password)
    verify_mac(core.compute_token(parameters, keys, public), answer)
    return PaceResult(core.open_session(parameters.suite, keys), info, parameters.curve, password.id)


def _set_at(template: SetAuthenticationTemplate, password: Password) -> Exchange[None]:
    response = yield from transmit(messages.encode_set_at(template))
    if response.sw == SW.TRIES_LEFT:  # 63C0: none
        raise PasswordBlockedError(password.id.name)
    if response.sw & 0xFFF0 == SW.TRIES_LEFT:
        return  # earlier tries have failed; the password may still be used (TR-03110-3 B.11.1)
    _require_success(response, "MSE:Set AT", password)


def _general_authenticate(step: Step, value: bytes, password: Password) -> Exchange[bytes]:
    response = yield from transmit(messages.encode_general_authenticate(step, value))
    _require_success(response, f"GENERAL AUTHENTICATE {step}", password)
    try:
        return messages.decode_answer(step, response.data)
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


def _decode_point(parameters: Parameters, raw: bytes) -> Point:
    try:
        return points.decode_point(parameters.curve, raw)
    except DecodeError as fault:
        raise PeerProtocolError(f"the card's public key: {fault}") from fault
