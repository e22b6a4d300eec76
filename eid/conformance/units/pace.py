"""PACE: Password Authenticated Connection Establishment (Doc 9303-11 4.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.tlv import encode_tlv
from eid.conformance.case import Case, Precondition, Procedure, Unit
from eid.conformance.driving import interrupt, record, refuses
from eid.conformance.subject import (
    Entry,
    Subject,
    accepted,
    begin_pace,
    enter,
    enter_by_pace,
    read_binary,
    refused,
    require_info_of,
    require_parameters_of,
    speak,
    spoil,
)
from eid.errors import DecodeError, PeerProtocolError, StatusWordError
from eid.lds.card_access import decode_card_access
from eid.lds.card_security import decode_card_security
from eid.lds.files import EF_CARD_ACCESS, EF_CARD_SECURITY, EF_COM
from eid.lds.security_infos import ChipAuthenticationPublicKeyInfo, PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.chip_authentication.public_key import find_public_key
from eid.protocols.exchange import Exchange, Reset, through, transmit
from eid.protocols.files import select_application
from eid.protocols.pace import core, messages
from eid.protocols.pace.core import GroupSource, Mapping, Password, find_parameters, require_parameters
from eid.protocols.pace.messages import SetAuthenticationTemplate, Step

_WORDS = {
    Mapping.GENERIC: "generic",
    Mapping.INTEGRATED: "integrated",
    Mapping.CHIP_AUTHENTICATION: "chip-authentication",
}
_NEVER_TRIED = frozenset((PasswordId.PIN, PasswordId.PUK))  # a wrong one costs a try


def needs_pace(subject: Subject) -> str | None:
    """A way in by PACE is known."""
    return None if subject.by_pace() else "the chip announces no PACE that is spoken here, or no password was given"


def _needs_mapping(mapping: Mapping) -> Precondition:
    def applies(subject: Subject) -> str | None:
        return None if _opening(subject, mapping) else f"no PACE with {_WORDS[mapping]} mapping"

    return applies


def _needs_password(password: PasswordId) -> Precondition:
    def applies(subject: Subject) -> str | None:
        return None if subject.by_pace(None, password) else f"no PACE, or the {password.name} was not given"

    return applies


def _needs_announcement(subject: Subject) -> str | None:
    return None if EF_CARD_ACCESS.name in subject.files else "the chip has no EF.CardAccess"


def _opening(subject: Subject, mapping: Mapping) -> tuple[Entry, ...]:
    return tuple(entry for entry in subject.by_pace(mapping) if entry.password.id is not PasswordId.PUK)


def _needs_public_elements(subject: Subject) -> str | None:
    return None if _with_mapping_key(subject.by_pace()) else "no PACE whose mapping has public keys"


def _with_mapping_key(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if _mapping(entry) is not Mapping.INTEGRATED)


def _mapping(entry: Entry) -> Mapping:
    return require_parameters_of(entry).mapping


def _first(subject: Subject) -> Entry:
    return subject.by_pace()[0]


def _harmless(subject: Subject) -> tuple[Entry, ...]:
    """The ways in by PACE that may be broken off without harm: by a password that is not counted."""
    return tuple(entry for entry in subject.by_pace() if entry.password.id not in _NEVER_TRIED)


def _needs_harmless(subject: Subject) -> str | None:
    if (reason := needs_pace(subject)) is not None:
        return reason
    return None if _harmless(subject) else "a run that is broken off may cost a try of the PIN or PUK; give the CAN"


def _needs_harmless_elements(subject: Subject) -> str | None:
    if (reason := _needs_harmless(subject)) is not None:
        return reason
    return None if _with_mapping_key(_harmless(subject)) else "no PACE whose mapping has public keys"


def _announced(subject: Subject) -> Exchange[str]:
    yield Reset()
    infos = decode_card_access(subject.content(EF_CARD_ACCESS.name)).pace_infos
    if not infos:
        raise PeerProtocolError("EF.CardAccess announces no PACE")
    for info in infos:
        if info.version != core.VERSION or info.parameter_id is None:
            raise PeerProtocolError(f"PACEInfo {info.protocol}: version {info.version}, parameters {info.parameter_id}")
    return f"{len(infos)} PACEInfo"


def _distinct(subject: Subject) -> Exchange[str]:
    yield Reset()
    keys = [(info.protocol, info.parameter_id) for info in subject.pace_infos]
    if len(set(keys)) < len(keys):
        raise PeerProtocolError("two PACEInfos say the same")
    return f"{len(keys)} different"


def _known(subject: Subject) -> Exchange[str]:
    yield Reset()
    unknown = [info for info in subject.pace_infos if info.parameter_id is not None and not _is_standardised(info)]
    taken = (entry.parameters for entry in subject.by_pace() if subject.foreign_curves and entry.info in unknown)
    own = {parameters.group.name for parameters in taken if parameters is not None}
    if len(unknown) == len(subject.pace_infos) and not own:
        names = ", ".join(f"{info.protocol} with {info.parameter_id}" for info in unknown)
        is_own = any(info.domain_parameter is not None for info in unknown) and not subject.foreign_curves
        hint = " (--foreign-curves takes a sound curve of the chip's own)" if is_own else ""
        raise PeerProtocolError(f"nothing that Doc 9303-11 9.2 and 9.5.1 allow: {names}{hint}")
    said = f"{len(subject.pace_infos) - len(unknown)} of {len(subject.pace_infos)} with standardised parameters"
    accepted_by = "sound, and taken by the operator's leave (--foreign-curves)"
    return f"{said}; of the chip's own, {accepted_by}: {', '.join(sorted(own))}" if own else said


def _is_standardised(info: PACEInfo) -> bool:
    found = find_parameters(info)
    return found is not None and found.source is GroupSource.STANDARDISED


def _opens(mapping: Mapping) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        opened = []
        for entry in _one_for_each_info(_opening(subject, mapping)):
            yield from _open_and_read(subject, entry)
            opened.append(str(entry))
        return "; ".join(opened)

    return run


def _one_for_each_info(entries: tuple[Entry, ...]) -> list[Entry]:
    return list({entry.info: entry for entry in reversed(entries)}.values())


def _open_and_read(subject: Subject, entry: Entry) -> Exchange[None]:
    session = yield from enter(subject, entry)
    response = yield from speak(session, read_binary(EF_COM.sfi, 0, 4))
    if response.sw != 0x9000:
        raise PeerProtocolError(f"EF.COM cannot be read after {entry}: {response.sw:04X}")


def _opens_with(password: PasswordId) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        entry = subject.by_pace(None, password)[0]
        yield from enter_by_pace(subject, entry)
        return str(entry)

    return run


def _wrong(password: Password) -> Password:
    """Another one of the same form: its first character is another."""
    first = password.value[:1]
    other = bytes((0x30 + (first[0] - 0x2F) % 10,)) if first.isdigit() else (b"Z" if first != b"Z" else b"Y")
    return replace(password, value=other + password.value[1:])


def _refuses(password: PasswordId) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        entry = subject.by_pace(None, password)[0]
        yield Reset()
        said = yield from refuses(begin_pace(subject, entry, _wrong(entry.password)), f"a wrong {password.name}")
        yield from enter_by_pace(subject, entry)
        return f"{said}; then the right one opens"

    return run


def _closed_after_failure(subject: Subject) -> Exchange[str]:
    yield from _with_wrong_token(subject)
    yield from transmit(CommandAPDU(0x00, 0xA4, 0x04, 0x0C, subject.aid))
    return refused((yield from transmit(read_binary(EF_COM.sfi, 0, 4))), "READ BINARY after PACE has failed")


def _with_wrong_token(subject: Subject) -> Exchange[ResponseAPDU]:
    def alter(command: CommandAPDU) -> CommandAPDU:
        return replace(command, data=command.data[:-1] + bytes((command.data[-1] ^ 0x01,)))

    yield Reset()
    return (yield from interrupt(begin_pace(subject, _harmless(subject)[0]), Step.TOKEN, alter))


def _wrong_token(subject: Subject) -> Exchange[str]:
    return refused((yield from _with_wrong_token(subject)), "T_IFD with one bit altered")


def _answers(subject: Subject, entry: Entry) -> Exchange[list[bytes]]:
    """The data of the card's answers: to MSE:Set AT, and to the four steps."""
    answers: list[ResponseAPDU] = []
    yield from record(enter_by_pace(subject, entry), answers)
    return [answer.data for answer in answers[1:]]


