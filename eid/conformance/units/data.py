"""LDS: the logical data structure, its coherence and its signature (Doc 9303-10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eid.codec import oid
from eid.codec.cms import SignedData
from eid.codec.tlv import decode_tlv
from eid.codec.x509 import decode_certificate
from eid.conformance.case import Case, Precondition, Procedure, Unit
from eid.conformance.subject import Subject, accepted, enter, read_binary, refused, select_by_identifier, speak
from eid.conformance.units.commands import needs_card_access, needs_entry
from eid.crypto.hashes import digest
from eid.crypto.public_key import decode_signature_algorithm, load_public_key
from eid.crypto.signatures import verify_signature
from eid.errors import DecodeError, PeerProtocolError, Reason, VerificationError
from eid.lds.atr_info import decode_atr_info
from eid.lds.card_access import decode_card_access
from eid.lds.card_security import decode_card_security
from eid.lds.com import decode_ef_com
from eid.lds.dg1 import decode_dg1
from eid.lds.dg2 import decode_dg2
from eid.lds.dg3 import decode_dg3
from eid.lds.dg4 import decode_dg4
from eid.lds.dg5 import decode_dg5
from eid.lds.dg7 import decode_dg7
from eid.lds.dg11 import decode_dg11
from eid.lds.dg12 import decode_dg12
from eid.lds.dg14 import decode_dg14
from eid.lds.dg15 import decode_dg15
from eid.lds.dg16 import decode_dg16
from eid.lds.ef_dir import decode_ef_dir
from eid.lds.features import decode_dg8, decode_dg9, decode_dg10
from eid.lds.files import (
    EF_ATR_INFO,
    EF_CARD_ACCESS,
    EF_CARD_SECURITY,
    EF_COM,
    EF_DIR,
    EF_SOD,
    ElementaryFile,
    by_number,
)
from eid.lds.security_infos import PACEDomainParameterInfo, PACEInfo, encode_security_info
from eid.lds.sod import SecurityObject, decode_ef_sod
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Exchange, Reset
from eid.protocols.pace.core import Mapping, find_parameters

_SENSITIVE: Final = frozenset((3, 4))
_LDS_VERSIONS: Final = ("0107", "0108")
_MANDATORY: Final = frozenset((1, 2))


def _decode_opaque(number: int) -> Callable[[bytes], object]:
    """A data group whose content is the issuer's own: one data object of its tag."""
    return lambda raw: decode_tlv(raw, by_number(number).tag or 0)


_DECODERS: Final[dict[int, Callable[[bytes], object]]] = {
    1: decode_dg1,
    2: decode_dg2,
    3: decode_dg3,
    4: decode_dg4,
    5: decode_dg5,
    6: _decode_opaque(6),
    7: decode_dg7,
    8: decode_dg8,
    9: decode_dg9,
    10: decode_dg10,
    11: decode_dg11,
    12: decode_dg12,
    13: _decode_opaque(13),
    14: decode_dg14,
    15: decode_dg15,
    16: decode_dg16,
}


def _has(file: ElementaryFile) -> Precondition:
    def applies(subject: Subject) -> str | None:
        return None if file.name in subject.files else f"the chip has no {file.name} that may be read"

    return applies


def _has_group(number: int) -> Precondition:
    def applies(subject: Subject) -> str | None:
        if number not in subject.listed:
            return f"the chip has no DG{number}"
        is_closed = number in _SENSITIVE and f"DG{number}" not in subject.files
        return f"DG{number} wants Terminal Authentication" if is_closed else None

    return applies


def _decodes(file: ElementaryFile, decode: Callable[[bytes], object]) -> Procedure:
    def run(subject: Subject) -> Exchange[str]:
        yield Reset()
        decode(subject.content(file.name))
        return f"{len(subject.content(file.name))} octets"

    return run


def _require_sod(subject: Subject) -> SecurityObject:
    subject.content(EF_SOD.name)
    if subject.sod is None:
        raise DecodeError("EF.SOD is malformed")
    return subject.sod


def _versions(subject: Subject) -> Exchange[str]:
    yield Reset()
    ef_com = decode_ef_com(subject.content(EF_COM.name))
    if ef_com.lds_version not in _LDS_VERSIONS:
        raise PeerProtocolError(f"LDS version {ef_com.lds_version}")
    return f"LDS {ef_com.lds_version}, Unicode {ef_com.unicode_version}"


