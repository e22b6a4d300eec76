"""What a virtual card's file holds, without a secret: for people who look at a card, and for scripts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from eid.card.atr import build_atr, build_ats
from eid.card.memory import Directory, Memory, StoredKey, TransparentFile
from eid.card.state import decode_state
from eid.codec.atr import decode_atr
from eid.codec.cv import CvCertificate
from eid.errors import DecodeError
from eid.lds.eid_application import EID_AID, EID_GROUPS
from eid.lds.files import LDS1_AID, by_fid
from eid.lds.security_infos import PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.pace.core import find_parameters
from eid.store.card_file import load_card_file

FORMAT: Final = "eid-card-description"
VERSION: Final = 1
_APPLICATIONS: Final = {LDS1_AID: "eMRTD (LDS1)", EID_AID: "eID (TR-03110)"}
_EID_FILES: Final = {group.file.fid: group.file.name for group in EID_GROUPS}


@dataclass(frozen=True, slots=True)
class AtrDescription:
    """The ATR, taken apart. interface_bytes: e.g. "TD1=81". protocols: e.g. "T=1"."""

    raw: str
    convention: str
    interface_bytes: tuple[str, ...]
    protocols: tuple[str, ...]
    historical_bytes: str
    check: str | None


@dataclass(frozen=True, slots=True)
class FileDescription:
    """An elementary file. fid: four hexadecimal digits. size: octets. read, update: access conditions."""

    name: str
    fid: str
    sfi: int | None
    size: int
    read: str
    update: str


@dataclass(frozen=True, slots=True)
class KeyDescription:
    """A private key of the chip, by what it is for."""

    reference: int
    purpose: str
    algorithm: str
    hash: str


@dataclass(frozen=True, slots=True)
class ApplicationDescription:
    """An application. activated: its files and keys are final. bac: whether BAC opens it."""

    aid: str
    name: str
    activated: bool
    bac: bool
    files: tuple[FileDescription, ...]
    keys: tuple[KeyDescription, ...]


@dataclass(frozen=True, slots=True)
class PasswordDescription:
    """A password by name. tries, left: None where it never blocks."""

    name: str
    tries: int | None
    left: int | None


@dataclass(frozen=True, slots=True)
class SecurityDomainDescription:
    """The issuer security domain. key_version: two hexadecimal digits, FF on a blank card."""

    aid: str
    key_version: str
    key_length: int
    i_parameter: str
    sequence: int
    failures: int


@dataclass(frozen=True, slots=True)
class PaceDescription:
    """A PACE protocol that the chip runs; curve and cipher are None where this program does not speak it."""

    oid: str
    parameter_id: int | None
    cipher: str | None
    curve: str | None


@dataclass(frozen=True, slots=True)
class TrustPointDescription:
    """A CVCA that the card trusts. terminals: object identifier of their type. valid_from, valid_to: ISO 8601."""

    holder: str
    terminals: str
    valid_from: str
    valid_to: str


@dataclass(frozen=True, slots=True)
class CardDescription:
    """A whole card. serial: key diversification data. used: octets of file content.

    trust_points: for Terminal Authentication. date: what the card believes, ISO 8601; None where it trusts nobody.
    """

    life_cycle: str
    serial: str
    interface: str
    atr: AtrDescription
    ats: str
    extended_length: bool
    max_command_data: int
    max_response_data: int
    used: int
    security_domain: SecurityDomainDescription
    master_files: tuple[FileDescription, ...]
    applications: tuple[ApplicationDescription, ...]
    passwords: tuple[PasswordDescription, ...]
    pace: tuple[PaceDescription, ...]
    trust_points: tuple[TrustPointDescription, ...]
    date: str | None


def load_description(path: Path) -> CardDescription:
    """Describe the card of a file, which another process may hold.

    Raises:
        StoreError: there is no such file, or it cannot be read. DecodeError: it is no card, torn or altered.
    """
    state = load_card_file(path)
    try:
        return describe_card(state)
    except DecodeError as failure:
        raise DecodeError(f"{path}: {failure.what}", offset=failure.offset, clause=failure.clause) from failure


def describe_card(state: bytes) -> CardDescription:
    """Describe the card whose state this is (docs/formats/card-state.md).

    Raises:
        DecodeError: it is no card state, torn or altered.
    """
    memory = decode_state(state)
    chip = memory.chip
    return CardDescription(
        life_cycle=memory.life_cycle.name.lower(),
        serial=_hex(memory.domain.kdd),
        interface=chip.interface.value,
        atr=_describe_atr(build_atr(chip)),
        ats=_hex(build_ats(chip)),
        extended_length=chip.extended_length,
        max_command_data=chip.max_command_data,
        max_response_data=chip.max_response_data,
        used=memory.used,
        security_domain=_describe_domain(memory),
        master_files=_describe_files(memory.master),
        applications=tuple(_describe_application(item) for item in memory.applications.values()),
        passwords=tuple(_describe_password(memory, item) for item in sorted(memory.passwords)),
        pace=tuple(_describe_pace(info) for info in memory.pace),
        trust_points=tuple(_describe_trust_point(point.certificate) for point in memory.trust.points),
        date=memory.trust.today.isoformat() if memory.trust.points else None,
    )


def card_to_json(card: CardDescription) -> dict[str, Any]:
    """The description as the JSON object that `docs/formats/card-description.schema.json` describes."""
    return {"format": FORMAT, "version": VERSION, **asdict(card)}


def _describe_atr(raw: bytes) -> AtrDescription:
    atr = decode_atr(raw)
    return AtrDescription(
        _hex(raw),
        atr.convention,
        tuple(f"{name}={value:02X}" for name, value in atr.interface_bytes),
        tuple(f"T={number}" for number in atr.protocols),
        _hex(atr.historical_bytes),
        None if atr.check is None else f"{atr.check:02X}",
    )


def _describe_domain(memory: Memory) -> SecurityDomainDescription:
    domain = memory.domain
    return SecurityDomainDescription(
        _hex(domain.aid),
        f"{domain.keys.key_version:02X}",
        domain.keys.key_length,
        f"{domain.i:02X}",
        domain.sequence,
        domain.failures,
    )


def _describe_application(directory: Directory) -> ApplicationDescription:
    return ApplicationDescription(
        _hex(directory.aid),
        _APPLICATIONS.get(directory.aid, ""),
        directory.activated,
        directory.basic_access_control,
        _describe_files(directory),
        tuple(_describe_key(key) for _, key in sorted(directory.keys.items())),
    )


def _describe_files(directory: Directory) -> tuple[FileDescription, ...]:
    return tuple(_describe_file(file, directory.aid) for _, file in sorted(directory.files.items()))


def _describe_file(file: TransparentFile, aid: bytes) -> FileDescription:
    return FileDescription(
        _file_name(file.fid, aid), f"{file.fid:04X}", file.sfi, len(file.content), file.read.value, file.update.value
    )


def _file_name(fid: int, aid: bytes) -> str:
    """The name in Doc 9303-10 or TR-03110-4, for files under the MF, in the LDS1 and in the eID application."""
    if aid == EID_AID:
        return _EID_FILES.get(fid, "")
    if aid not in (b"", LDS1_AID):
        return ""
    try:
        return by_fid(fid, in_master_file=not aid).name
    except KeyError:
        return ""


def _describe_key(key: StoredKey) -> KeyDescription:
    algorithm = f"{key.algorithm.kind.upper()} {key.algorithm.parameter}"
    return KeyDescription(key.reference, key.purpose.value, algorithm, key.algorithm.hash_name)


def _describe_password(memory: Memory, password_id: PasswordId) -> PasswordDescription:
    password = memory.passwords[password_id]
    return PasswordDescription(password_id.name, password.tries, password.left)


def _describe_pace(info: PACEInfo) -> PaceDescription:
    parameters = find_parameters(info, foreign_curves=True)
    if parameters is None:
        return PaceDescription(info.protocol, info.parameter_id, None, None)
    return PaceDescription(info.protocol, info.parameter_id, parameters.suite.name, parameters.group.name)


def _describe_trust_point(certificate: CvCertificate) -> TrustPointDescription:
    begin, end = certificate.effective_date.isoformat(), certificate.expiration_date.isoformat()
    return TrustPointDescription(certificate.holder_reference, certificate.chat.oid, begin, end)


def _hex(octets: bytes) -> str:
    return octets.hex().upper()
