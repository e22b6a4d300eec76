"""CA: Chip Authentication (Doc 9303-11 6.2)."""

from __future__ import annotations

from eid.codec.apdu import ResponseAPDU
from eid.conformance.case import Case, Unit
from eid.conformance.subject import Subject, accepted, enter, read_binary, refused, speak, spoil
from eid.crypto.cipher_suite import CipherSuite
from eid.errors import DecodeError, PeerProtocolError
from eid.lds.files import EF_COM
from eid.lds.security_infos import ChipAuthenticationInfo, ChipAuthenticationPublicKeyInfo
from eid.protocols.chip_authentication import messages
from eid.protocols.chip_authentication.core import ChipKey, find_chip_keys
from eid.protocols.chip_authentication.messages import AuthenticationTemplate, KeyAgreementTemplate
from eid.protocols.chip_authentication.terminal import run_chip_authentication
from eid.protocols.exchange import Exchange, Reset, through, transmit
from eid.protocols.files import select_application
from eid.protocols.secure_messaging import SecureMessaging

_PROBE = read_binary(EF_COM.sfi, 0, 8)


def chip_keys(subject: Subject) -> tuple[ChipKey, ...]:
    """The keys of DG14 that can be proven by version 1; none where they are malformed."""
    try:
        return find_chip_keys(subject.dg14)
    except DecodeError:
        return ()


def needs_chip_key(subject: Subject) -> str | None:
    """DG14 announces Chip Authentication."""
    if subject.opening is None:
        return "no way in"
    return None if chip_keys(subject) else "DG14 has no key for Chip Authentication"


def _needs_general_authenticate(subject: Subject) -> str | None:
    if (reason := needs_chip_key(subject)) is not None:
        return reason
    return None if _by_general_authenticate(subject) else "Chip Authentication with 3DES has one command only"


def _by_general_authenticate(subject: Subject) -> ChipKey | None:
    return next((key for key in chip_keys(subject) if key.suite is not CipherSuite.TDES_112), None)


def _authenticate(subject: Subject, key: ChipKey) -> Exchange[tuple[SecureMessaging, SecureMessaging]]:
    """The session before, and the one of the new keys."""
    before = yield from enter(subject)
    result = yield from through(before, run_chip_authentication(key, subject.random))
    return before, result.secure_messaging


def _proves(subject: Subject) -> Exchange[str]:
    said = []
    for key in chip_keys(subject):
        _, after = yield from _authenticate(subject, key)
        accepted((yield from speak(after, _PROBE)), "READ BINARY under the new keys")
        said.append(f"{key.suite.label} {key.group.name}")
    return ", ".join(said)


def _old_keys(subject: Subject) -> Exchange[str]:
    before, _ = yield from _authenticate(subject, chip_keys(subject)[0])
    return refused((yield from transmit(before.protect_command(_PROBE))), "a command under the old keys")


def _old_keys_later(subject: Subject) -> Exchange[str]:
    before, after = yield from _authenticate(subject, chip_keys(subject)[0])
    accepted((yield from speak(after, _PROBE)), "READ BINARY under the new keys")
    return refused((yield from transmit(before.protect_command(_PROBE))), "a command under the old keys")


def _rights(subject: Subject) -> Exchange[str]:
    """What PACE or BAC have opened stays open."""
    _, after = yield from _authenticate(subject, chip_keys(subject)[0])
    content = subject.content(EF_COM.name)
    response = accepted((yield from speak(after, read_binary(EF_COM.sfi, 0, len(content)))), "READ BINARY EF.COM")
    if response.data != content[: len(response.data)]:
        raise PeerProtocolError("EF.COM is another one after Chip Authentication")
    return f"{len(response.data)} octets, the same"


def _bad_key(subject: Subject) -> Exchange[str]:
    key = chip_keys(subject)[0]
    session = yield from enter(subject)
    response = yield from through(session, _send_key(key, spoil(key.group, subject)))
    return refused(response, "a key outside of the group")


