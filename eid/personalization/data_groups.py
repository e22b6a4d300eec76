"""The content of each data group, from an approved record, a profile and the chip's public keys (Doc 9303-10 4.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from eid.codec.tlv import encode_tlv
from eid.crypto.curves import Curve, curve_by_name
from eid.crypto.group import EcGroup
from eid.crypto.hashes import digest
from eid.errors import DecodeError, ProfileError, RecordError
from eid.identity import EYES, FINGERS, BilingualText, Fingerprint, IdentityRecord, Iris
from eid.imaging import ImageFormat, ImageInfo, inspect_image
from eid.imaging.wsq import WsqInfo, inspect_wsq, is_wsq
from eid.lds.dg1 import build_dg1
from eid.lds.dg2 import build_dg2, build_extensible_dg2
from eid.lds.dg3 import DG3, build_dg3
from eid.lds.dg4 import DG4, build_dg4
from eid.lds.dg5 import DG5
from eid.lds.dg7 import DG7
from eid.lds.dg11 import DG11
from eid.lds.dg12 import DG12
from eid.lds.dg13 import DG13, PersonName, StatusListReference
from eid.lds.dg14 import DG14
from eid.lds.dg15 import DG15
from eid.lds.dg16 import DG16, PersonToNotify
from eid.lds.features import DATA_FEATURES, STRUCTURE_FEATURES, SUBSTANCE_FEATURES
from eid.lds.files import by_name
from eid.lds.finger_image_data import FingerImageDataBlock, FingerImageFormat, build_finger_image_data
from eid.lds.finger_record import Compression, FingerImage, FingerRecord
from eid.lds.iris_record import IrisImage, IrisImageFormat, IrisRecord
from eid.lds.optional_group import RANDOM_OCTETS
from eid.lds.security_infos import (
    ID_CA_ECDH,
    ID_PK_ECDH,
    ActiveAuthenticationInfo,
    ChipAuthenticationDomainParameterInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
    RestrictedIdentificationInfo,
    SecurityInfo,
    TerminalAuthenticationInfo,
    write_out_parameters,
)
from eid.mrz import Mrz
from eid.personalization.sources import find_lines, find_text, join_names
from eid.profile.card_image import KeyPurpose
from eid.profile.contents import DETAILS
from eid.profile.quirks import Quirks
from eid.profile.schema import CardProfile, Document, Key
from eid.protocols.active_authentication.core import ECDSA_PLAIN
from eid.protocols.chip_authentication.public_key import encode_domain_parameters
from eid.protocols.restricted_identification.core import protocol_of

FEATURE_TAGS: Final = {"DG8": DATA_FEATURES, "DG9": STRUCTURE_FEATURES, "DG10": SUBSTANCE_FEATURES}
EXTENSIBLE: Final = "39794"
JPEG_2000: Final = (ImageFormat.JPEG2000, ImageFormat.JPEG2000_CODESTREAM)


def build_groups(
    wanted: Iterable[str],
    record: IdentityRecord,
    profile: CardProfile,
    mrz: Mrz,
    public_keys: Mapping[KeyPurpose, bytes],
    status: StatusListReference | None,
    filler: bytes,
) -> dict[str, bytes]:
    """The data groups of these names, encoded, by name and in ascending order.

    Args:
        filler: secret octets; what a group without biometrics holds is made of them, so that its hash tells nothing.

    Raises:
        RecordError: the record holds nothing for a data group, or an image that is none.
    """
    builders: dict[str, Callable[[], bytes]] = {
        "DG1": lambda: build_dg1(mrz).encode(),
        "DG2": lambda: _build_dg2(record, profile),
        "DG3": lambda: _build_dg3(record, profile, filler),
        "DG4": lambda: _build_dg4(record, filler),
        "DG5": lambda: DG5((record.portrait,)).encode(),
        "DG7": lambda: _build_dg7(record),
        "DG11": lambda: _build_dg11(record, profile).encode(),
        "DG12": lambda: _build_dg12(record, profile).encode(),
        "DG13": lambda: _build_dg13(record, profile, status).encode(),
        "DG14": lambda: DG14(_security_infos(profile, public_keys)).encode(),
        "DG16": lambda: _build_dg16(record),
        "DG15": lambda: DG15(_public_key(public_keys, KeyPurpose.ACTIVE_AUTHENTICATION)).encode(),
    }
    features = {name: _feature(name, raw) for name, raw in profile.application.features.items()}
    names = sorted(wanted, key=lambda name: by_name(name).fid)
    unknown = [name for name in names if name not in builders and name not in features]
    if unknown:
        raise RecordError(f"an identity record holds nothing for {unknown[0]}")
    return {name: features[name] if name in features else builders[name]() for name in names}


def _feature(name: str, content: bytes) -> bytes:
    """DG8, DG9 or DG10 around the issuer's own data objects."""
    return encode_tlv(FEATURE_TAGS[name], content)


