"""Issue a specimen card in memory: authority, record, blank virtual card, personalisation. Shared by many tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from eid.card import VirtualCard
from eid.crypto.curves import curve_by_name
from eid.crypto.mac import cmac
from eid.crypto.signatures import SignatureAlgorithm
from eid.identity import IdentityRecord, specimen_record
from eid.imaging.encode import encode_portrait
from eid.imaging.header import ImageFormat
from eid.imaging.portrait import draw_specimen_portrait
from eid.keystore.card_keys import MasterKey, default_card_keys
from eid.keystore.software import SoftwareSigner
from eid.lds.dg13 import StatusListReference
from eid.lds.security_infos import SecurityInfo, encode_security_infos
from eid.personalization.apply import Progress, apply
from eid.personalization.build import CardData, CardSecrets, build_card, build_chip, build_ordered_applications
from eid.personalization.dialects import plan_card
from eid.personalization.open import OpenedCard, open_card
from eid.personalization.plan import PersonalizationPlan
from eid.personalization.public_keys import collect_public_keys
from eid.pki.card_security import sign_card_security
from eid.pki.certificate_profile import IssuingState, Validity
from eid.pki.crl import build_crl
from eid.pki.csca import build_csca_certificate
from eid.pki.document_signer import build_document_signer_certificate, sign_sod
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.profile.card_image import CardImage, KeyPurpose
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import Checkpoint, CheckpointSink, Connection, drive, through
from eid.protocols.scp03.core import SecurityLevel
from eid.testing.specimen import specimen_for, specimen_secrets, specimen_terminals
from eid.transport.loopback import LoopbackConnection

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SERIAL = bytes.fromhex("00112233445566778899")
CAN = "123456"
STATUS = StatusListReference("https://status.example.org/1", 4711)


@cache
def portrait() -> bytes:
    return encode_portrait(draw_specimen_portrait(width=207, height=266), ImageFormat.JPEG, 6000)


def record_for(profile: CardProfile) -> IdentityRecord:
    """The specimen person as a citizen of the profile's state."""
    record = specimen_for(profile, NOW)
    state = profile.document.issuing_state
    number = "SPM000012" if profile.document.format == "TD3" or state != "MAR" else "SPM00001"
    personal = specimen_record(NOW.date(), portrait()).personal_number
    return replace(record, portrait=portrait(), document_number=number, personal_number=personal)