def _fresh(step: Step, what: str) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        entry = (_with_mapping_key(subject.by_pace()) or (_first(subject),))[0]
        first = (yield from _answers(subject, entry))[step]
        if first == (yield from _answers(subject, entry))[step]:
            raise PeerProtocolError(f"{what} comes again")
        return "two different ones"

    return run


def _run_is_over(subject: Subject) -> Exchange[str]:
    entry = _harmless(subject)[0]
    group = require_parameters_of(entry).group
    empty = messages.encode_general_authenticate(Step.KEY_AGREEMENT, b"")
    yield Reset()
    yield from interrupt(begin_pace(subject, entry), Step.KEY_AGREEMENT, lambda _: empty)
    again = messages.encode_general_authenticate(Step.KEY_AGREEMENT, group.generate(subject.random).public)
    return refused((yield from transmit(again)), "the step that was refused, once more")


def _nonce_length(subject: Subject) -> Exchange[str]:
    said = []
    for entry in _one_for_each_info(subject.by_pace()):
        parameters = require_parameters_of(entry)
        answers = yield from _answers(subject, entry)
        length = len(messages.decode_answer(Step.NONCE, answers[Step.NONCE]).value)
        # Doc 9303-11 4.4.3.3: any number of whole blocks; with integrated mapping the fewest that hold a key
        is_integrated = parameters.mapping is Mapping.INTEGRATED
        if (
            not length
            or length % parameters.suite.block_size
            or (is_integrated and length != core.nonce_length(parameters))
        ):
            raise PeerProtocolError(f"an encrypted nonce of {length} octets for {entry}")
        said.append(str(length))
    return f"{', '.join(said)} octets"