def _public_key(public_keys: Mapping[KeyPurpose, bytes], purpose: KeyPurpose) -> bytes:
    if purpose not in public_keys:
        raise RecordError(f"the {purpose} key of the chip is missing")
    return public_keys[purpose]


def _inspect(name: str, image: bytes) -> ImageInfo:
    try:
        return inspect_image(image)
    except DecodeError as error:
        raise RecordError(f"{name}: {error}") from error


def _created(record: IdentityRecord) -> bytes:
    return bytes.fromhex(record.issued_on.strftime("%Y%m%d") + "000000")


def _build_dg2(record: IdentityRecord, profile: CardProfile) -> bytes:
    info = _inspect("portrait", record.portrait)
    build = build_extensible_dg2 if profile.application.biometrics == EXTENSIBLE else build_dg2
    image = record.portrait + profile.quirks.portrait_padding
    return build(image, info.width, info.height, _created(record)).encode()


def _build_dg3(record: IdentityRecord, profile: CardProfile, filler: bytes) -> bytes:
    if not record.fingerprints:
        return DG3(discretionary=_fill(filler, "DG3")).encode()
    build = _extensible_finger if profile.application.biometrics == EXTENSIBLE else _finger
    return build_dg3([build(item) for item in record.fingerprints], _created(record)).encode()


def _fill(filler: bytes, name: str) -> bytes:
    if not filler:
        raise RecordError(f"{name} holds no biometrics, and nothing is given to fill it with")
    return digest("sha256", filler + name.encode("ascii"))[:RANDOM_OCTETS]


def _finger(item: Fingerprint) -> FingerRecord:
    if is_wsq(item.image):
        size = _inspect_wsq(item.image)
        image = FingerImage(item.image, FINGERS.index(item.finger) + 1, size.width, size.height)
        return FingerRecord((image,), Compression.WSQ)
    info = _inspect("fingerprints.image", item.image)
    compression = Compression.JPEG2000 if info.format in JPEG_2000 else Compression.JPEG
    position = FINGERS.index(item.finger) + 1
    return FingerRecord((FingerImage(item.image, position, info.width, info.height),), compression)


def _inspect_wsq(image: bytes) -> WsqInfo:
    try:
        return inspect_wsq(image)
    except DecodeError as error:
        raise RecordError(f"fingerprints.image: {error}") from error


def _extensible_finger(item: Fingerprint) -> FingerImageDataBlock:
    if is_wsq(item.image):
        _inspect_wsq(item.image)
        return build_finger_image_data(item.image, FINGERS.index(item.finger) + 1, FingerImageFormat.WSQ)
    if _inspect("fingerprints.image", item.image).format not in JPEG_2000:
        raise RecordError("fingerprints.image is neither JPEG 2000 nor WSQ, which ISO/IEC 39794-4 wants")
    return build_finger_image_data(item.image, FINGERS.index(item.finger) + 1, FingerImageFormat.JPEG2000_LOSSY)


def _build_dg4(record: IdentityRecord, filler: bytes) -> bytes:
    if not record.irises:
        return DG4(discretionary=_fill(filler, "DG4")).encode()
    return build_dg4(map(_iris, record.irises), _created(record)).encode()