def _same_version(subject: Subject) -> Exchange[str]:
    yield Reset()
    said = _require_sod(subject).lds_version
    stated = decode_ef_com(subject.content(EF_COM.name)).lds_version
    if said not in (None, stated):
        raise PeerProtocolError(f"EF.SOD signs LDS version {said}, EF.COM states {stated}")
    return stated if said is not None else f"{stated}, which EF.SOD does not sign"


def _files_are_there(subject: Subject) -> Exchange[str]:
    ef_com = decode_ef_com(subject.content(EF_COM.name))
    session = yield from enter(subject)
    for number in (number for number in ef_com.data_groups if number not in _SENSITIVE):
        response = yield from speak(session, select_by_identifier(by_number(number).fid))
        accepted(response, f"SELECT of DG{number}, which EF.COM lists,")
    return f"{len(ef_com.data_groups)} data groups"


def _signed_files_are_there(subject: Subject) -> Exchange[str]:
    numbers = [number for number in _require_sod(subject).data_group_hashes if number not in _SENSITIVE]
    session = yield from enter(subject)
    for number in numbers:
        response = yield from speak(session, read_binary(by_number(number).sfi, 0, 4))
        accepted(response, f"READ BINARY of DG{number}, which EF.SOD lists,")
    return f"{len(numbers)} data groups"


def _same_groups(subject: Subject) -> Exchange[str]:
    yield Reset()
    listed = set(decode_ef_com(subject.content(EF_COM.name)).data_groups)
    signed = set(_require_sod(subject).data_group_hashes)
    if listed != signed:
        names = ", ".join(f"DG{number}" for number in sorted(listed ^ signed))
        raise PeerProtocolError(f"EF.COM and EF.SOD do not agree about {names}")
    return f"{len(signed)} data groups"


def _mandatory(subject: Subject) -> Exchange[str]:
    yield Reset()
    missing = _MANDATORY - set(_require_sod(subject).data_group_hashes)
    if missing:
        raise PeerProtocolError(f"DG{min(missing)} is missing")
    return "DG1 and DG2"


def _no_others(subject: Subject) -> Exchange[str]:
    """What is not signed must not be there to be read."""
    session = yield from enter(subject)
    seen = set()
    for number in (number for number in range(1, 17) if number not in subject.listed):
        response = yield from speak(session, read_binary(by_number(number).sfi, 0, 4))
        seen.add(refused(response, f"DG{number}, which neither EF.COM nor EF.SOD lists,"))
    return ", ".join(sorted(seen))


def _hashes(subject: Subject) -> Exchange[str]:
    yield Reset()
    sod = _require_sod(subject)
    name = sod.lds_security_object.hash_algorithm
    compared = [number for number in sod.data_group_hashes if f"DG{number}" in subject.files]
    for number in compared:
        if digest(name, subject.files[f"DG{number}"]) != sod.data_group_hashes[number]:
            raise PeerProtocolError(f"DG{number} does not have the hash that EF.SOD signs")
    return f"{len(compared)} hashes, {name}"


def _sod_certificate(subject: Subject) -> Exchange[str]:
    yield Reset()
    certificates = _require_sod(subject).certificates
    if len(certificates) != 1:
        raise PeerProtocolError(f"{len(certificates)} certificates in EF.SOD")
    decode_certificate(certificates[0], defects=[])
    return "one"


def _sod_signature(subject: Subject) -> Exchange[str]:
    yield Reset()
    return _verify_signed_data(_require_sod(subject).signed_data)


def _card_security_signature(subject: Subject) -> Exchange[str]:
    yield Reset()
    return _verify_signed_data(decode_card_security(subject.content(EF_CARD_SECURITY.name), defects=[]).signed_data)


