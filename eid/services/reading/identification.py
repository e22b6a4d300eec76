"""Asking the eID application: run the procedure, judge the chip, tell what was answered (docs/identification.md)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from eid.codec.cv import Chat
from eid.codec.oid import ID_COMMUNITY_ID, ID_DATE_OF_BIRTH, ID_DATE_OF_EXPIRY
from eid.errors import DecodeError, Reason, VerificationError
from eid.inspection.general_authentication import Consent, GeneralAuthentication
from eid.inspection.identification import Identification, IdentificationPlan, identify
from eid.lds.card_access import decode_card_access
from eid.lds.card_security import CardSecurity
from eid.lds.eid_application import EidValue, decode_eid_group, eid_group
from eid.lds.eid_values import GeneralPlace, OptionalData, Place, Text
from eid.locale import clean_text
from eid.mrz import PartialDate
from eid.pki.cv_rights import name_rights
from eid.pki.trust_store import TrustStore
from eid.protocols.exchange import CheckpointSink, Connection, drive
from eid.protocols.restricted_identification.terminal import SectorIdentifiers
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from eid.verification.card_security import verify_card_security
from eid.verification.policy import Policy
from eid.verification.report import OUTCOMES, Outcome

FORMAT: Final = "eid-identification"
VERSION: Final = 1
QUESTIONS: Final = {ID_DATE_OF_BIRTH: "age", ID_DATE_OF_EXPIRY: "validity", ID_COMMUNITY_ID: "community"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the chip is an issuer's: True, False, or None where nobody could tell; and why."""

    genuine: bool | None
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Identified:
    """What the chip has answered, and what its word is worth."""

    found: Identification = field(repr=False)
    judgement: Judgement

    @property
    def chat(self) -> Chat:
        """The rights that were asked for."""
        return self.found.authentication.chat

    @property
    def all_hold(self) -> bool | None:
        """Whether every question was answered with yes; None where one was not answered."""
        answers = self.found.answers.values()
        if any(answer is False for answer in answers):
            return False
        return True if all(answer is True for answer in answers) else None


def identify_card(
    connection: Connection,
    consent: Consent,
    credentials: TerminalCredentials,
    plan: IdentificationPlan,
    *,
    trust: TrustStore | None,
    policy: Policy,
    now: datetime,
    random: Callable[[int], bytes] = os.urandom,
    progress: CheckpointSink | None = None,
) -> Identified:
    """Ask the card behind a connection, which stays open.

    Args:
        trust: whom to believe that a chip is genuine; None leaves that open. now: the station's clock, UTC.

    Raises:
        as `eid.inspection.identification.identify`; TransportError.
    """
    found = drive(identify(consent, credentials, plan, random), connection, progress)
    return Identified(found, _judge(found.authentication, trust, policy, now))


def _judge(authentication: GeneralAuthentication, trust: TrustStore | None, policy: Policy, now: datetime) -> Judgement:
    """Passive Authentication of what Chip Authentication has proven (TR-03110-2 2.3.4 step 2)."""
    if trust is None:
        return Judgement(None, Reason.NO_CERTIFICATE_CHAIN_FOUND.value, "no trust store was given")
    try:
        file = verify_card_security(authentication.card_security, trust, policy, now)
        _require_same_announcement(authentication.card_access, file)
        _require_signed_key(authentication, file)
    except VerificationError as fault:
        return Judgement(False if OUTCOMES[fault.reason] is Outcome.FAILED else None, fault.reason.value, str(fault))
    except DecodeError as fault:
        return Judgement(False, Reason.FORMAT_FAILURE.value, str(fault))
    return Judgement(True)


def _require_same_announcement(card_access: bytes, file: CardSecurity) -> None:
    """What was read before PACE stands in the signed file, too: nobody has weakened it on the way."""
    if not set(decode_card_access(card_access).security_infos) <= set(file.security_infos):
        raise VerificationError(Reason.KEY_MISMATCH, "EF.CardAccess announces what EF.CardSecurity does not")


def _require_signed_key(authentication: GeneralAuthentication, file: CardSecurity) -> None:
    if authentication.chip_key.public_key_info not in {key.public_key_info for key in file.public_keys}:
        raise VerificationError(Reason.KEY_MISMATCH, "the chip proved a key that the issuer has not signed")


def identification_to_json(identified: Identified) -> dict[str, Any]:
    """The result as JSON (docs/formats/identification.schema.json); names and numbers of the holder are in it."""
    found, judgement = identified.found, identified.judgement
    return {
        "format": FORMAT,
        "version": VERSION,
        "chip": {"genuine": judgement.genuine, "reason": judgement.reason, "detail": judgement.detail},
        "rights": list(name_rights(identified.chat)),
        "answers": {QUESTIONS.get(oid, oid): _answer(answer) for oid, answer in found.answers.items()},
        "data_groups": {
            eid_group(number).name: {"number": number} | _group(number, content)
            for number, content in found.groups.items()
        },
        "pseudonyms": _pseudonyms(found.pseudonyms),
    }


def _answer(answer: bool | int) -> dict[str, Any]:
    return {"holds": answer} if isinstance(answer, bool) else {"refused": f"{answer:04X}"}


def _group(number: int, content: bytes | int) -> dict[str, Any]:
    if isinstance(content, int):
        return {"refused": f"{content:04X}"}
    try:
        return {"value": describe_value(decode_eid_group(number, content))}
    except DecodeError as fault:
        return {"malformed": str(fault), "octets": content.hex().upper()}


def _pseudonyms(given: SectorIdentifiers | int | None) -> dict[str, Any] | None:
    if given is None:
        return None
    if isinstance(given, int):
        return {"refused": f"{given:04X}"}
    pair = {"first": given.first, "second": given.second}
    return {name: value.hex().upper() for name, value in pair.items() if value is not None}


def describe_value(value: EidValue) -> Any:
    """A data group's value in JSON's types; what a terminal could take for an order is replaced."""
    if isinstance(value, tuple):
        return [_describe_item(item) for item in value]
    match value:
        case str():
            return clean_text(value)
        case bytes():
            return value.hex().upper()
        case date() | PartialDate():
            return value.isoformat()
        case Text():
            return clean_text(value.text)
        case _:
            return _describe_item(value)


def _describe_item(item: GeneralPlace | OptionalData) -> Any:
    if isinstance(item, OptionalData):
        return {"oid": item.oid, "data": None if item.data is None else item.data.hex().upper()}
    return _describe_place(item) if isinstance(item, Place) else clean_text(item.text)


def _describe_place(place: Place) -> dict[str, str]:
    parts = {
        "street": place.street,
        "zip_code": place.zip_code,
        "city": place.city,
        "state": place.state,
        "country": place.country,
    }
    return {name: clean_text(part) for name, part in parts.items() if part is not None}