def _iris(item: Iris) -> IrisRecord:
    info = _inspect("irises.image", item.image)
    in_colour = info.components > 1
    if info.format in JPEG_2000:
        image_format = IrisImageFormat.RGB_JPEG2000 if in_colour else IrisImageFormat.MONO_JPEG2000
    else:
        image_format = IrisImageFormat.RGB_JPEG if in_colour else IrisImageFormat.MONO_JPEG
    image = IrisImage(item.image, EYES.index(item.eye) + 1)
    return IrisRecord((image,), image_format, info.width, info.height)


def _build_dg7(record: IdentityRecord) -> bytes:
    if record.signature_image is None:
        raise RecordError("signature_image is missing, and the card has a DG7")
    return DG7((record.signature_image,)).encode()


def _build_dg16(record: IdentityRecord) -> bytes:
    if not record.persons_to_notify:
        raise RecordError("persons_to_notify is missing, and the card has a DG16")
    recorded = record.issued_on.strftime("%Y%m%d")
    persons = tuple(
        PersonToNotify(recorded, item.name, item.telephone, tuple(item.address.split("\n")))
        for item in record.persons_to_notify
    )
    return DG16(persons).encode()


def _name_in_full(record: IdentityRecord, document: Document) -> str:
    # Doc 9303-10 4.7.11: primary identifier, two fillers, secondary identifiers with a filler between them.
    primary = join_names(record, document.primary_identifier, latin=False)
    secondary = join_names(record, document.secondary_identifier, latin=False)
    return "<<".join(name.replace(" ", "<") for name in (primary, secondary) if name)


def _build_dg11(record: IdentityRecord, profile: CardProfile) -> DG11:
    stated, born = profile.application.contents.DG11, record.date_of_birth
    return DG11(
        full_name=_name_in_full(record, profile.document) if stated.full_name else None,
        other_names=find_lines(record, stated.other_names) or (),
        personal_number=find_text(record, stated.personal_number),
        full_date_of_birth=(
            f"{born.year:04}{born.month or 0:02}{born.day or 0:02}" if stated.full_date_of_birth else None
        ),
        place_of_birth=find_lines(record, stated.place_of_birth),
        permanent_address=find_lines(record, stated.permanent_address),
        telephone=find_text(record, stated.telephone),
        profession=find_text(record, stated.profession),
        title=find_text(record, stated.title),
        personal_summary=find_text(record, stated.personal_summary),
        other_document_numbers=find_lines(record, stated.other_document_numbers),
        custody_information=find_text(record, stated.custody_information),
    )


def _build_dg12(record: IdentityRecord, profile: CardProfile) -> DG12:
    stated = profile.application.contents.DG12
    return DG12(
        issuing_authority=find_text(record, stated.issuing_authority),
        date_of_issue=record.issued_on.strftime("%Y%m%d") if stated.date_of_issue else None,
        endorsements=find_text(record, stated.endorsements),
        tax_or_exit_requirements=find_text(record, stated.tax_or_exit_requirements),
    )


def _build_dg13(record: IdentityRecord, profile: CardProfile, status: StatusListReference | None) -> DG13:
    stated = profile.application.contents.DG13
    named = [name for name in stated if name.startswith(f"{DETAILS}.") or name in ("telephone", "email")]
    found = ((name.rpartition(".")[2], find_text(record, name)) for name in named)
    return DG13(
        father=_person(record.father) if "father" in stated else None,
        mother=_person(record.mother) if "mother" in stated else None,
        partner=_person(record.partner.name) if record.partner is not None and "partner" in stated else None,
        civil_status_number=record.civil_status_number if "civil_status_number" in stated else None,
        status_list=status,
        details=tuple((code, text) for code, text in found if text is not None),
    )


def _person(name: BilingualText | None) -> PersonName | None:
    return None if name is None else PersonName(name.native, name.latin)


def pace_infos(profile: CardProfile) -> tuple[PACEInfo, ...]:
    """The PACE protocols of the chip, in the order in which it announces them, with the parameters it writes out."""
    return tuple(pace.info for pace in profile.access.pace)


