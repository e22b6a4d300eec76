"""Build a card image from an approved record, a profile and the keys that the chip generated.

Pure: who signs is given as a function, so that the key may be anywhere. The MRZ is one value; DG1, the access keys and
the printed lines all come from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from eid.crypto.hashes import digest
from eid.errors import DecodeError, RecordError
from eid.identity import BilingualText, IdentityRecord
from eid.imaging import inspect_image
from eid.lds.card_access import CardAccess
from eid.lds.com import EfCom
from eid.lds.dg1 import build_dg1
from eid.lds.dg2 import build_dg2
from eid.lds.dg11 import DG11
from eid.lds.dg12 import DG12
from eid.lds.dg13 import DG13, PersonName, StatusListReference
from eid.lds.dg14 import DG14
from eid.lds.dg15 import DG15
from eid.lds.files import EF_CARD_ACCESS, EF_COM, EF_SOD, by_name
from eid.lds.security_infos import (
    ID_PK_ECDH,
    ActiveAuthenticationInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
    SecurityInfo,
    UnknownSecurityInfo,
)
from eid.lds.sod import LdsVersion, build_lds_security_object
from eid.mrz import Mrz, MrzFormat, build_mrz
from eid.profile.card_image import (
    AccessCondition,
    ApplicationImage,
    CardImage,
    ChipImage,
    FileImage,
    KeyImage,
    KeyPurpose,
    PasswordId,
    PasswordImage,
    SecurityDomainImage,
)
from eid.profile.quirks import NO_QUIRKS, Quirks
from eid.profile.schema import CardProfile, Key
from eid.protocols.active_authentication.core import ECDSA_PLAIN

# Data groups that tell of the chip's keys; all others come from the record alone.
OF_THE_CHIP: Final = frozenset(("DG14", "DG15"))

FOREIGN_PROTOCOL: Final = "2.25.1"
"""An identifier that means nothing to anybody (ITU-T X.667), for chips that announce what terminals do not know."""

SignSod = Callable[[bytes], bytes]
"""LDS security object (DER) to EF.SOD."""


@dataclass(frozen=True, slots=True)
class CardData:
    """What is to go on one card.

    Args:
        mrz: the value that both DG1 and the printed lines come from. can: the card access number, digits.
        sod_hash: SHA-256 of EF.SOD.
    """

    image: CardImage = field(repr=False)
    mrz: Mrz = field(repr=False)
    can: str = field(repr=False)
    sod_hash: bytes


def build_chip(profile: CardProfile) -> ChipImage:
    """What a blank chip of this product is."""
    domain = profile.security_domain
    return ChipImage(
        interface=profile.chip.interface,
        historical_bytes=profile.chip.historical_bytes,
        security_domain=SecurityDomainImage(domain.aid, domain.key_length, domain.i_parameter),
        extended_length=profile.chip.extended_length,
        max_command_data=profile.chip.max_command_data,
        max_response_data=profile.chip.max_response_data,
        quirks=NO_QUIRKS if profile.quirks == NO_QUIRKS else profile.quirks,  # a chip asks for it by identity, quickly
    )


def build_card_mrz(record: IdentityRecord, profile: CardProfile) -> Mrz:
    """The MRZ, with numbers where the profile wants them.

    Raises:
        RecordError: the record is of another state, or a number is not what the profile says it looks like.
    """
    document = profile.document
    if record.issuing_state != document.issuing_state:
        raise RecordError(f"issuing_state is not the profile's {document.issuing_state}")
    for name, rule, value in (
        ("document_number", document.document_number, record.document_number),
        ("personal_number", document.personal_number, record.personal_number),
    ):
        if not rule.accepts(value):
            raise RecordError(f"{name} is not {rule.what or rule.pattern}")
    sources = {"none": "", "personal_number": record.personal_number}
    return build_mrz(
        MrzFormat[document.format],
        document_code=document.code,
        issuing_state=record.issuing_state,
        document_number=record.document_number,
        nationality=record.nationality,
        date_of_birth=record.date_of_birth.mrz,
        sex=record.sex,
        date_of_expiry=record.expires_on.strftime("%y%m%d"),
        family_name=record.family_name.latin,
        given_names=record.given_names.latin,
        optional_data_1=sources[document.optional_data_1],
        optional_data_2=sources[document.optional_data_2],
    )


def verify_record(record: IdentityRecord, profile: CardProfile) -> Mrz:
    """Insist that the record fits the profile, as far as that can be told before there is a chip; its MRZ.

    Raises:
        RecordError: it does not; the text names the field.
    """
    mrz = build_card_mrz(record, profile)
    of_the_record = tuple(name for name in profile.application.data_groups if name not in OF_THE_CHIP)
    _build_groups(of_the_record, record, profile, mrz, {}, None)
    return mrz


def build_card(
    record: IdentityRecord,
    profile: CardProfile,
    *,
    can: str,
    public_keys: Mapping[KeyPurpose, bytes],
    sign: SignSod,
    status: StatusListReference | None = None,
    private_keys: Mapping[KeyPurpose, bytes] | None = None,
) -> CardData:
    """Build everything that goes on the card.

    Args:
        can: the card access number, as many digits as the profile says.
        public_keys: SubjectPublicKeyInfo (DER) of each key that the profile wants, as the card generated it.
        sign: makes EF.SOD of the LDS security object.
        status: the card's place in a status list.
        private_keys: PKCS#8 (DER), for keys that are injected and not generated on the card.

    Raises:
        RecordError: the record does not fit the profile.
    """
    if not (can.isascii() and can.isdigit() and len(can) == profile.document.can_digits):
        raise RecordError(f"the card access number is not of {profile.document.can_digits} digits")
    mrz = build_card_mrz(record, profile)
    groups = build_data_groups(record, profile, mrz, public_keys, status)
    hashes = {by_name(name).number or 0: digest(profile.application.hash, raw) for name, raw in groups.items()}
    security_object = build_lds_security_object(profile.application.hash, hashes, _signed_version(profile))
    sod = sign(security_object)
    files = {EF_COM.name: _build_com(profile, groups), **groups, EF_SOD.name: sod}
    image = CardImage(
        chip=build_chip(profile),
        master_files=_build_master_files(profile),
        applications=(_build_application(profile, files, private_keys or {}),),
        passwords=_build_passwords(profile, mrz, can),
        pace=_pace_infos(profile),
    )
    return CardData(image, mrz, can, digest("sha256", sod))


def build_data_groups(
    record: IdentityRecord,
    profile: CardProfile,
    mrz: Mrz,
    public_keys: Mapping[KeyPurpose, bytes],
    status: StatusListReference | None,
) -> dict[str, bytes]:
    """Each data group that the profile names, encoded, by name and in ascending order."""
    return _build_groups(profile.application.data_groups, record, profile, mrz, public_keys, status)


def _build_groups(
    wanted: Iterable[str],
    record: IdentityRecord,
    profile: CardProfile,
    mrz: Mrz,
    public_keys: Mapping[KeyPurpose, bytes],
    status: StatusListReference | None,
) -> dict[str, bytes]:
    builders: dict[str, Callable[[], bytes]] = {
        "DG1": lambda: build_dg1(mrz).encode(),
        "DG2": lambda: _build_dg2(record),
        "DG11": lambda: _build_dg11(record).encode(),
        "DG12": lambda: _build_dg12(record).encode(),
        "DG13": lambda: _build_dg13(record, status).encode(),
        "DG14": lambda: DG14(_security_infos(profile, public_keys)).encode(),
        "DG15": lambda: DG15(_public_key(public_keys, KeyPurpose.ACTIVE_AUTHENTICATION)).encode(),
    }
    names = sorted(wanted, key=lambda name: by_name(name).fid)
    unknown = [name for name in names if name not in builders]
    if unknown:
        raise RecordError(f"an identity record holds nothing for {unknown[0]}")
    return {name: builders[name]() for name in names}


def _public_key(public_keys: Mapping[KeyPurpose, bytes], purpose: KeyPurpose) -> bytes:
    if purpose not in public_keys:
        raise RecordError(f"the {purpose} key of the chip is missing")
    return public_keys[purpose]


def _build_dg2(record: IdentityRecord) -> bytes:
    try:
        info = inspect_image(record.portrait)
    except DecodeError as error:
        raise RecordError(f"portrait: {error}") from error
    created = bytes.fromhex(record.issued_on.strftime("%Y%m%d") + "000000")
    return build_dg2(record.portrait, info.width, info.height, created).encode()


def _name_in_full(family: str, given: str) -> str:
    # Doc 9303-10 4.7.11: primary identifier, two fillers, secondary identifiers with a filler between them.
    return f"{family.replace(' ', '<')}<<{given.replace(' ', '<')}"


def _build_dg11(record: IdentityRecord) -> DG11:
    born = record.date_of_birth
    return DG11(
        full_name=_name_in_full(record.family_name.arabic, record.given_names.arabic),
        personal_number=record.personal_number,
        full_date_of_birth=f"{born.year:04}{born.month or 0:02}{born.day or 0:02}",
        place_of_birth=(record.place_of_birth.arabic, record.place_of_birth.latin),
        permanent_address=(*record.address.arabic.split("\n"), *record.address.latin.split("\n")),
    )


def _build_dg12(record: IdentityRecord) -> DG12:
    return DG12(
        issuing_authority=record.issuing_authority.latin,
        date_of_issue=record.issued_on.strftime("%Y%m%d"),
    )


def _build_dg13(record: IdentityRecord, status: StatusListReference | None) -> DG13:
    return DG13(
        father=_person(record.father),
        mother=_person(record.mother),
        partner=None if record.partner is None else _person(record.partner.name),
        civil_status_number=record.civil_status_number,
        status_list=status,
    )


def _person(name: BilingualText) -> PersonName:
    return PersonName(name.arabic, name.latin)


def _pace_infos(profile: CardProfile) -> tuple[PACEInfo, ...]:
    return tuple(pace.info for pace in profile.access.pace)


def _security_infos(profile: CardProfile, public_keys: Mapping[KeyPurpose, bytes]) -> tuple[SecurityInfo, ...]:
    """DG14: PACE again, signed this time, and what the chip's keys are for (Doc 9303-11 9.2)."""
    infos: list[SecurityInfo] = list(_pace_infos(profile))
    for key in profile.application.keys:
        infos.extend(_key_infos(key, public_keys, profile.quirks))
    return tuple(infos)