def _verify_signed_data(signed_data: SignedData) -> str:
    """RFC 5652 5.4 to 5.6, by the certificate inside; whom that belongs to is not asked here."""
    info = signed_data.signer_info
    if not signed_data.certificates:
        raise VerificationError(Reason.NO_SIGNING_CERTIFICATE_FOUND)
    name = oid.HASH_NAMES.get(info.digest_algorithm.oid)
    if name is None:
        raise VerificationError(Reason.ALGORITHM_UNSUPPORTED, f"digest algorithm {info.digest_algorithm.oid}")
    attributes = info.signed_attributes
    if attributes is not None and digest(name, signed_data.content) != attributes.message_digest:
        raise VerificationError(Reason.SIG_CRYPTO_FAILURE, "messageDigest is not the content's hash")
    message = signed_data.content if attributes is None else attributes.canonical
    algorithm = decode_signature_algorithm(info.signature_algorithm, name)
    certificate = decode_certificate(signed_data.certificates[0], defects=[])
    verify_signature(load_public_key(certificate.spki_raw), algorithm, message, info.signature)
    return f"{algorithm.kind}, {algorithm.hash_name}"


def _dg14_repeats(subject: Subject) -> Exchange[str]:
    yield Reset()
    if 14 not in subject.listed:
        raise PeerProtocolError("the chip announces PACE, and there is no DG14 in which that is signed")
    announced = [
        info
        for info in decode_card_access(subject.content(EF_CARD_ACCESS.name)).security_infos
        if isinstance(info, PACEInfo | PACEDomainParameterInfo)
    ]
    repeated = {encode_security_info(info) for info in decode_dg14(subject.content("DG14")).security_infos}
    lost = [info.protocol for info in announced if encode_security_info(info) not in repeated]
    if lost:
        raise PeerProtocolError(f"DG14 does not repeat {lost[0]} of EF.CardAccess")
    return f"{len(announced)} SecurityInfos of PACE"


def _card_security_repeats(subject: Subject) -> Exchange[str]:
    yield Reset()
    announced = decode_card_access(subject.content(EF_CARD_ACCESS.name)).pace_infos
    infos = decode_card_security(subject.content(EF_CARD_SECURITY.name), defects=[]).security_infos
    repeated = [info for info in infos if isinstance(info, PACEInfo)]
    if not set(announced) <= set(repeated):
        raise PeerProtocolError("EF.CardSecurity does not repeat the PACEInfos of EF.CardAccess")
    return f"{len(announced)} PACEInfos"


def _directory(subject: Subject) -> Exchange[str]:
    yield Reset()
    aids = decode_ef_dir(subject.content(EF_DIR.name)).aids
    if subject.aid not in aids:
        raise PeerProtocolError("EF.DIR does not name the eMRTD application")
    return f"{len(aids)} applications"


def _check_digits(subject: Subject) -> Exchange[str]:
    yield Reset()
    mrz = decode_dg1(subject.content("DG1")).mrz()
    return f"{len(mrz.encode())} lines, every check digit right"


def _same_mrz(subject: Subject) -> Exchange[str]:
    yield Reset()
    given = next(password for password in subject.passwords if password.id is PasswordId.MRZ)
    if decode_dg1(subject.content("DG1")).mrz().information.encode("ascii") != given.value:
        raise PeerProtocolError("the MRZ of DG1 is not the one that opens the chip")
    return "the one that opens the chip"


def _needs_mrz(subject: Subject) -> str | None:
    if (reason := needs_entry(subject)) is not None:
        return reason
    known = any(password.id is PasswordId.MRZ for password in subject.passwords)
    return None if known else "the MRZ was not given"


def _needs_dg14(subject: Subject) -> str | None:
    """PACE is announced; with generic or integrated mapping DG14 has to be there (Doc 9303-11 9.2.11)."""
    if (reason := needs_card_access(subject) or needs_entry(subject)) is not None or 14 in subject.listed:
        return reason
    foreign = subject.foreign_curves
    parameters = (find_parameters(info, foreign_curves=foreign) for info in subject.pace_infos)
    wanted = any(item is not None and item.mapping is not Mapping.CHIP_AUTHENTICATION for item in parameters)
    return None if wanted else "the chip has no DG14, and no PACE that asks for one"


def _group_cases() -> tuple[Case, ...]:
    """One case for each data group there can be."""
    return tuple(
        Case(
            f"LDS_{20 + number}",
            f"DG{number}",
            f"Doc 9303-10 4.7.{number}",
            "has the form that its tag promises",
            _decodes(by_number(number), decode),
            _has_group(number),
        )
        for number, decode in _DECODERS.items()
    )