def _security_infos(profile: CardProfile, public_keys: Mapping[KeyPurpose, bytes]) -> tuple[SecurityInfo, ...]:
    """DG14: PACE again, signed this time, and what the chip's keys are for (Doc 9303-11 9.2)."""
    infos: list[SecurityInfo] = list(write_out_parameters(pace_infos(profile)))
    for key in profile.application.keys:
        infos.extend(_key_infos(key, public_keys, profile.quirks))
    if profile.application.needs_terminal_authentication:
        infos.append(TerminalAuthenticationInfo())
    return tuple(infos)


def card_access_infos(profile: CardProfile) -> tuple[SecurityInfo, ...]:
    """What EF.CardAccess announces: PACE, and for the eID application what a terminal must know before it begins.

    Chip Authentication of version 2 with its domain parameters, and Terminal Authentication (TR-03110-3 A.1.2.1).
    """
    announced = write_out_parameters(pace_infos(profile))
    if profile.eid_application is None:
        return announced
    infos = (info for key in _chip_keys(profile) for info in _version_2_infos(key))
    return (*announced, *infos, TerminalAuthenticationInfo(version=2))


def card_security_infos(profile: CardProfile, public_keys: Mapping[KeyPurpose, bytes]) -> tuple[SecurityInfo, ...]:
    """What EF.CardSecurity vouches for: EF.CardAccess's announcement, and the keys.

    Doc 9303-11 9.2.11, TR-03110-3 A.1.2.2. The public keys of Restricted Identification are told to nobody: they would
    be one name for the card in all sectors (TR-03110-2 3.6).
    """
    keys = (info for key in _chip_keys(profile) for info in _named_keys(key, profile, public_keys))
    return (*card_access_infos(profile), *keys, *_restricted_infos(profile))


def _named_keys(
    key: Key, profile: CardProfile, public_keys: Mapping[KeyPurpose, bytes]
) -> Iterator[ChipAuthenticationPublicKeyInfo]:
    """The key, once for each identifier by which EF.CardSecurity's protocols call it.

    That is its reference for Chip Authentication of version 2, and with chip-authentication mapping the identifier of
    the domain parameters (Doc 9303-11 9.2.1, 9.2.6).
    """
    names: set[int | None] = {
        pace.info.parameter_id for pace in profile.access.pace if pace.mapping == "CAM" and pace.parameters == key.curve
    }
    if profile.eid_application is not None or not names:
        names.add(key.reference)
    if not profile.quirks.chip_authentication_key_id:
        names = {None}
    for name in sorted(names, key=lambda name: name or 0):
        yield ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, _public_key(public_keys, key.purpose), name)


def _chip_keys(profile: CardProfile) -> tuple[Key, ...]:
    return tuple(key for key in profile.application.keys if key.purpose is KeyPurpose.CHIP_AUTHENTICATION)


def _version_2_infos(key: Key) -> tuple[SecurityInfo, ...]:
    parameters = encode_domain_parameters(EcGroup(require_curve(key)))
    return (
        ChipAuthenticationInfo(key.chip_authentication_protocol, 2, key.reference),
        ChipAuthenticationDomainParameterInfo(ID_CA_ECDH, parameters, key.reference),
    )


def _restricted_infos(profile: CardProfile) -> tuple[SecurityInfo, ...]:
    keys = () if profile.eid_application is None else profile.eid_application.keys
    return tuple(
        RestrictedIdentificationInfo(
            protocol_of(EcGroup(require_curve(key)), key.hash),
            key.reference,
            key.purpose is KeyPurpose.RESTRICTED_IDENTIFICATION_AUTHORIZED,
        )
        for key in keys
    )


def require_curve(key: Key) -> Curve:
    """The curve of an ec key.

    Raises:
        ProfileError: it names none.
    """
    curve = None if key.curve is None else curve_by_name(key.curve)
    if curve is None:
        raise ProfileError(f"key {key.reference} names no curve that is known here")
    return curve


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
