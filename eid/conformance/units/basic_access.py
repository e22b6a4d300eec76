"""BAC: Basic Access Control (Doc 9303-11 4.3)."""

from __future__ import annotations

from dataclasses import replace

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.conformance.case import Case, Unit
from eid.conformance.driving import interrupt, record, refuses
from eid.conformance.subject import Subject, accepted, read_binary, refused, speak
from eid.errors import LocalProtocolError, PeerProtocolError
from eid.lds.files import EF_COM
from eid.profile.card_image import PasswordId
from eid.protocols.bac import core, messages
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import Exchange, Reset, transmit
from eid.protocols.files import select_application
from eid.protocols.secure_messaging import SecureMessaging

_EXTERNAL_AUTHENTICATE = 1  # number of the command within the protocol


def needs_bac(subject: Subject) -> str | None:
    """The chip offers BAC, and the MRZ is known."""
    if not any(password.id is PasswordId.MRZ for password in subject.passwords):
        return "the MRZ was not given"
    return None if subject.by_bac is not None else "the chip does not offer BAC"


def _information(subject: Subject) -> str:
    entry = subject.by_bac
    if entry is None:
        raise LocalProtocolError("BAC is not offered")
    return entry.password.value.decode("latin-1")


def _start(subject: Subject, information: str | None = None) -> Exchange[SecureMessaging]:
    yield Reset()
    yield from select_application(subject.aid)
    return (yield from run_bac(information or _information(subject), subject.random))


def _challenge(subject: Subject) -> Exchange[bytes]:
    yield Reset()
    yield from select_application(subject.aid)
    response = yield from transmit(messages.encode_get_challenge())
    return accepted(response, "GET CHALLENGE").data


def _opens(subject: Subject) -> Exchange[str]:
    session = yield from _start(subject)
    response = accepted((yield from speak(session, read_binary(EF_COM.sfi, 0, 4))), "READ BINARY EF.COM")
    return f"EF.COM gives {len(response.data)} octets in the session"


def _challenge_length(subject: Subject) -> Exchange[str]:
    challenge = yield from _challenge(subject)
    if len(challenge) != core.NONCE_LENGTH:
        raise PeerProtocolError(f"a challenge of {len(challenge)} octets")
    return "8 octets"


def _challenge_fresh(subject: Subject) -> Exchange[str]:
    first = yield from _challenge(subject)
    same_session = accepted((yield from transmit(messages.encode_get_challenge())), "GET CHALLENGE").data
    next_session = yield from _challenge(subject)
    if len({first, same_session, next_session}) < 3:
        raise PeerProtocolError("RND.IC comes again")
    return "three different ones"


def _wrong_mrz(subject: Subject) -> Exchange[str]:
    information = _information(subject)
    wrong = ("Z" if information[0] != "Z" else "Y") + information[1:]
    said = yield from refuses(_start(subject, wrong), "a wrong MRZ")
    yield from _start(subject)
    return f"{said}; then the right one opens"


def _altered(subject: Subject, place: int) -> Exchange[ResponseAPDU]:
    def alter(command: CommandAPDU) -> CommandAPDU:
        data = bytearray(command.data)
        data[place] ^= 0x01
        return replace(command, data=bytes(data))

    yield Reset()
    yield from select_application(subject.aid)
    exchange = run_bac(_information(subject), subject.random)
    return (yield from interrupt(exchange, _EXTERNAL_AUTHENTICATE, alter))


def _wrong_mac(subject: Subject) -> Exchange[str]:
    return refused((yield from _altered(subject, -1)), "M.IFD with one bit altered")


def _wrong_cryptogram(subject: Subject) -> Exchange[str]:
    return refused((yield from _altered(subject, 0)), "E.IFD with one bit altered")


def _foreign_challenge(subject: Subject) -> Exchange[str]:
    yield from _challenge(subject)
    keys = core.derive_document_keys(_information(subject))
    token = core.Token(subject.random(8), subject.random(8), subject.random(core.KEY_LENGTH))
    command = messages.encode_external_authenticate(core.encode_token(keys, token))
    return refused((yield from transmit(command)), "a token over another RND.IC")


