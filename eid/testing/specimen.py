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
from eid.identity import EYES, EmergencyContact, Fingerprint, IdentityRecord, Iris, specimen_record
from eid.imaging.encode import encode_portrait
from eid.imaging.fingerprint import draw_specimen_fingerprint
from eid.imaging.header import ImageFormat
from eid.imaging.iris import draw_specimen_iris
from eid.imaging.portrait import draw_specimen_portrait
from eid.imaging.signature import draw_specimen_signature
from eid.lds.dg13 import StatusListReference
from eid.mrz import Mrz
from eid.personalization.build import CardData, CardSecrets, build_card
from eid.pki.trust_store import TrustStore
from eid.profile.card_image import KeyPurpose, PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.scp03.key_set import StaticKeySet
from eid.testing.authority import SpecimenAuthority
from eid.testing.terminals import SpecimenTerminals
from eid.transport.loopback import LoopbackConnection
from eid.transport.reactive_card import ReactiveCard

CAN: Final = "123456789012"
"""The specimen card access number: as many of its digits as the profile prints."""
PIN: Final = "4711471147114711"
PUK: Final = "0815081508150815"
"""The specimen PIN and PUK, likewise."""
SPECIMEN_FINGERS: Final = ("right-index", "left-index")  # Regulation (EC) 2252/2004, Regulation (EU) 2019/1157
SPECIMEN_CONTACT: Final = EmergencyContact("SPECIMEN<<OTTO", "+212 5 00 00 00 00", "1 RUE DU MODELE\nRABAT")
SERIAL_LENGTH: Final = 10
PORTRAIT_LIMIT: Final = 6000  # octets


@dataclass(frozen=True, slots=True)
class SpecimenCard:
    """An issued, operational card in this process. Every one of them is a card of its own, with its own counters.

    Args:
        card: octets in, octets out; `process`, `reset`, `atr`, `power_off`.
        files: the content of every file, by its name ("EF.COM", "DG1", "EF.CardAccess").
        can: the card access number; "" where the profile prints none. mrz: the machine-readable zone.
        pin, puk: digits; "" where the product has none.
        authority: who signed it; `trust` is what a relying party has to import.
        terminals: whom it trusts, and a terminal that may read everything; None without Terminal Authentication.
    """

    profile: CardProfile
    card: VirtualCard = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)
    can: str = field(repr=False)
    mrz: Mrz = field(repr=False)
    authority: SpecimenAuthority = field(repr=False)
    pin: str = field(default="", repr=False)
    puk: str = field(default="", repr=False)
    terminals: SpecimenTerminals | None = field(default=None, repr=False)

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
    terminals = specimen_terminals(stated, now)
    data = build_specimen(stated, authority, specimen_for(stated, now), terminals=terminals, random=random)
    return issue_data(stated, authority, data, terminals=terminals, random=random)


def specimen_terminals(profile: CardProfile, now: datetime) -> SpecimenTerminals | None:
    """Whom the cards of a profile trust; None without Terminal Authentication."""
    return SpecimenTerminals(profile, now) if profile.needs_terminal_authentication else None


def build_specimen(
    profile: CardProfile,
    authority: SpecimenAuthority,
    record: IdentityRecord,
    *,
    secrets: CardSecrets | None = None,
    terminals: SpecimenTerminals | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> CardData:
    """Everything that goes on the card of this record, with fresh chip keys, signed by the authority.

    Args:
        secrets: None takes the specimen ones. terminals: whom the card trusts, where the profile has it trust anybody.

    Raises:
        RecordError: the record does not fit the profile.
    """
    private, public = make_chip_keys(profile, random)
    return build_card(
        record,
        profile,
        can=specimen_secrets(profile) if secrets is None else secrets,
        public_keys=public,
        sign=authority.sign,
        sign_card_security=authority.sign_card_security,
        status=StatusListReference(profile.authority.status_list_uri, 4711),
        private_keys=private,
        trust_points=() if terminals is None else (terminals.cvca_certificate,),
    )


def specimen_secrets(profile: CardProfile) -> CardSecrets:
    """CAN, PIN and PUK that everybody knows, as long as the profile says."""
    access = profile.access
    return CardSecrets(
        CAN[: profile.document.can_digits],
        PIN[: access.pin_digits] if "PIN" in access.passwords else "",
        PUK[: access.puk_digits] if "PUK" in access.passwords else "",
        b"SPECIMEN",
    )


def issue_data(
    profile: CardProfile,
    authority: SpecimenAuthority,
    data: CardData,
    *,
    serial: bytes | None = None,
    terminals: SpecimenTerminals | None = None,
    random: Callable[[int], bytes] = os.urandom,
) -> SpecimenCard:
    """Boot the card that holds what `build_specimen` has built; `serial` of 10 octets, None draws one.

    Its security domain has keys of its own that nobody keeps, as an issuer's card has keys that only the issuer knows.
    """
    domain = profile.security_domain
    keys = StaticKeySet(domain.key_version, *(random(domain.key_length) for _ in range(3)))
    card = VirtualCard.from_image(data.image, serial=serial or random(SERIAL_LENGTH), keys=keys)
    application, *_ = data.image.applications
    files = {file.name: file.content for file in (*data.image.master_files, *application.files)}
    has_can = PasswordId.CAN in {password.id for password in data.image.passwords}
    secrets = data.secrets
    return SpecimenCard(
        profile, card, files, secrets.can if has_can else "", data.mrz, authority, secrets.pin, secrets.puk, terminals
    )


def specimen_for(profile: CardProfile, now: datetime) -> IdentityRecord:
    """The specimen person as a citizen of the profile's state, with numbers that the profile accepts.

    Raises:
        ProfileError: the profile accepts no specimen number.
    """
    record = specimen_record(now.date(), specimen_portrait())
    state = profile.document.issuing_state
    groups = profile.application.data_groups
    return replace(
        record,
        fingerprints=specimen_fingerprints() if "DG3" in groups else (),
        irises=specimen_irises() if "DG4" in groups else (),
        signature_image=draw_specimen_signature() if "DG7" in groups else None,
        persons_to_notify=(SPECIMEN_CONTACT,) if "DG16" in groups else (),
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
def specimen_fingerprints() -> tuple[Fingerprint, ...]:
    """Drawn fingers of nobody, JPEG 2000."""
    return tuple(Fingerprint(name, draw_specimen_fingerprint(number)) for number, name in enumerate(SPECIMEN_FINGERS))


@cache
def specimen_irises() -> tuple[Iris, ...]:
    """Drawn eyes of nobody, JPEG 2000."""
    return tuple(Iris(name, draw_specimen_iris(number)) for number, name in enumerate(EYES))


@cache
def specimen_portrait() -> bytes:
    """A drawn portrait of nobody, JPEG."""
    return encode_portrait(draw_specimen_portrait(width=207, height=266), ImageFormat.JPEG, PORTRAIT_LIMIT)


def make_chip_keys(
    profile: CardProfile, random: Callable[[int], bytes] = os.urandom
) -> tuple[dict[KeyPurpose, bytes], dict[KeyPurpose, bytes]]:
    """The keys that a chip of this profile would generate: PKCS#8 and SubjectPublicKeyInfo (DER), by purpose."""
    private, public = {}, {}
    for key in profile.keys:
        made = generate_key(KeyOrder(key.purpose, key.reference, key.algorithm), random).private_key
        explicit = profile.authority.ec_parameters == "explicit"
        private[key.purpose] = made
        public[key.purpose] = encode_public_key(decode_private_key(made).public_key(), explicit=explicit)
    return private, public
