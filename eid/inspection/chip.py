"""Is the chip the original: Chip Authentication and Active Authentication, gathered as transcripts (Doc 9303-11 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from eid.codec.apdu import MAX_SHORT_LE
from eid.crypto.group import compress_public_key
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import curve_of_key
from eid.errors import AuthenticationError, DecodeError, PeerProtocolError, StatusWordError, VerificationError
from eid.evidence import ProtocolName, ProtocolOutcome, ProtocolTranscript
from eid.inspection.session import Session
from eid.lds.dg14 import decode_dg14
from eid.lds.dg15 import decode_dg15
from eid.lds.files import by_number
from eid.lds.security_infos import ChipAuthenticationPublicKeyInfo, SecurityInfo
from eid.protocols.active_authentication.core import CHALLENGE_LENGTH
from eid.protocols.active_authentication.terminal import run_active_authentication
from eid.protocols.chip_authentication.core import ChipKey, find_chip_keys
from eid.protocols.chip_authentication.terminal import ChipAuthenticationResult, run_chip_authentication
from eid.protocols.exchange import Exchange
from eid.protocols.files import select_file

DG14_FILE: Final = by_number(14)
_CA = ProtocolName.CHIP_AUTHENTICATION
_AA = ProtocolName.ACTIVE_AUTHENTICATION


def authenticate_chip(session: Session, dg14: bytes | None) -> Exchange[ProtocolTranscript]:
    """Run Chip Authentication with the key of DG14 and go on under the new keys.

    FAILED means that the chip could not speak under them; the session is dead then, see `Session.resume`.

    Raises:
        AuthenticationError, PeerProtocolError: the session *before* the new keys broke.
    """
    if dg14 is None:
        return ProtocolTranscript(_CA, ProtocolOutcome.NOT_SUPPORTED)
    try:
        infos = decode_dg14(dg14).security_infos
        keys = find_chip_keys(infos)
    except (DecodeError, VerificationError):
        return ProtocolTranscript(_CA, ProtocolOutcome.FAILED, {"reason": "DG14 is malformed"})
    if not keys:
        return ProtocolTranscript(_CA, _absent(infos))
    parameters = _describe(keys[0])
    try:
        result = yield from session.run(run_chip_authentication(keys[0], session.random))
    except StatusWordError as refusal:
        return ProtocolTranscript(_CA, ProtocolOutcome.REFUSED, parameters | {"sw": f"{refusal.sw:04X}"})
    session.rekey(result.secure_messaging)
    outcome = yield from _confirm(session)
    if outcome is ProtocolOutcome.SUCCEEDED:
        session.terminal_key = compress_public_key(result.chip_key.group, result.terminal_public_key)
        session.note_proof(lambda: authenticate_chip(session, dg14))
    return ProtocolTranscript(_CA, outcome, parameters, _messages(result))


def _confirm(session: Session) -> Exchange[ProtocolOutcome]:
    """Speak once under the new keys; any protected answer, a refusal too, shows that the chip has them.

    DG14 is the file that the chip gives: there are chips that end the session over one that they do not.
    """
    try:
        yield from session.run(select_file(DG14_FILE.fid))
    except (AuthenticationError, PeerProtocolError):
        return ProtocolOutcome.FAILED
    except StatusWordError:
        pass
    return ProtocolOutcome.SUCCEEDED


def sign_challenge(session: Session, dg15: bytes | None) -> Exchange[ProtocolTranscript]:
    """Have the chip sign the plan's challenge; SUCCEEDED says that it answered, not that the signature is right.

    Raises:
        AuthenticationError: the session broke.
    """
    if dg15 is None:
        return ProtocolTranscript(_AA, ProtocolOutcome.NOT_SUPPORTED)
    challenge = session.plan.challenge or session.random(CHALLENGE_LENGTH)
    messages = {"challenge": challenge}
    length, parameters = _measure_key(dg15)
    extended = session.channel is not None and length > session.channel.max_response_data(MAX_SHORT_LE)
    le = max(length, MAX_SHORT_LE)
    try:
        signature = yield from session.run(run_active_authentication(challenge, le, extended=extended))
    except StatusWordError as refusal:
        return ProtocolTranscript(_AA, ProtocolOutcome.REFUSED, parameters | {"sw": f"{refusal.sw:04X}"}, messages)
    except PeerProtocolError:
        return ProtocolTranscript(_AA, ProtocolOutcome.FAILED, parameters, messages)
    return ProtocolTranscript(_AA, ProtocolOutcome.SUCCEEDED, parameters, messages | {"signature": signature})


def _measure_key(dg15: bytes) -> tuple[int, dict[str, str]]:
    """Octets of a signature of this key, and the key in words; nothing where it cannot be loaded."""
    try:
        key = load_public_key(decode_dg15(dg15).public_key_info)
        if isinstance(key, RSAPublicKey):
            return (key.key_size + 7) // 8, {"key": f"RSA-{key.key_size}"}
        curve = curve_of_key(key)
    except (DecodeError, VerificationError):
        return 0, {"key": "unknown"}
    return 2 * curve.order_length, {"key": curve.name}


def _absent(infos: Sequence[SecurityInfo]) -> ProtocolOutcome:
    """Nothing announced, or nothing that is spoken here."""
    announced = any(isinstance(info, ChipAuthenticationPublicKeyInfo) for info in infos)
    return ProtocolOutcome.NOT_ATTEMPTED if announced else ProtocolOutcome.NOT_SUPPORTED


def _describe(chip_key: ChipKey) -> dict[str, str]:
    key_id = {} if chip_key.key_id is None else {"key_id": str(chip_key.key_id)}
    return {"oid": chip_key.protocol, "curve": chip_key.group.name} | key_id


def _messages(result: ChipAuthenticationResult) -> dict[str, bytes]:
    return {
        "chip_public_key": result.chip_key.public_key_info,
        "terminal_public_key": result.terminal_public_key,
    }
