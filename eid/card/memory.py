"""What a card keeps when its power goes: files, passwords, keys, counters. `state.py` turns it into bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Final

from eid.lds.security_infos import PACEInfo
from eid.pki.cv_chain import CardTrust
from eid.profile.card_image import AccessCondition, ChipImage, KeyAlgorithm, KeyPurpose, PasswordId
from eid.protocols.scp03.card import SecurityDomain

MF_FID: Final = 0x3F00
MAX_MEMORY: Final = 1 << 20
"""Octets of file content that fit on one card."""


@unique
class LifeCycle(IntEnum):
    """The card's life cycle; the values are GlobalPlatform's (GPC 11.1.1)."""

    BLANK = 0x01
    PERSONALISATION = 0x07
    OPERATIONAL = 0x0F
    LOCKED = 0x7F
    TERMINATED = 0xFF

    @property
    def is_writable(self) -> bool:
        """Whether the card can still be personalised."""
        return self in (LifeCycle.BLANK, LifeCycle.PERSONALISATION)


@dataclass(slots=True)
class TransparentFile:
    """A transparent EF. fid: 16 bits. sfi: 1..30 or None. content: as long as the file is large."""

    fid: int
    sfi: int | None
    content: bytearray = field(repr=False)
    read: AccessCondition
    update: AccessCondition


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A private key of an application; `private_key` is PKCS#8, DER."""

    purpose: KeyPurpose
    reference: int
    algorithm: KeyAlgorithm
    private_key: bytes = field(repr=False)


@dataclass(slots=True)
class Directory:
    """The MF (no AID) or an application's DF.

    Args:
        fid: 16 bits, None where the DF has none. activated: files and keys are final.
    """

    aid: bytes
    fid: int | None
    files: dict[int, TransparentFile] = field(default_factory=dict)
    keys: dict[int, StoredKey] = field(default_factory=dict)
    basic_access_control: bool = False
    activated: bool = False

    def by_sfi(self, sfi: int) -> TransparentFile | None:
        """The EF with this short identifier."""
        return next((file for file in self.files.values() if file.sfi == sfi), None)

    def key_for(self, purpose: KeyPurpose) -> tuple[StoredKey, ...]:
        """The keys that serve a purpose."""
        return tuple(key for key in self.keys.values() if key.purpose is purpose)


@dataclass(slots=True)
class StoredPassword:
    """A password: value, retry limit (None: it never blocks), tries that are left, whether it is switched on."""

    value: bytes = field(repr=False)
    tries: int | None = None
    left: int | None = None
    active: bool = True


@dataclass(slots=True)
class Memory:
    """All of it."""

    chip: ChipImage
    domain: SecurityDomain
    life_cycle: LifeCycle = LifeCycle.BLANK
    master: Directory = field(default_factory=lambda: Directory(b"", MF_FID))
    applications: dict[bytes, Directory] = field(default_factory=dict)
    passwords: dict[PasswordId, StoredPassword] = field(default_factory=dict)
    pace: tuple[PACEInfo, ...] = ()
    trust: CardTrust = field(default_factory=CardTrust)

    @property
    def directories(self) -> tuple[Directory, ...]:
        """The MF and every DF."""
        return (self.master, *self.applications.values())

    @property
    def used(self) -> int:
        """Octets of file content."""
        return sum(len(file.content) for directory in self.directories for file in directory.files.values())

    @property
    def has_access_control(self) -> bool:
        """Whether the chip offers PACE or any application opens by BAC."""
        return bool(self.pace) or any(directory.basic_access_control for directory in self.applications.values())
