"""Issue a specimen card in this process: an invented person's card of any profile, and all a test asks about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Final

from eid.card import VirtualCard
from eid.card.keys import KeyOrder, decode_private_key, generate_key
from eid.crypto.public_key import encode_public_key
from eid.errors import ProfileError
from eid.identity import IdentityRecord, specimen_record
from eid.imaging.encode import encode_portrait
from eid.imaging.header import ImageFormat
from eid.imaging.portrait import draw_specimen_portrait
from eid.lds.dg13 import StatusListReference
from eid.mrz import Mrz
from eid.personalization.build import CardData, build_card
from eid.pki.trust_store import TrustStore
from eid.profile.card_image import KeyPurpose, PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.scp03.key_set import default_key_set
from eid.testing.authority import SpecimenAuthority
from eid.transport.loopback import LoopbackConnection
from eid.transport.reactive_card import ReactiveCard

CAN: Final = "123456789012"
"""The specimen card access number: as many of its digits as the profile prints."""
SERIAL_LENGTH: Final = 10
PORTRAIT_LIMIT: Final = 6000  # octets


@dataclass(frozen=True, slots=True)
class SpecimenCard:
    """An issued, operational card in this process. Every one of them is a card of its own, with its own counters.

    Args:
        card: octets in, octets out; `process`, `reset`, `atr`, `power_off`.
        files: the content of every file, by its name ("EF.COM", "DG1", "EF.CardAccess").
        can: the card access number; "" where the profile prints none. mrz: the machine-readable zone.
        authority: who signed it; `trust` is what a relying party has to import.
    """

    profile: CardProfile
    card: VirtualCard = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    can: str = field(repr=False)
    mrz: Mrz = field(repr=False)
    authority: SpecimenAuthority = field(repr=False)

    @property
    def mrz_information(self) -> str:
        """Document number, dates and check digits: the password of BAC, and of PACE with the MRZ (9303-11 4.3.2)."""
        return self.mrz.information

    @property
    def trust(self) -> TrustStore:
        """The CSCA certificate and the CRL."""
        return self.authority.trust

    def connect(self, card: ReactiveCard | None = None) -> LoopbackConnection:
        """Power the card up and return a connection to it; `card`: this one inside a wrapper, e.g. `FaultyCard`."""
        return LoopbackConnection(self.card if card is None else card)

    def copy(self) -> SpecimenCard:
        """The same document on a chip of its own, in the state in which this one is."""
        return replace(self, card=VirtualCard.from_state(self.card.state()))


def issue_specimen(
    profile: str | CardProfile, now: datetime, *, random: Callable[[int], bytes] = os.urandom
) -> SpecimenCard:
    """Issue a card for the specimen person.

    Args:
        profile: name or path, or the profile itself. now: day of issue, with a time zone.

    Raises:
        ProfileError: there is no such profile, or it wants what cannot be made here.
        RecordError: the specimen person's data do not fit the profile.
    """
    stated = profile if isinstance(profile, CardProfile) else load_profile(profile).profile
    authority = SpecimenAuthority(stated, now)
    data = build_specimen(stated, authority, specimen_for(stated, now), random=random)
    return issue_data(stated, authority, data, random=random)


def build_specimen(
    profile: CardProfile,
    authority: SpecimenAuthority,
    record: IdentityRecord,
    *,
    can: str | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> CardData:
    """Everything that goes on the card of this record, with fresh chip keys, signed by the authority.

    Args:
        can: the card access number; None takes the specimen one.

    Raises:
        RecordError: the record does not fit the profile.
    """
    private, public = make_chip_keys(profile, random)
    return build_card(
        record,
        profile,
        can=CAN[: profile.document.can_digits] if can is None else can,
        public_keys=public,
        sign=authority.sign,
        status=StatusListReference(profile.authority.status_list_uri, 4711),
        private_keys=private,
    )


def issue_data(
    profile: CardProfile,
    authority: SpecimenAuthority,
    data: CardData,
    *,
    serial: bytes | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> SpecimenCard:
    """Boot the card that holds what `build_specimen` has built; `serial` of 10 octets, None draws one."""
    keys = default_key_set(profile.security_domain.key_length, profile.security_domain.key_version)
    card = VirtualCard.from_image(data.image, serial=serial or random(SERIAL_LENGTH), keys=keys)
    application, *_ = data.image.applications
    files = {file.name: file.content for file in (*data.image.master_files, *application.files)}
    has_can = PasswordId.CAN in {password.id for password in data.image.passwords}
    return SpecimenCard(profile, card, files, data.can if has_can else "", data.mrz, authority)


def specimen_for(profile: CardProfile, now: datetime) -> IdentityRecord:
    """The specimen person as a citizen of the profile's state, with numbers that the profile accepts.

    Raises:
        ProfileError: the profile accepts no specimen number.
    """
    record = specimen_record(now.date(), specimen_portrait())
    state = profile.document.issuing_state
    return replace(
        record,
        issuing_state=state,
        nationality=state,
        document_number=_specimen_number(profile),
        personal_number=record.personal_number if profile.document.personal_number.accepts("ZZ123456") else "",
    )


def _specimen_number(profile: CardProfile) -> str:
    for number in ("SPM00001", "SPM000012"):
        if profile.document.document_number.accepts(number):
            return number
    raise ProfileError(f"profile {profile.name} accepts no specimen document number")


@cache
def specimen_portrait() -> bytes:
    """A drawn portrait of nobody, JPEG."""
    return encode_portrait(draw_specimen_portrait(width=207, height=266), ImageFormat.JPEG, PORTRAIT_LIMIT)


def make_chip_keys(
    profile: CardProfile, random: Callable[[int], bytes] = os.urandom
) -> tuple[dict[KeyPurpose, bytes], dict[KeyPurpose, bytes]]:
    """The keys that a chip of this profile would generate: PKCS#8 and SubjectPublicKeyInfo (DER), by purpose."""
    private, public = {}, {}
    for key in profile.application.keys:
        made = generate_key(KeyOrder(key.purpose, key.reference, key.algorithm), random).private_key
        explicit = profile.authority.ec_parameters == "explicit"
        private[key.purpose] = made
        public[key.purpose] = encode_public_key(decode_private_key(made).public_key(), explicit=explicit)
    return private, public