UNIT = Unit(
    "LDS",
    "Logical data structure",
    (
        Case(
            "LDS_01",
            "EF.COM",
            "Doc 9303-10 4.6.1",
            "versions and a list of tags",
            _decodes(EF_COM, decode_ef_com),
            needs_entry,
        ),
        Case("LDS_02", "Versions of EF.COM", "Doc 9303-10 4.6.1.1", "LDS 0107 or 0108", _versions, needs_entry),
        Case(
            "LDS_03",
            "EF.COM lists what is there",
            "Doc 9303-10 4.6.1",
            "every data group can be selected",
            _files_are_there,
            needs_entry,
        ),
        Case(
            "LDS_04",
            "EF.SOD",
            "Doc 9303-10 4.6.2.2",
            "SignedData in DER, with an LDSSecurityObject",
            _decodes(EF_SOD, decode_ef_sod),
            needs_entry,
        ),
        Case(
            "LDS_05",
            "EF.SOD lists what is there",
            "Doc 9303-10 4.5.2",
            "every data group can be read",
            _signed_files_are_there,
            needs_entry,
        ),
        Case(
            "LDS_06",
            "EF.COM and EF.SOD",
            "Doc 9303-10 4.5.2, 4.6.1",
            "list the same data groups",
            _same_groups,
            needs_entry,
        ),
        Case("LDS_07", "Mandatory data groups", "Doc 9303-10 4.7.1, 4.7.2", "DG1 and DG2", _mandatory, needs_entry),
        Case(
            "LDS_08",
            "Data groups that are not listed",
            "Doc 9303-10 4.5.2",
            "cannot be read",
            _no_others,
            needs_entry,
        ),
        Case("LDS_09", "Hashes of EF.SOD", "Doc 9303-10 4.6.2.3", "are those of the data groups", _hashes, needs_entry),
        Case(
            "LDS_10",
            "Certificate of EF.SOD",
            "Doc 9303-10 4.6.2.2",
            "the document signer's, and no other",
            _sod_certificate,
            needs_entry,
        ),
        Case("LDS_11", "Signature of EF.SOD", "Doc 9303-11 5.1.1", "is the certificate's", _sod_signature, needs_entry),
        Case(
            "LDS_12", "LDS version of EF.COM and EF.SOD", "Doc 9303-10 4.6.2.1", "the same", _same_version, needs_entry
        ),
        Case(
            "LDS_13",
            "EF.CardAccess",
            "Doc 9303-10 3.11.3",
            "SecurityInfos in DER",
            _decodes(EF_CARD_ACCESS, decode_card_access),
            needs_card_access,
        ),
        Case(
            "LDS_14",
            "EF.CardAccess and DG14",
            "Doc 9303-11 9.2.11",
            "DG14 is there and repeats every PACEInfo",
            _dg14_repeats,
            _needs_dg14,
        ),
        Case(
            "LDS_15",
            "EF.CardSecurity and EF.CardAccess",
            "Doc 9303-11 9.2.11",
            "it repeats every PACEInfo",
            _card_security_repeats,
            _has(EF_CARD_SECURITY),
        ),
        Case(
            "LDS_16",
            "Signature of EF.CardSecurity",
            "Doc 9303-10 3.11.4",
            "is the certificate's inside",
            _card_security_signature,
            _has(EF_CARD_SECURITY),
        ),
        Case(
            "LDS_17",
            "EF.ATR/INFO",
            "Doc 9303-10 3.11.1",
            "data objects, capabilities, limits",
            _decodes(EF_ATR_INFO, decode_atr_info),
            _has(EF_ATR_INFO),
        ),
        Case("LDS_18", "EF.DIR", "Doc 9303-10 3.11.2", "names the eMRTD application", _directory, _has(EF_DIR)),
        Case("LDS_19", "Check digits of DG1", "Doc 9303-3 4.9", "all right", _check_digits, needs_entry),
        Case("LDS_20", "MRZ of DG1", "Doc 9303-11 4.3.2", "is the one that opens the chip", _same_mrz, _needs_mrz),
        *_group_cases(),
    ),
)
