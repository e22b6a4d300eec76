"""Opening the chip: EF.CardAccess, PACE, and BAC only where the plan allows it (Doc 9303-11 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eid.crypto.cipher_suite import CipherSuite
from eid.errors import (
    AuthenticationError,
    DecodeError,
    EidError,
    NoAccessError,
    PasswordStateError,
    PeerProtocolError,
    StatusWordError,
    WrongPasswordError,
)
from eid.evidence import ProtocolName, ProtocolOutcome, ProtocolTranscript, ReadFile
from eid.inspection.plan import InspectionPlan
from eid.inspection.session import PaceEntry, Session
from eid.lds.atr_info import decode_atr_info
from eid.lds.card_access import decode_card_access
from eid.lds.files import EF_ATR_INFO, EF_CARD_ACCESS, EF_CARD_SECURITY
from eid.lds.security_infos import ChipAuthenticationInfo, PACEInfo, SecurityInfo, find_pace_infos
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Exchange
from eid.protocols.files import read_whole, select_master_file
from eid.protocols.pace.core import (
    GroupSource,
    Mapping,
    PaceResult,
    Parameters,
    describe_refused_parameters,
    find_parameters,
)

STATUS_LENGTH: Final = 2  # octets of an APDU's status word
_WEAK: Final = frozenset((CipherSuite.TDES_112,))
_ABOUT_THE_PASSWORD: Final = (WrongPasswordError, PasswordStateError)


def read_card_access(session: Session) -> Exchange[ReadFile]:
    """Read EF.CardAccess, which may be missing: a chip with BAC only has none."""
    found = yield from session.read(EF_CARD_ACCESS)
    if found.content is None and (yield from select_master_file()):
        return (yield from session.read(EF_CARD_ACCESS))
    return found


def learn_lengths(session: Session) -> Exchange[None]:
    """Ask EF.ATR/INFO for extended lengths and chaining (Doc 9303-10 3.11.1); most chips have no such file."""
    try:
        info = decode_atr_info((yield from read_whole(EF_ATR_INFO, may_select=False)))
    except (StatusWordError, DecodeError):
        return
    if info.supports_extended_length and info.extended_length_limits is not None:
        session.allow_extended(info.extended_length_limits.max_response - STATUS_LENGTH)
    if info.supports_chaining and not info.supports_extended_length:
        session.chain_commands()


@dataclass(frozen=True, slots=True)
class Opened:
    """How the chip was opened: every try, and what was read of the master file then."""

    transcripts: tuple[ProtocolTranscript, ...]
    files: tuple[ReadFile, ...] = ()


def open_chip(session: Session, card_access: ReadFile) -> Exchange[Opened]:
    """Run PACE, or BAC where the plan allows it; every try stands in the transcripts.

    A chip with chip-authentication mapping proves by PACE the key in EF.CardSecurity, so that is read, too.

    Raises:
        WrongPasswordError, PasswordStateError: never followed by another protocol.
        StatusWordError, AuthenticationError, PeerProtocolError: PACE failed, and the plan allows nothing after that.
        NoAccessError: the chip offers nothing that the plan allows.
    """
    infos = decode_pace_infos(card_access)
    entry = choose_pace(infos, foreign_curves=session.plan.foreign_curves)
    if entry is None:
        unsupported = _describe_unsupported(infos, foreign_curves=session.plan.foreign_curves)
        absent = ProtocolTranscript(ProtocolName.PACE, ProtocolOutcome.NOT_SUPPORTED, unsupported)
        _require_bac(session.plan, unsupported)
        return Opened((absent, (yield from _open_by_bac(session))))
    parameters = _describe(entry, session.plan)
    try:
        result = yield from session.open_by_pace(entry)
    except _ABOUT_THE_PASSWORD:
        raise
    except (StatusWordError, AuthenticationError, PeerProtocolError) as failure:
        if not session.plan.bac_after_pace_failure or session.plan.access_password.id is not PasswordId.MRZ:
            raise
        failed = ProtocolTranscript(ProtocolName.PACE, _outcome(failure), parameters)
        return Opened((failed, (yield from _open_by_bac(session))))
    files = []
    if _announces_card_security(card_access):
        files.append((yield from session.read(EF_CARD_SECURITY)))
    yield from session.select_application()
    transcript = ProtocolTranscript(ProtocolName.PACE, ProtocolOutcome.SUCCEEDED, parameters, _messages(result))
    return Opened((transcript,), tuple(files))


def _announces_card_security(card_access: ReadFile) -> bool:
    """Whether EF.CardSecurity is there: with chip-authentication mapping, or version 2 of Chip Authentication.

    Doc 9303-11 9.2.11, TR-03110-3 A.1.2.3.
    """
    of_version_2 = any(isinstance(info, ChipAuthenticationInfo) for info in _decode_infos(card_access))
    return of_version_2 or any(_is_chip_authenticating(info) for info in decode_pace_infos(card_access))


def _is_chip_authenticating(info: PACEInfo) -> bool:
    parameters = find_parameters(info)
    return parameters is not None and parameters.mapping is Mapping.CHIP_AUTHENTICATION


def _messages(result: PaceResult) -> dict[str, bytes]:
    """What a judge needs to see that the chip has proven its key (Doc 9303-11 4.4.3.5.2)."""
    chip = result.chip_authentication
    if chip is None:
        return {}
    return {"chip_authentication_data": chip.factor, "mapping_public_key": chip.mapping_public}


def choose_pace(infos: tuple[PACEInfo, ...], *, foreign_curves: bool = False) -> PaceEntry | None:
    """The PACEInfo to use, by what is spoken here; None where nothing is.

    Known groups before those that nobody knows, AES before 3DES, then a mapping that proves the chip's key, then the
    card's own order.
    """
    spoken = [
        (info, found) for info in infos if (found := find_parameters(info, foreign_curves=foreign_curves)) is not None
    ]
    if not spoken:
        return None
    info, _ = min(spoken, key=lambda pair: _rank(pair[1]))
    same = sum(other.protocol == info.protocol for other in infos)
    return PaceEntry(info, name_parameters=same > 1)


def _rank(parameters: Parameters) -> tuple[bool, bool, bool]:
    return (
        parameters.source is GroupSource.VALIDATED,
        parameters.suite in _WEAK,
        parameters.mapping is not Mapping.CHIP_AUTHENTICATION,
    )


def _require_bac(plan: InspectionPlan, unsupported: dict[str, str]) -> None:
    """BAC is all that is left: insist that the plan allows it, and has the password for it."""
    has_mrz = plan.access_password.id is PasswordId.MRZ
    if plan.allow_bac and has_mrz:
        return
    why = unsupported.get("domain_parameters")
    offers = "no PACE that is run here" if unsupported else "no PACE"
    offers += "" if why is None else f" (domain parameters {why})"
    bac = "BAC takes the MRZ alone" if plan.allow_bac else "BAC is not allowed"
    needs = (not plan.allow_bac and "BAC", not has_mrz and "MRZ", why is not None and "foreign curves")
    raise NoAccessError(
        f"the chip offers no access protocol that the inspection plan allows: it announces {offers}, and {bac}",
        tuple(need for need in needs if need),
    )


def _open_by_bac(session: Session) -> Exchange[ProtocolTranscript]:
    yield from session.open_by_bac()
    return ProtocolTranscript(ProtocolName.BAC, ProtocolOutcome.SUCCEEDED, {"password": PasswordId.MRZ.name})


def decode_pace_infos(card_access: ReadFile) -> tuple[PACEInfo, ...]:
    """The PACE protocols that the chip announces, with the domain parameters that it states beside them."""
    return find_pace_infos(_decode_infos(card_access))


def _decode_infos(card_access: ReadFile) -> tuple[SecurityInfo, ...]:
    """What the chip announces; an EF.CardAccess that cannot be decoded announces nothing, and the evidence keeps it."""
    if card_access.content is None:
        return ()
    try:
        return decode_card_access(card_access.content).security_infos
    except DecodeError:
        return ()


def _describe(entry: PaceEntry, plan: InspectionPlan) -> dict[str, str]:
    info, parameters = entry.info, find_parameters(entry.info, foreign_curves=plan.foreign_curves)
    said = {"oid": info.protocol, "parameter_id": str(info.parameter_id), "password": plan.access_password.id.name}
    if parameters is None:
        return said
    said["curve"] = parameters.group.name
    if parameters.source is not GroupSource.STANDARDISED:
        said["domain_parameters"] = parameters.source.value
    return said


def _describe_unsupported(infos: tuple[PACEInfo, ...], *, foreign_curves: bool) -> dict[str, str]:
    said = {"announced": " ".join(info.protocol for info in infos)} if infos else {}
    reasons = (describe_refused_parameters(info, foreign_curves=foreign_curves) for info in infos)
    refused = sorted({reason for reason in reasons if reason is not None})
    return said | ({"domain_parameters": "; ".join(refused)} if refused else {})


def _outcome(failure: EidError) -> ProtocolOutcome:
    return ProtocolOutcome.REFUSED if isinstance(failure, StatusWordError) else ProtocolOutcome.FAILED