def _key_infos(key: Key, public_keys: Mapping[KeyPurpose, bytes], quirks: Quirks) -> tuple[SecurityInfo, ...]:
    if key.purpose is KeyPurpose.CHIP_AUTHENTICATION:
        key_id = key.reference if quirks.chip_authentication_key_id else None
        public_key = ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, _public_key(public_keys, key.purpose), key_id)
        if not quirks.chip_authentication_info:
            return (public_key,)
        return (ChipAuthenticationInfo(key.chip_authentication_protocol, 1, key_id), public_key)
    if key.kind == "ec":
        return (ActiveAuthenticationInfo(ECDSA_PLAIN[key.hash]),)
    return ()


def _signed_version(profile: CardProfile) -> LdsVersion | None:
    """The LDS version inside the signature; None makes an LDS security object of version 0."""
    application = profile.application
    if not application.signed_lds_version:
        return None
    return LdsVersion(application.lds_version, application.unicode_version)


def _build_com(profile: CardProfile, groups: Mapping[str, bytes]) -> bytes:
    listed = (name for name in groups if name not in profile.quirks.ef_com_omits)
    tags = tuple(tag for name in listed if (tag := by_name(name).tag) is not None)
    return EfCom(tags, profile.application.lds_version, profile.application.unicode_version).encode()


