"""Asking the eID application: data groups by right, questions, pseudonyms (TR-03110-2 2.3.5 step 3, TR-03110-4 2.2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from eid.codec.status_word import SW
from eid.errors import StatusWordError
from eid.inspection.general_authentication import Consent, GeneralAuthentication, run_general_authentication
from eid.inspection.session import step
from eid.lds.card_security import decode_card_security
from eid.lds.eid_application import EID_AID, eid_group
from eid.lds.security_infos import RestrictedIdentificationInfo
from eid.protocols.auxiliary_data.terminal import verify_auxiliary_data
from eid.protocols.exchange import Exchange, through
from eid.protocols.files import read_file, select_application
from eid.protocols.restricted_identification.sector_key import SectorPublicKey
from eid.protocols.restricted_identification.terminal import SectorIdentifiers, run_restricted_identification
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.security_status import RESTRICTED_IDENTIFICATION
from eid.protocols.terminal_authentication.core import AuxiliaryDatum
from eid.protocols.terminal_authentication.terminal import TerminalCredentials

T = TypeVar("T")
RESTRICTED_IDENTIFICATION_RIGHT: Final = 1 << RESTRICTED_IDENTIFICATION
_CLOSED: Final = frozenset((SW.SECURITY_STATUS_NOT_SATISFIED, SW.REFERENCED_DATA_NOT_FOUND, SW.FILE_NOT_FOUND))


@dataclass(frozen=True, slots=True)
class Sectors:
    """For whom a pseudonym is asked: the sectors that the terminal's certificate names, and the chip's key.

    Args:
        key_id: None takes the key that wants the right where the terminal has asked for it, else the one for everybody.
    """

    first: SectorPublicKey | None
    second: SectorPublicKey | None = None
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class IdentificationPlan:
    """What to ask. groups: numbers of data groups. questions: auxiliary data. sectors: None asks for no pseudonym."""

    groups: tuple[int, ...] = ()
    questions: tuple[AuxiliaryDatum, ...] = ()
    sectors: Sectors | None = None


@dataclass(frozen=True, slots=True)
class Identification:
    """What the chip has answered.

    Args:
        groups: content of each file by number; the status word where the chip does not give it.
        answers: by object identifier (dotted) what the chip says, or the status word where it does not.
        pseudonyms: None where none was asked for; the status word where the chip gives none.
    """

    authentication: GeneralAuthentication
    groups: dict[int, bytes | int] = field(repr=False)
    answers: dict[str, bool | int]
    pseudonyms: SectorIdentifiers | int | None = None


def identify(
    consent: Consent,
    credentials: TerminalCredentials,
    plan: IdentificationPlan,
    random: Callable[[int], bytes] = os.urandom,
) -> Exchange[Identification]:
    """Run the General Authentication Procedure, then ask. What is closed to the terminal is told, and no failure.

    Raises:
        as `run_general_authentication`; StatusWordError where there is no eID application.
    """
    authentication = yield from run_general_authentication(consent, credentials, plan.questions, random)
    channel = authentication.secure_messaging
    yield from step("select the eID application", through(channel, select_application(EID_AID)))
    answers = yield from step("verify auxiliary data", _ask_all(channel, plan.questions))
    groups: dict[int, bytes | int] = {}
    for number in plan.groups:
        groups[number] = yield from step(f"read DG{number}", _allowed(through(channel, _read(number))))
    pseudonyms = None
    if plan.sectors is not None:
        sectors = replace(plan.sectors, key_id=_choose_key(authentication, plan.sectors))
        pseudonyms = yield from step("Restricted Identification", _allowed(through(channel, _name(sectors))))
    return Identification(authentication, groups, answers, pseudonyms)


def _ask_all(channel: SecureMessaging, questions: tuple[AuxiliaryDatum, ...]) -> Exchange[dict[str, bool | int]]:
    answers: dict[str, bool | int] = {}
    for question in questions:
        answers[question.oid] = yield from _allowed(through(channel, verify_auxiliary_data(question.oid)))
    return answers


def _read(number: int) -> Exchange[bytes]:
    return (yield from read_file(eid_group(number).file))


def _choose_key(authentication: GeneralAuthentication, sectors: Sectors) -> int | None:
    """The key by EF.CardSecurity's announcement (TR-03110-3 A.1.1.4); None where it announces none that fits."""
    if sectors.key_id is not None:
        return sectors.key_id
    named = sectors.first or sectors.second
    infos = decode_card_security(authentication.card_security, []).security_infos
    has_right = RESTRICTED_IDENTIFICATION_RIGHT & int.from_bytes(authentication.chat.authorization, "big")
    keys = {
        info.authorized_only: info.key_id
        for info in infos
        if isinstance(info, RestrictedIdentificationInfo) and named is not None and info.protocol == named.protocol
    }
    return keys.get(bool(has_right), keys.get(False))


def _name(sectors: Sectors) -> Exchange[SectorIdentifiers]:
    return (yield from run_restricted_identification(sectors.key_id, sectors.first, sectors.second))


def _allowed(exchange: Exchange[T]) -> Exchange[T | int]:
    """The exchange's result, or the status word by which the card says that this is not for this terminal."""
    try:
        return (yield from exchange)
    except StatusWordError as refusal:
        if refusal.sw not in _CLOSED:
            raise
        return int(refusal.sw)
