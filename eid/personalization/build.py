"""Build a card image from an approved record, a profile and the keys that the chip generated.

Pure: who signs is given as a function, so that the key may be anywhere. The MRZ is one value; DG1, the access keys and
the printed lines all come from it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from eid.codec.cv import decode_cv_certificate
from eid.codec.oid import ID_IS
from eid.crypto.hashes import digest
from eid.errors import DecodeError, ProfileError, RecordError
from eid.identity import IdentityRecord
from eid.lds.card_access import CardAccess
from eid.lds.com import EfCom
from eid.lds.cvca import encode_ef_cvca
from eid.lds.dg13 import StatusListReference
from eid.lds.eid_application import EID_AID, WRITABLE, eid_group
from eid.lds.files import EF_CARD_ACCESS, EF_CARD_SECURITY, EF_COM, EF_CVCA, EF_SOD, ElementaryFile, by_name
from eid.lds.security_infos import SecurityInfo, UnknownSecurityInfo
from eid.lds.sod import LdsVersion, build_lds_security_object
from eid.mrz import Mrz, MrzFormat, build_mrz
from eid.personalization.data_groups import build_groups, card_access_infos, card_security_infos, pace_infos
from eid.personalization.departures import depart_groups, depart_sod
from eid.personalization.eid_groups import build_eid_groups
from eid.personalization.sources import join_names, require_fields
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
from eid.profile.quirks import NO_QUIRKS
from eid.profile.schema import CardProfile, Key

# Data groups that tell of the chip's keys; all others come from the record alone.
OF_THE_CHIP: Final = frozenset(("DG14", "DG15"))

FOREIGN_PROTOCOL: Final = "2.25.1"
"""An identifier that means nothing to anybody (ITU-T X.667), for chips that announce what terminals do not know."""

SignSod = Callable[[bytes], bytes]
"""LDS security object (DER) to EF.SOD."""
SignCardSecurity = Callable[[tuple[SecurityInfo, ...]], bytes]
"""SecurityInfos to EF.CardSecurity."""


@dataclass(frozen=True, slots=True)
class CardSecrets:
    """What of a card its holder learns, and nobody else.

    Args:
        can: the card access number, printed on the card. pin, puk: digits; "" where the product has none.
        filler: octets that nobody needs to know, see `build_groups`.
    """

    can: str = field(repr=False)
    pin: str = field(default="", repr=False)
    puk: str = field(default="", repr=False)
    filler: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CardData:
    """What is to go on one card.

    Args:
        mrz: the value that both DG1 and the printed lines come from. secrets: what its holder is told.
        sod_hash: SHA-256 of EF.SOD.
    """

    image: CardImage = field(repr=False)
    mrz: Mrz = field(repr=False)
    secrets: CardSecrets
    sod_hash: bytes

    @property
    def can(self) -> str:
        """The card access number, digits."""
        return self.secrets.can


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
    """The MRZ, with numbers where the profile wants them, and the names in the order that it says.

    Raises:
        RecordError: the record is of another state, lacks what the product wants, or has a number that is not what the
            profile says it looks like.
    """
    document = profile.document
    require_fields(record, profile.record.required)
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
        family_name=join_names(record, document.primary_identifier, latin=True),
        given_names=join_names(record, document.secondary_identifier, latin=True),
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
    build_groups(of_the_record, record, profile, mrz, {}, None, b"not for a card")
    if profile.eid_application is not None:
        build_eid_groups(record, profile.eid_application)
    return mrz


def build_card(
    record: IdentityRecord,
    profile: CardProfile,
    *,
    can: str | CardSecrets,
    public_keys: Mapping[KeyPurpose, bytes],
    sign: SignSod,
    sign_card_security: SignCardSecurity | None = None,
    status: StatusListReference | None = None,
    private_keys: Mapping[KeyPurpose, bytes] | None = None,
    trust_points: Sequence[bytes] = (),
    trust_date: date | None = None,
) -> CardData:
    """Build everything that goes on the card.

    Args:
        can: the card access number alone, or with it all other secrets of the card, each as long as the profile says.
        public_keys: SubjectPublicKeyInfo (DER) of each key that the profile wants, as the card generated it.
        sign: makes EF.SOD of the LDS security object. sign_card_security: makes EF.CardSecurity, where there is one.
        status: the card's place in a status list.
        private_keys: PKCS#8 (DER), for keys that are injected and not generated on the card.
        trust_points: CVCA certificates, newest first, where the profile has Terminal Authentication.
        trust_date: the date that the card believes in when it leaves; None for the newest trust point's first day.

    Raises:
        RecordError: the record does not fit the profile. ProfileError: the profile wants EF.CardSecurity or trust
            points, and there are none; or a trust point is malformed.
    """
    secrets = CardSecrets(can) if isinstance(can, str) else can
    if profile.needs_terminal_authentication and not trust_points:
        raise ProfileError("the profile has Terminal Authentication, and no trust point is given")
    _verify_secrets(secrets, profile)
    mrz = build_card_mrz(record, profile)
    wanted = profile.application.data_groups
    groups = build_groups(wanted, record, profile, mrz, public_keys, status, secrets.filler)
    groups = depart_groups(groups, profile.quirks)
    hashes = {by_name(name).number or 0: digest(profile.application.hash, raw) for name, raw in groups.items()}
    security_object = build_lds_security_object(profile.application.hash, hashes, _signed_version(profile))
    sod = depart_sod(sign(security_object), profile.quirks)
    files = {EF_COM.name: _build_com(profile, groups), **groups, EF_SOD.name: sod}
    if profile.application.needs_terminal_authentication:
        files[EF_CVCA.name] = _build_ef_cvca(trust_points)
    master_files = _build_master_files(profile)
    if profile.has_card_security:
        if sign_card_security is None:
            raise ProfileError("the profile wants EF.CardSecurity, and nobody signs it")
        content = sign_card_security(card_security_infos(profile, public_keys))
        # Doc 9303-10 3.11.4: it opens by PACE only
        master_files = (*master_files, _file(EF_CARD_SECURITY, content, AccessCondition.PACE))
    image = CardImage(
        chip=build_chip(profile),
        master_files=master_files,
        applications=_build_applications(record, profile, files, private_keys or {}),
        passwords=_build_passwords(profile, mrz, secrets),
        pace=pace_infos(profile),
        trust_points=tuple(trust_points) if profile.needs_terminal_authentication else (),
        trust_date=trust_date,
    )
    return CardData(image, mrz, secrets, digest("sha256", sod))


def _verify_secrets(secrets: CardSecrets, profile: CardProfile) -> None:
    access = profile.access
    due = [("card access number", secrets.can, profile.document.can_digits)]
    due += [("PIN", secrets.pin, access.pin_digits)] if "PIN" in access.passwords else []
    due += [("PUK", secrets.puk, access.puk_digits)] if "PUK" in access.passwords else []
    for what, value, digits in due:
        if not (value.isascii() and value.isdigit() and len(value) == digits):
            raise RecordError(f"the {what} is not of {digits} digits")


def _build_ef_cvca(trust_points: Sequence[bytes]) -> bytes:
    try:
        points = [decode_cv_certificate(raw) for raw in trust_points]
        return encode_ef_cvca([point.holder_reference for point in points if point.chat.oid == ID_IS])
    except DecodeError as fault:
        raise ProfileError(f"trust point: {fault}") from fault


def _signed_version(profile: CardProfile) -> LdsVersion | None:
    """The LDS version inside the signature; None makes an LDS security object of version 0."""
    application = profile.application
    if not application.signed_lds_version:
        return None
    return LdsVersion(application.lds_version, application.unicode_version)


def _build_com(profile: CardProfile, groups: Mapping[str, bytes]) -> bytes:
    listed = (name for name in groups if name not in profile.quirks.ef_com_omits)
    tags = tuple(tag for name in listed if (tag := by_name(name).tag) is not None)
    version = profile.quirks.ef_com_lds_version or profile.application.lds_version
    return EfCom(tags, version, profile.application.unicode_version).encode()


def _file(file: ElementaryFile, content: bytes, read: AccessCondition) -> FileImage:
    return FileImage(file.name, file.fid, file.sfi, content, read=read)


def _build_master_files(profile: CardProfile) -> tuple[FileImage, ...]:
    if not profile.access.pace:
        return ()
    quirks = profile.quirks
    foreign: tuple[SecurityInfo, ...] = ()
    if quirks.foreign_security_info:
        foreign = (UnknownSecurityInfo(FOREIGN_PROTOCOL, b"\x02\x01\x01"),)
    if quirks.bare_pace_info:
        foreign = (*foreign, replace(profile.access.pace[0].info, parameter_id=None))
    content = CardAccess((*foreign, *card_access_infos(profile))).encode()
    return (_file(EF_CARD_ACCESS, content, AccessCondition.ALWAYS),)


def _build_applications(
    record: IdentityRecord,
    profile: CardProfile,
    files: Mapping[str, bytes],
    private_keys: Mapping[KeyPurpose, bytes],
) -> tuple[ApplicationImage, ...]:
    ordered = {application.aid: application for application in build_ordered_applications(profile, private_keys)}
    contents = {
        profile.application.aid: tuple(
            _file(by_name(name), raw, profile.application.rule(name)) for name, raw in files.items()
        )
    }
    if profile.eid_application is not None:
        groups = build_eid_groups(record, profile.eid_application)
        room = profile.eid_application.room
        contents[EID_AID] = tuple(_eid_file(number, raw, room) for number, raw in groups.items())
    return tuple(replace(application, files=contents[aid]) for aid, application in ordered.items())


def _eid_file(number: int, content: bytes, room: int) -> FileImage:
    """A data group by right; one that may be written has room for more than it holds (TR-03110-4 2.2.2)."""
    file = eid_group(number).file
    if number not in WRITABLE:
        return FileImage(file.name, file.fid, file.sfi, content, AccessCondition.EID_READ)
    if len(content) > room:
        raise RecordError(f"DG{number} of the eID application has {len(content)} octets, and room for {room}")
    padded = content.ljust(room, b"\0")
    return FileImage(file.name, file.fid, file.sfi, padded, AccessCondition.EID_READ, AccessCondition.EID_WRITE)


def build_ordered_applications(
    profile: CardProfile, private_keys: Mapping[KeyPurpose, bytes] | None = None
) -> tuple[ApplicationImage, ...]:
    """The applications with their keys and without files: what is known before the chip has made its keys."""
    injected = private_keys or {}
    lds = ApplicationImage(profile.application.aid, (), _orders(profile.application.keys, injected), profile.access.bac)
    if profile.eid_application is None:
        return (lds,)
    return lds, ApplicationImage(EID_AID, (), _orders(profile.eid_application.keys, injected), False)


def build_key_orders(
    profile: CardProfile, private_keys: Mapping[KeyPurpose, bytes] | None = None
) -> tuple[KeyImage, ...]:
    """The keys that the profile wants, of all applications: an order to generate each, or the injected one."""
    return _orders(profile.keys, private_keys or {})


def _orders(keys: Sequence[Key], injected: Mapping[KeyPurpose, bytes]) -> tuple[KeyImage, ...]:
    return tuple(KeyImage(key.purpose, key.reference, key.algorithm, injected.get(key.purpose)) for key in keys)


def _build_passwords(profile: CardProfile, mrz: Mrz, secrets: CardSecrets) -> tuple[PasswordImage, ...]:
    values = {
        PasswordId.MRZ: mrz.information,
        PasswordId.CAN: secrets.can,
        PasswordId.PIN: secrets.pin,
        PasswordId.PUK: secrets.puk,
    }
    return tuple(
        PasswordImage(name, values[name].encode("ascii"), profile.access.tries(name))
        for name in profile.access.password_ids
    )