def _build_master_files(profile: CardProfile) -> tuple[FileImage, ...]:
    if not profile.access.pace:
        return ()
    foreign = (UnknownSecurityInfo(FOREIGN_PROTOCOL, b"\x02\x01\x01"),) if profile.quirks.foreign_security_info else ()
    content = CardAccess((*foreign, *_pace_infos(profile))).encode()
    return (
        FileImage(EF_CARD_ACCESS.name, EF_CARD_ACCESS.fid, EF_CARD_ACCESS.sfi, content, read=AccessCondition.ALWAYS),
    )


def _build_application(
    profile: CardProfile, files: Mapping[str, bytes], private_keys: Mapping[KeyPurpose, bytes]
) -> ApplicationImage:
    return ApplicationImage(
        aid=profile.application.aid,
        files=tuple(
            FileImage(name, by_name(name).fid, by_name(name).sfi, raw, read=profile.application.read)
            for name, raw in files.items()
        ),
        keys=build_key_orders(profile, private_keys),
        basic_access_control=profile.access.bac,
    )


def build_key_orders(
    profile: CardProfile, private_keys: Mapping[KeyPurpose, bytes] | None = None
) -> tuple[KeyImage, ...]:
    """The keys that the profile wants: an order to generate each, or the injected one."""
    injected = private_keys or {}
    return tuple(
        KeyImage(key.purpose, key.reference, key.algorithm, injected.get(key.purpose))
        for key in profile.application.keys
    )


def _build_passwords(profile: CardProfile, mrz: Mrz, can: str) -> tuple[PasswordImage, ...]:
    values = {PasswordId.MRZ: mrz.information.encode("ascii"), PasswordId.CAN: can.encode("ascii")}
    return tuple(PasswordImage(name, values[name]) for name in profile.access.password_ids)
