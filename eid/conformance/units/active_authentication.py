"""AA: Active Authentication (Doc 9303-11 6.1)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU
from eid.codec.oid import HASH_LENGTHS
from eid.conformance.case import Case, Unit
from eid.conformance.subject import Subject, enter, refused, speak
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import PublicKey, curve_of_key
from eid.errors import EidError, LocalProtocolError, PeerProtocolError
from eid.lds.dg15 import decode_dg15
from eid.lds.security_infos import ActiveAuthenticationInfo
from eid.protocols.active_authentication.core import CHALLENGE_LENGTH, ECDSA_HASHES, verify_active_authentication
from eid.protocols.active_authentication.terminal import run_active_authentication
from eid.protocols.exchange import Exchange, Reset, through
from eid.protocols.secure_messaging import SecureMessaging

_MIN_RSA = 1024


def needs_dg15(subject: Subject) -> str | None:
    """DG15 is listed."""
    if subject.opening is None:
        return "no way in"
    return None if 15 in subject.listed else "the chip has no DG15"


def _key(subject: Subject) -> PublicKey:
    return load_public_key(decode_dg15(subject.content("DG15")).public_key_info)


def _needs_rsa(subject: Subject) -> str | None:
    if (reason := needs_dg15(subject)) is not None:
        return reason
    try:
        return None if isinstance(_key(subject), RSAPublicKey) else "the key of DG15 is not an RSA key"
    except EidError:
        return "the key of DG15 cannot be loaded"


def _needs_announced_ecdsa(subject: Subject) -> str | None:
    if (reason := needs_dg15(subject)) is not None:
        return reason
    if 14 not in subject.listed:
        return "the chip has no DG14"
    return "the key of DG15 is an RSA key" if _needs_rsa(subject) is None else None


def _info(subject: Subject) -> ActiveAuthenticationInfo | None:
    return next((info for info in subject.dg14 if isinstance(info, ActiveAuthenticationInfo)), None)


def _sign(subject: Subject, session: SecureMessaging, challenge: bytes) -> Exchange[bytes]:
    key = _key(subject)
    length = (key.key_size + 7) // 8 if isinstance(key, RSAPublicKey) else 0
    extended = length > session.max_response_data(MAX_SHORT_LE)
    exchange = run_active_authentication(challenge, max(length, MAX_SHORT_LE), extended=extended)
    return (yield from through(session, exchange))


def _verify(subject: Subject, challenge: bytes, signature: bytes) -> str:
    info = decode_dg15(subject.content("DG15")).public_key_info
    return verify_active_authentication(info, _info(subject), challenge, signature)


def _proves(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    challenge = subject.random(CHALLENGE_LENGTH)
    signature = yield from _sign(subject, session, challenge)
    return f"{len(signature)} octets, {_verify(subject, challenge, signature)}"


def _two_challenges(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    first = yield from _sign(subject, session, subject.random(CHALLENGE_LENGTH))
    if first == (yield from _sign(subject, session, subject.random(CHALLENGE_LENGTH))):
        raise PeerProtocolError("two challenges have the same signature")
    return "two different signatures"


def _recoverable_part(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    challenge = subject.random(CHALLENGE_LENGTH)
    first = yield from _sign(subject, session, challenge)
    if first == (yield from _sign(subject, session, challenge)):
        raise PeerProtocolError("the chip's own part M1 comes again")
    return "two different signatures of one challenge"


def _short_challenge(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    command = CommandAPDU(0x00, 0x88, 0x00, 0x00, subject.random(4), le=MAX_SHORT_LE)
    return refused((yield from speak(session, command)), "a challenge of 4 octets")


def _no_challenge(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    command = CommandAPDU(0x00, 0x88, 0x00, 0x00, le=MAX_SHORT_LE)
    return refused((yield from speak(session, command)), "no challenge")


def _key_is_sound(subject: Subject) -> Exchange[str]:
    yield Reset()
    key = _key(subject)
    if not isinstance(key, RSAPublicKey):
        return "an EC key on a known curve"
    if key.key_size < _MIN_RSA:
        raise PeerProtocolError(f"an RSA key of {key.key_size} bits")
    return f"RSA, {key.key_size} bits"


def _announced(subject: Subject) -> Exchange[str]:
    yield Reset()
    info = _info(subject)
    if info is None:
        raise PeerProtocolError("DG14 has no ActiveAuthenticationInfo, and the key is an EC key")
    hash_name = ECDSA_HASHES.get(info.signature_algorithm)
    if hash_name is None:
        raise PeerProtocolError(f"{info.signature_algorithm} is no ECDSA of TR-03111")
    key = _key(subject)
    if isinstance(key, RSAPublicKey):
        raise LocalProtocolError("the key of DG15 is an RSA key")
    bits, limit = 8 * HASH_LENGTHS[hash_name], curve_of_key(key).n.bit_length()
    if bits > limit:  # Doc 9303-11 6.1.2.3
        raise PeerProtocolError(f"{hash_name} makes {bits} bits, more than the key's {limit}")
    return f"ECDSA, {hash_name}"


UNIT = Unit(
    "AA",
    "Active Authentication",
    (
        Case(
            "AA_01",
            "The chip signs a challenge",
            "Doc 9303-11 6.1.1, 6.1.2",
            "a right signature by the key of DG15",
            _proves,
            needs_dg15,
        ),
        Case("AA_02", "Two challenges", "Doc 9303-11 6.1.1", "two different signatures", _two_challenges, needs_dg15),
        Case(
            "AA_03",
            "One challenge twice",
            "Doc 9303-11 6.1.2.2",
            "the chip's part M1 differs",
            _recoverable_part,
            _needs_rsa,
        ),
        Case("AA_04", "Challenge of 4 octets", "Doc 9303-11 6.1.2.1", "an error", _short_challenge, needs_dg15),
        Case("AA_05", "No challenge", "Doc 9303-11 6.1.3", "an error", _no_challenge, needs_dg15),
        Case(
            "AA_06",
            "Key of DG15",
            "Doc 9303-12 4.4",
            "on a known curve, or RSA of 1024 bits at least",
            _key_is_sound,
            needs_dg15,
        ),
        Case(
            "AA_07",
            "ActiveAuthenticationInfo",
            "Doc 9303-11 9.2.4, 6.1.2.3",
            "in DG14 where the key is an EC key; its hash is no longer than the key",
            _announced,
            _needs_announced_ecdsa,
        ),
    ),
)
