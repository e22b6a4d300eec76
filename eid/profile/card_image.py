"""The card image: everything a card is to hold, as one frozen tree.

It is the hinge of issuing. `VirtualCard(image)` boots from it, `plan(image)` writes it with APDUs; both must end in the
same behaviour. Bytes are what goes on the chip; nothing here signs, draws or talks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum, StrEnum, unique
from typing import Final

from eid.lds.security_infos import PACEInfo
from eid.profile.quirks import NO_QUIRKS, Quirks

MIN_PIN_LENGTH: Final = 4  # digits of a PIN or PUK
MAX_PIN_LENGTH: Final = 16


@unique
class AccessCondition(StrEnum):
    """What a terminal must have done before it may read (or update) a file of an operational card."""

    ALWAYS = "always"
    NEVER = "never"
    BAC_OR_PACE = "bac-or-pace"
    PACE = "pace"
    TA_DG3 = "ta-dg3"  # Terminal Authentication of an inspection system that may read DG3 (TR-03110-1 A.2)
    TA_DG4 = "ta-dg4"
    EID_READ = "eid-read"  # the right to read the eID application's data group of this number (TR-03110-4 2.2.3.2)
    EID_WRITE = "eid-write"


@unique
class PasswordId(IntEnum):
    """Password identifiers of MSE:Set AT, data object 83 (TR-03110-3, table B.1; Doc 9303-11 4.4.4.1)."""

    MRZ = 1
    CAN = 2
    PIN = 3
    PUK = 4


@unique
class KeyPurpose(StrEnum):
    """What a private key of the chip is for."""

    ACTIVE_AUTHENTICATION = "active-authentication"
    CHIP_AUTHENTICATION = "chip-authentication"
    RESTRICTED_IDENTIFICATION = "restricted-identification"  # for every authentication terminal
    RESTRICTED_IDENTIFICATION_AUTHORIZED = "restricted-identification-authorized"  # for those that have the right


@unique
class Interface(StrEnum):
    """How the card talks to readers."""

    CONTACT = "contact"
    CONTACTLESS = "contactless"


@dataclass(frozen=True, slots=True)
class FileImage:
    """A transparent elementary file.

    Args:
        name: as in `eid.lds.files`, e.g. "DG1". fid: 16 bits. sfi: 1..30, or None.
        content: the whole of it, raw octets.
    """

    name: str
    fid: int
    sfi: int | None
    content: bytes = field(repr=False)
    read: AccessCondition = AccessCondition.BAC_OR_PACE
    update: AccessCondition = AccessCondition.NEVER


@dataclass(frozen=True, slots=True)
class KeyAlgorithm:
    """Key type: ("ec", curve name of `eid.crypto.curves`) or ("rsa", modulus length in bits as text)."""

    kind: str
    parameter: str
    hash_name: str = "sha256"


@dataclass(frozen=True, slots=True)
class KeyImage:
    """A private key of an application: an order to generate it on the card, or, injected, its PKCS#8 bytes."""

    purpose: KeyPurpose
    reference: int
    algorithm: KeyAlgorithm
    private_key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PasswordImage:
    """A password. value: MRZ information (Doc 9303-11 4.3.2) or digits, ASCII. tries: None where it never blocks."""

    id: PasswordId
    value: bytes = field(repr=False)
    tries: int | None = None


@dataclass(frozen=True, slots=True)
class ApplicationImage:
    """An application (DF): AID, files, keys, and whether BAC opens it."""

    aid: bytes
    files: tuple[FileImage, ...]
    keys: tuple[KeyImage, ...] = ()
    basic_access_control: bool = True


@dataclass(frozen=True, slots=True)
class SecurityDomainImage:
    """The issuer security domain and its SCP03 key set (GPC Amendment D).

    Args:
        aid: ISD AID. key_length: 16, 24 or 32 octets. i_parameter: SCP03 "i" (10 pseudo-random, 20 R-MAC, 40 R-ENC).
        key_version: version of the key set on a blank card.
    """

    aid: bytes
    key_length: int = 16
    i_parameter: int = 0x70
    key_version: int = 0xFF


@dataclass(frozen=True, slots=True)
class ChipImage:
    """What the chip is before anyone writes to it: interface, historical bytes, lengths it can take, quirks."""

    interface: Interface
    historical_bytes: bytes
    security_domain: SecurityDomainImage
    extended_length: bool = True
    max_command_data: int = 65000
    max_response_data: int = 65000
    quirks: Quirks = NO_QUIRKS


@dataclass(frozen=True, slots=True)
class CardImage:
    """The whole card.

    Args:
        master_files: files directly under the MF, e.g. EF.CardAccess.
        pace: the PACE protocols the chip runs, in the order it announces them; empty where it runs none.
        trust_points: CVCA certificates for Terminal Authentication, raw, newest first, at most two; each states its
            domain parameters. trust_date: the date that the card believes in when it leaves (TR-03110-3 2.2.4.1).
    """

    chip: ChipImage
    master_files: tuple[FileImage, ...]
    applications: tuple[ApplicationImage, ...]
    passwords: tuple[PasswordImage, ...]
    pace: tuple[PACEInfo, ...] = ()
    trust_points: tuple[bytes, ...] = ()
    trust_date: date | None = None