def _replayed(subject: Subject) -> Exchange[str]:
    kept: list[CommandAPDU] = []

    def keep(command: CommandAPDU) -> CommandAPDU:
        kept.append(command)
        return command

    yield Reset()
    yield from select_application(subject.aid)
    accepted(
        (yield from interrupt(run_bac(_information(subject), subject.random), _EXTERNAL_AUTHENTICATE, keep)),
        "EXTERNAL AUTHENTICATE",
    )
    yield from _challenge(subject)
    return refused((yield from transmit(kept[0])), "the token of an earlier session")


def _without_challenge(subject: Subject) -> Exchange[str]:
    keys = core.derive_document_keys(_information(subject))
    token = core.Token(subject.random(8), bytes(8), subject.random(core.KEY_LENGTH))
    yield Reset()
    yield from select_application(subject.aid)
    command = messages.encode_external_authenticate(core.encode_token(keys, token))
    return refused((yield from transmit(command)), "EXTERNAL AUTHENTICATE without a challenge")


def _wrong_length(subject: Subject) -> Exchange[str]:
    yield from _challenge(subject)
    command = messages.encode_external_authenticate(bytes(core.TOKEN_LENGTH - 1))
    return refused((yield from transmit(command)), "a token of 39 octets")


def _keying_material(subject: Subject) -> Exchange[str]:
    keys = core.derive_document_keys(_information(subject))
    seen = set()
    for _ in range(2):
        answers: list[ResponseAPDU] = []
        yield from record(_start(subject), answers)
        seen.add(core.decode_token(keys, answers[-1].data).keying_material)
    if len(seen) < 2:
        raise PeerProtocolError("K.IC comes again")
    return "two different ones"


def _closed_after_failure(subject: Subject) -> Exchange[str]:
    yield from _altered(subject, -1)
    return refused((yield from transmit(read_binary(EF_COM.sfi, 0, 4))), "READ BINARY after BAC has failed")


UNIT = Unit(
    "BAC",
    "Basic Access Control",
    (
        Case("BAC_01", "BAC opens the chip", "Doc 9303-11 4.3.1", "secure messaging works", _opens, needs_bac),
        Case("BAC_02", "Length of RND.IC", "Doc 9303-11 4.3.1", "8 octets", _challenge_length, needs_bac),
        Case(
            "BAC_03", "RND.IC is fresh", "Doc 9303-11 4.3.1 step 1", "no two are the same", _challenge_fresh, needs_bac
        ),
        Case(
            "BAC_04",
            "Wrong MRZ",
            "Doc 9303-11 4.3.1 step 3 a)",
            "refused; then the right one opens",
            _wrong_mrz,
            needs_bac,
        ),
        Case("BAC_05", "M.IFD altered", "Doc 9303-11 4.3.1 step 3 a)", "an error", _wrong_mac, needs_bac),
        Case("BAC_06", "E.IFD altered", "Doc 9303-11 4.3.1 step 3 a)", "an error", _wrong_cryptogram, needs_bac),
        Case(
            "BAC_07",
            "Token over another RND.IC",
            "Doc 9303-11 4.3.1 step 3 c)",
            "an error",
            _foreign_challenge,
            needs_bac,
        ),
        Case("BAC_08", "Token of an earlier session", "Doc 9303-11 4.3.1 step 3 c)", "an error", _replayed, needs_bac),
        Case(
            "BAC_09",
            "EXTERNAL AUTHENTICATE without a challenge",
            "Doc 9303-11 4.3.1 step 3 c)",
            "an error",
            _without_challenge,
            needs_bac,
        ),
        Case("BAC_10", "Token of another length", "Doc 9303-11 4.3.4.2", "an error", _wrong_length, needs_bac),
        Case(
            "BAC_11",
            "K.IC is fresh",
            "Doc 9303-11 4.3.1 step 3 d)",
            "no two are the same",
            _keying_material,
            needs_bac,
        ),
        Case("BAC_12", "Files after BAC has failed", "Doc 9303-11 4.3.2", "closed", _closed_after_failure, needs_bac),
    ),
)