@dataclass
class Authority:
    """CSCA and document signer of a profile, in memory."""

    profile: CardProfile
    csca: SoftwareSigner = field(init=False)
    signer: SoftwareSigner = field(init=False)
    csca_certificate: bytes = field(init=False)
    signer_certificate: bytes = field(init=False)
    crl: bytes = field(init=False)
    signed: dict[bytes, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        stated = self.profile.authority
        state = IssuingState(
            stated.country,
            stated.organization,
            "csca@example.org",
            ("https://csca.example.org/crl",),
            stated.ec_parameters == "explicit",
            self.profile.document.issuing_state,
        )
        self.csca = signer("csca", stated.csca_curve, stated.csca_hash)
        self.signer = signer("ds", stated.signer_curve, stated.signer_hash)
        start = NOW - timedelta(days=1)
        long, short = Validity(start, start + timedelta(days=4000)), Validity(start, start + timedelta(days=90))
        self.csca_certificate = build_csca_certificate(self.csca, state, "SPECIMEN CSCA", long, short)
        self.signer_certificate = build_document_signer_certificate(
            self.csca,
            self.csca_certificate,
            self.signer.public_key_info,
            state,
            "SPECIMEN DS 1",
            long,
            short,
            document_types=(self.profile.document.code,),
        )
        self.crl = build_crl(
            self.csca, self.csca_certificate, number=1, this_update=start, next_update=start + timedelta(days=90)
        )

    def sign(self, lds_security_object: bytes) -> bytes:
        """Sign once: a second attempt at the same card takes the same EF.SOD, as a job that keeps it would."""
        if lds_security_object not in self.signed:
            sod = sign_sod(lds_security_object, self.signer, self.signer_certificate, signing_time=NOW)
            self.signed[lds_security_object] = sod
        return self.signed[lds_security_object]

    def sign_card_security(self, infos: tuple[SecurityInfo, ...]) -> bytes:
        """Once for the same announcements, likewise."""
        content = encode_security_infos(infos)
        if content not in self.signed:
            signed = sign_card_security(infos, self.signer, self.signer_certificate, signing_time=NOW)
            self.signed[content] = signed
        return self.signed[content]

    @property
    def trust(self) -> TrustStore:
        return build_trust_store((self.csca_certificate,), (self.crl,))


def signer(label: str, curve_name: str, hash_name: str) -> SoftwareSigner:
    curve = curve_by_name(curve_name)
    assert curve is not None
    assert curve.library is not None
    return SoftwareSigner(label, ec.generate_private_key(curve.library), SignatureAlgorithm("ecdsa", hash_name))


def master_key(length: int) -> MasterKey:
    key = bytes(range(length))
    return MasterKey("test master", length, lambda message: cmac(key, message))


@dataclass
class Journal:
    """A sink that remembers checkpoints, and what they mean for a second attempt."""

    entries: list[Checkpoint] = field(default_factory=list)

    def record(self, checkpoint: Checkpoint) -> None:
        self.entries.append(checkpoint)

    @property
    def progress(self) -> dict[str, Progress]:
        known: dict[str, Progress] = {}
        for entry in self.entries:
            known[entry.step] = Progress.DONE if entry.phase == "result" else Progress.INTENT
        return known


@dataclass
class Issued:
    """A card on its way: what was opened, planned and built."""

    profile: CardProfile
    authority: Authority
    card: VirtualCard
    data: CardData
    plan: PersonalizationPlan


def blank_card(profile: CardProfile, serial: bytes = SERIAL) -> VirtualCard:
    return VirtualCard.blank(build_chip(profile), serial=serial)


def open_for_writing(profile: CardProfile, connection: Connection, sink: CheckpointSink | None = None) -> OpenedCard:
    domain = build_chip(profile).security_domain
    return drive(
        open_card(
            domain,
            master_key(domain.key_length),
            default_card_keys(domain.key_length),
            key_version=profile.security_domain.key_version,
            level=SecurityLevel(profile.security_domain.security_level),
        ),
        connection,
        sink,
    )


def order_keys(profile: CardProfile) -> CardImage:
    """The part of the image that is known before the card has made its keys."""
    return CardImage(build_chip(profile), (), build_ordered_applications(profile), ())


def secrets_for(profile: CardProfile) -> CardSecrets:
    return replace(specimen_secrets(profile), can=CAN)


def build(
    profile: CardProfile,
    authority: Authority,
    *,
    public_keys: Mapping[KeyPurpose, bytes],
    private_keys: Mapping[KeyPurpose, bytes] | None = None,
) -> CardData:
    """Everything that goes on the specimen person's card."""
    terminals = specimen_terminals(profile, NOW)
    return build_card(
        record_for(profile),
        profile,
        can=secrets_for(profile),
        public_keys=public_keys,
        sign=authority.sign,
        sign_card_security=authority.sign_card_security,
        status=STATUS,
        private_keys=private_keys,
        trust_points=() if terminals is None else (terminals.cvca_certificate,),
    )


_load_once = cache(load_profile)  # a test of torn attempts issues hundreds of cards


def issue(
    profile_or_name: str | CardProfile,
    *,
    connection: Connection | None = None,
    card: VirtualCard | None = None,
    sink: CheckpointSink | None = None,
    progress: Mapping[str, Progress] | None = None,
    authority: Authority | None = None,
) -> Issued:
    """Carry a blank card through the whole personalisation."""
    profile = _load_once(profile_or_name).profile if isinstance(profile_or_name, str) else profile_or_name
    made = authority or Authority(profile)
    chip = card or blank_card(profile)
    link = connection or LoopbackConnection(chip)
    opened = open_for_writing(profile, link, sink)
    orders = plan_card(order_keys(profile), profile.personalization.dialect)
    products = drive(through(opened.channel, apply(orders.keys, progress)), link, sink)
    keys = collect_public_keys(products, explicit=profile.authority.ec_parameters == "explicit")
    data = build(profile, made, public_keys=keys)
    plan = plan_card(data.image, profile.personalization.dialect)
    drive(through(opened.channel, apply((*plan.files, *plan.lock), progress)), link, sink)
    return Issued(profile, made, chip, data, plan)