def _set_at(subject: Subject, **changes: object) -> Exchange[ResponseAPDU]:
    entry = _first(subject)
    info = require_info_of(entry)
    number = info.parameter_id if entry.name_parameters else None
    template = SetAuthenticationTemplate(info.protocol, entry.password.id, number)
    template = replace(template, **changes)  # type: ignore[arg-type]  # also what no honest terminal sends
    yield Reset()
    return (yield from transmit(messages.encode_set_at(template)))


def _unknown_protocol(subject: Subject) -> Exchange[str]:
    response = yield from _set_at(subject, protocol="0.4.0.127.0.7.2.2.4.2.99")
    return refused(response, "MSE:Set AT with an unknown protocol")


def _unknown_password(subject: Subject) -> Exchange[str]:
    return refused((yield from _set_at(subject, password_id=0x1F)), "MSE:Set AT with an unknown password")


def _unknown_parameters(subject: Subject) -> Exchange[str]:
    response = yield from _set_at(subject, parameter_id=0x1F)
    return refused(response, "MSE:Set AT with domain parameters that are not announced")


def _no_set_at(subject: Subject) -> Exchange[str]:
    yield Reset()
    response = yield from transmit(messages.encode_general_authenticate(Step.NONCE))
    return refused(response, "GENERAL AUTHENTICATE without MSE:Set AT")