def _empty_key(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    response = yield from through(session, _send_key(chip_keys(subject)[0], b""))
    return refused(response, "an empty key")


def _send_key(key: ChipKey, public: bytes) -> Exchange[ResponseAPDU]:
    if key.suite is CipherSuite.TDES_112:
        return (yield from transmit(messages.encode_set_kat(KeyAgreementTemplate(public, key.key_id))))
    template = messages.encode_set_at(AuthenticationTemplate(key.protocol, key.key_id))
    accepted((yield from transmit(template)), "MSE:Set AT")
    return (yield from transmit(messages.encode_general_authenticate(public)))


def _plain(subject: Subject) -> Exchange[str]:
    key = chip_keys(subject)[0]
    yield Reset()
    yield from select_application(subject.aid)
    public = key.group.generate(subject.random).public
    if key.suite is CipherSuite.TDES_112:
        command = messages.encode_set_kat(KeyAgreementTemplate(public, key.key_id))
    else:
        command = messages.encode_set_at(AuthenticationTemplate(key.protocol, key.key_id))
    return refused((yield from transmit(command)), "Chip Authentication before access control")


def _unknown_protocol(subject: Subject) -> Exchange[str]:
    session = yield from enter(subject)
    template = messages.encode_set_at(AuthenticationTemplate("0.4.0.127.0.7.2.2.3.2.99"))
    return refused((yield from speak(session, template)), "MSE:Set AT with an unknown protocol")


def _unknown_key(subject: Subject) -> Exchange[str]:
    key = _by_general_authenticate(subject) or chip_keys(subject)[0]
    session = yield from enter(subject)
    template = messages.encode_set_at(AuthenticationTemplate(key.protocol, 0x1EEF))
    response = yield from speak(session, template)
    if response.sw == 0x9000:  # some chips look for the key with the next command only
        command = messages.encode_general_authenticate(key.group.generate(subject.random).public)
        response = yield from speak(session, command)
    return refused(response, "a key reference that DG14 does not have")


def _no_set_at(subject: Subject) -> Exchange[str]:
    key = chip_keys(subject)[0]
    session = yield from enter(subject)
    command = messages.encode_general_authenticate(key.group.generate(subject.random).public)
    return refused((yield from speak(session, command)), "GENERAL AUTHENTICATE without MSE:Set AT")


def _references(subject: Subject) -> Exchange[str]:
    yield Reset()
    keys = [info for info in subject.dg14 if isinstance(info, ChipAuthenticationPublicKeyInfo)]
    infos = [info for info in subject.dg14 if isinstance(info, ChipAuthenticationInfo)]
    named = [key.key_id for key in keys]
    if len(keys) > 1 and (None in named or len(set(named)) < len(named)):
        raise PeerProtocolError("several keys, and not each has an identifier of its own")
    lost = [info for info in infos if info.key_id is not None and info.key_id not in named]
    if lost:
        raise PeerProtocolError(f"ChipAuthenticationInfo names key {lost[0].key_id}, which is not there")
    return f"{len(keys)} keys, {len(infos)} ChipAuthenticationInfo"


UNIT = Unit(
    "CA",
    "Chip Authentication",
    (
        Case(
            "CA_01",
            "Every key of DG14",
            "Doc 9303-11 6.2.1",
            "is proven: a right MAC under the new keys",
            _proves,
            needs_chip_key,
        ),
        Case("CA_02", "Old keys", "Doc 9303-11 9.8.2", "are refused straight after it", _old_keys, needs_chip_key),
        Case(
            "CA_03", "Old keys after a new command", "Doc 9303-11 9.8.2", "are refused", _old_keys_later, needs_chip_key
        ),
        Case("CA_04", "Files after Chip Authentication", "Doc 9303-11 6.2.2", "stay open", _rights, needs_chip_key),
        Case("CA_05", "Key outside of the group", "Doc 9303-11 9.6", "an error", _bad_key, needs_chip_key),
        Case("CA_06", "Empty key", "Doc 9303-11 6.2.4.3", "an error", _empty_key, needs_chip_key),
        Case("CA_07", "Before access control", "Doc 9303-11 4.2", "an error", _plain, needs_chip_key),
        Case("CA_08", "Unknown protocol", "Doc 9303-11 6.2.4.2", "an error", _unknown_protocol, needs_chip_key),
        Case(
            "CA_09",
            "Unknown key reference",
            "Doc 9303-11 6.2.4.2",
            "an error",
            _unknown_key,
            _needs_general_authenticate,
        ),
        Case(
            "CA_10",
            "GENERAL AUTHENTICATE without MSE:Set AT",
            "Doc 9303-11 6.2.4",
            "an error",
            _no_set_at,
            needs_chip_key,
        ),
        Case(
            "CA_11",
            "Key identifiers of DG14",
            "Doc 9303-11 9.2.5, 9.2.6",
            "tell the keys apart",
            _references,
            needs_chip_key,
        ),
    ),
)