def _out_of_order(subject: Subject) -> Exchange[str]:
    entry = _with_mapping_key(_harmless(subject))[0]
    group = require_parameters_of(entry).group
    early = messages.encode_general_authenticate(Step.KEY_AGREEMENT, group.generate(subject.random).public)
    yield Reset()
    return refused(
        (yield from interrupt(begin_pace(subject, entry), Step.MAPPING, lambda _: early)),
        "the key agreement before the mapping",
    )


def _bad_element(step: Step) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        said = []
        entries = _harmless(subject)
        for entry in _one_for_each_info(entries if step is Step.KEY_AGREEMENT else _with_mapping_key(entries)):
            bad = spoil(require_parameters_of(entry).group, subject)
            command = messages.encode_general_authenticate(step, bad)
            yield Reset()
            answer = yield from interrupt(begin_pace(subject, entry), step, _send(command))
            said.append(refused(answer, f"an element outside of the group ({entry})"))
        return ", ".join(said)

    return run


def _send(command: CommandAPDU) -> Callable[[CommandAPDU], CommandAPDU]:
    """Whatever was to be sent, this is."""
    return lambda _: command


def _empty_element(subject: Subject) -> Exchange[str]:
    command = messages.encode_general_authenticate(Step.KEY_AGREEMENT, b"")
    yield Reset()
    answer = yield from interrupt(begin_pace(subject, _harmless(subject)[0]), Step.KEY_AGREEMENT, lambda _: command)
    return refused(answer, "an empty ephemeral key")


def _malformed(subject: Subject) -> Exchange[str]:
    yield Reset()
    answer = yield from interrupt(
        begin_pace(subject, _harmless(subject)[0]),
        Step.MAPPING,
        lambda command: replace(command, data=encode_tlv(0x7C, encode_tlv(0x9F, bytes(8)))),
    )
    return refused(answer, "dynamic authentication data of another tag")


def _chip_data(subject: Subject) -> Exchange[str]:
    said = []
    for entry in _one_for_each_info(subject.by_pace(Mapping.CHIP_AUTHENTICATION)):
        parameters = require_parameters_of(entry)
        result = yield from enter_by_pace(subject, entry)
        if result.chip_authentication is None:
            raise PeerProtocolError("no chip authentication data")
        public = _public_of(subject, require_info_of(entry))
        core.verify_chip_authentication_data(parameters.group, result.chip_authentication, public)
        said.append(parameters.group.name)
    return f"proven on {', '.join(said)}"


def _public_of(subject: Subject, pace: PACEInfo) -> bytes:
    """The key whose identifier is that of the PACEInfo's domain parameters (Doc 9303-11 9.2.1, 9.2.6)."""
    infos = subject.dg14
    if EF_CARD_SECURITY.name in subject.files:
        infos = decode_card_security(subject.files[EF_CARD_SECURITY.name], defects=[]).security_infos
    for info in infos:
        if isinstance(info, ChipAuthenticationPublicKeyInfo) and info.key_id == pace.parameter_id:
            found = find_public_key(info.protocol, info.public_key_info)
            if found is not None and found[0].name == require_parameters(pace).group.name:
                return found[1]
    raise DecodeError(f"no key with identifier {pace.parameter_id}, on that curve", clause="Doc 9303-11 9.2.1")


def _keeps_no_run(subject: Subject) -> Exchange[str]:
    """After a reset in mid-protocol nothing of it is left."""
    yield Reset()
    yield from interrupt(begin_pace(subject, _harmless(subject)[0]), Step.NONCE, lambda command: command)
    yield Reset()
    key = messages.encode_general_authenticate(Step.MAPPING, bytes(16))
    return refused((yield from transmit(key)), "GENERAL AUTHENTICATE that goes on after a reset")


def _in_application(subject: Subject) -> Exchange[str]:
    """PACE belongs to the master file; a chip need not run it elsewhere, but what it opens there it has to serve."""
    entry = _first(subject)
    yield Reset()
    yield from select_application(subject.aid)
    try:
        session = (yield from begin_pace(subject, entry)).secure_messaging
    except StatusWordError as refusal:
        if refusal.command != "MSE:Set AT":
            raise
        yield from enter(subject, entry)
        return f"refused with {refusal.sw:04X}, and opens in the master file"
    yield from through(session, select_application(subject.aid))
    if entry.password.id is not PasswordId.PUK:  # which opens no files (TR-03110-2 2.4.1)
        accepted((yield from speak(session, read_binary(EF_COM.sfi, 0, 4))), "READ BINARY EF.COM")
    return str(entry)


_GENERIC, _INTEGRATED, _CAM = Mapping.GENERIC, Mapping.INTEGRATED, Mapping.CHIP_AUTHENTICATION

UNIT = Unit(
    "PACE",
    "Password Authenticated Connection Establishment",
    (
        Case(
            "PACE_01",
            "EF.CardAccess announces PACE",
            "Doc 9303-11 9.2.1",
            "PACEInfos of version 2, with parameters",
            _announced,
            _needs_announcement,
        ),
        Case(
            "PACE_02",
            "No PACEInfo comes twice",
            "Doc 9303-11 9.2.1",
            "protocol and parameters differ",
            _distinct,
            _needs_announcement,
        ),
        Case(
            "PACE_03",
            "Standardised domain parameters",
            "Doc 9303-11 9.2, 9.5.1",
            "one PACEInfo with them at least",
            _known,
            _needs_announcement,
        ),
        Case(
            "PACE_04",
            "Generic mapping opens the chip",
            "Doc 9303-11 4.4.3.3.1",
            "every PACEInfo, both tokens right",
            _opens(_GENERIC),
            _needs_mapping(_GENERIC),
        ),
        Case(
            "PACE_05",
            "Integrated mapping opens the chip",
            "Doc 9303-11 4.4.3.3.2",
            "every PACEInfo, both tokens right",
            _opens(_INTEGRATED),
            _needs_mapping(_INTEGRATED),
        ),
        Case(
            "PACE_06",
            "Chip-authentication mapping opens the chip",
            "Doc 9303-11 4.4.3.3.3",
            "every PACEInfo, both tokens right",
            _opens(_CAM),
            _needs_mapping(_CAM),
        ),
        Case(
            "PACE_07",
            "Chip authentication data",
            "Doc 9303-11 4.4.3.5.2",
            "fit the key of EF.CardSecurity or DG14",
            _chip_data,
            _needs_mapping(_CAM),
        ),
        Case(
            "PACE_08",
            "With the MRZ",
            "Doc 9303-11 4.4",
            "opens",
            _opens_with(PasswordId.MRZ),
            _needs_password(PasswordId.MRZ),
        ),
        Case(
            "PACE_09",
            "With the CAN",
            "Doc 9303-11 4.4",
            "opens",
            _opens_with(PasswordId.CAN),
            _needs_password(PasswordId.CAN),
        ),
        Case(
            "PACE_10",
            "With the PIN",
            "TR-03110-2 2.2.1",
            "opens",
            _opens_with(PasswordId.PIN),
            _needs_password(PasswordId.PIN),
        ),
        Case(
            "PACE_11",
            "With the PUK",
            "TR-03110-2 2.2.2",
            "opens",
            _opens_with(PasswordId.PUK),
            _needs_password(PasswordId.PUK),
        ),
        Case(
            "PACE_12",
            "Wrong MRZ",
            "Doc 9303-11 4.4.1 step 3 f)",
            "refused; then the right one opens",
            _refuses(PasswordId.MRZ),
            _needs_password(PasswordId.MRZ),
        ),
        Case(
            "PACE_13",
            "Wrong CAN",
            "Doc 9303-11 4.4.1 step 3 f)",
            "refused; then the right one opens",
            _refuses(PasswordId.CAN),
            _needs_password(PasswordId.CAN),
        ),
        Case(
            "PACE_14",
            "Wrong PIN",
            "TR-03110-2 2.2.3",
            "refused; then the right one opens",
            _refuses(PasswordId.PIN),
            _needs_password(PasswordId.PIN),
            destructive=True,
        ),
        Case(
            "PACE_15",
            "Wrong PUK",
            "TR-03110-2 2.2.3",
            "refused; then the right one opens",
            _refuses(PasswordId.PUK),
            _needs_password(PasswordId.PUK),
            destructive=True,
        ),
        Case("PACE_16", "T_IFD altered", "Doc 9303-11 4.4.1 step 3 f)", "an error", _wrong_token, _needs_harmless),
        Case(
            "PACE_17",
            "Files after PACE has failed",
            "Doc 9303-11 4.4.2",
            "closed",
            _closed_after_failure,
            _needs_harmless,
        ),
        Case(
            "PACE_18",
            "The nonce is fresh",
            "Doc 9303-11 4.4.1 step 1",
            "no two are the same",
            _fresh(Step.NONCE, "the encrypted nonce"),
            needs_pace,
        ),
        Case(
            "PACE_19",
            "The mapping key is fresh",
            "Doc 9303-11 4.4.1 step 3 a)",
            "no two are the same",
            _fresh(Step.MAPPING, "the mapping key"),
            _needs_public_elements,
        ),
        Case(
            "PACE_20",
            "The ephemeral key is fresh",
            "Doc 9303-11 4.4.1 step 3 c)",
            "no two are the same",
            _fresh(Step.KEY_AGREEMENT, "the ephemeral key"),
            needs_pace,
        ),
        Case("PACE_21", "Run after a refused step", "Doc 9303-11 4.4.4.2", "is over", _run_is_over, _needs_harmless),
        Case(
            "PACE_22",
            "Length of the nonce",
            "Doc 9303-11 4.4.3.3",
            "whole blocks; with integrated mapping as long as the key",
            _nonce_length,
            needs_pace,
        ),
        Case("PACE_23", "Unknown protocol", "Doc 9303-11 4.4.4.1", "an error", _unknown_protocol, needs_pace),
        Case("PACE_24", "Unknown password", "Doc 9303-11 4.4.4.1", "an error", _unknown_password, needs_pace),
        Case(
            "PACE_25", "Unknown domain parameters", "Doc 9303-11 4.4.4.1", "an error", _unknown_parameters, needs_pace
        ),
        Case(
            "PACE_26",
            "GENERAL AUTHENTICATE without MSE:Set AT",
            "Doc 9303-11 4.4.4.2",
            "an error",
            _no_set_at,
            needs_pace,
        ),
        Case("PACE_27", "Steps out of order", "Doc 9303-11 4.4.5", "an error", _out_of_order, _needs_harmless_elements),
        Case(
            "PACE_28",
            "Mapping key outside of the group",
            "Doc 9303-11 9.6",
            "an error",
            _bad_element(Step.MAPPING),
            _needs_harmless_elements,
        ),
        Case(
            "PACE_29",
            "Ephemeral key outside of the group",
            "Doc 9303-11 9.6",
            "an error",
            _bad_element(Step.KEY_AGREEMENT),
            _needs_harmless,
        ),
        Case("PACE_30", "Empty ephemeral key", "Doc 9303-11 4.4.5.3", "an error", _empty_element, _needs_harmless),
        Case(
            "PACE_31",
            "Dynamic authentication data of another tag",
            "Doc 9303-11 4.4.5",
            "an error",
            _malformed,
            _needs_harmless,
        ),
        Case(
            "PACE_32",
            "Reset in mid-protocol",
            "Doc 9303-11 4.4.4",
            "nothing is left of it",
            _keeps_no_run,
            _needs_harmless,
        ),
        Case(
            "PACE_33",
            "PACE inside the application",
            "Doc 9303-11 4.2",
            "opens and serves, or is refused",
            _in_application,
            needs_pace,
        ),
    ),
)
