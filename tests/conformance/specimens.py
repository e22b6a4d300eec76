"""Sound cards to seed defects in: one that opens by BAC and is quick to test, one with PACE, one with CAM and DG3."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from eid.card import VirtualCard
from eid.card.memory import Memory, TransparentFile
from eid.card.state import decode_state
from eid.crypto.hashes import digest
from eid.lds.files import LDS1_AID, by_name
from eid.lds.sod import build_lds_security_object
from eid.profile.card_image import AccessCondition, PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.pace.core import Password
from eid.testing.specimen import SpecimenCard, issue_specimen

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
_EC_KEYS = [
    {"purpose": "active-authentication", "reference": 1, "kind": "ec", "curve": "P-256"},
    {"purpose": "chip-authentication", "reference": 2, "kind": "ec", "curve": "P-256", "cipher": "AES_128"},
]
_PACE = {"cipher": "AES_128", "parameters": "P-256"}


def _changed(**tables: Mapping[str, Any]) -> CardProfile:
    stated = load_profile("icao-td3-passport").profile.model_dump(mode="json")
    for name, table in tables.items():
        stated[name] = {**stated[name], **table}
    stated["authority"]["csca_curve"] = "P-256"
    stated["authority"]["csca_hash"] = "sha256"
    return CardProfile.model_validate(stated)


@cache
def specimen(kind: str) -> SpecimenCard:
    """The sound card of this kind; take a copy of it. "bac", "pace", "cam" or "rsa"."""
    profiles = {
        "bac": {"access": {"pace": []}, "application": {"keys": _EC_KEYS}},
        "pace": {"application": {"keys": _EC_KEYS}},
        "cam": {
            "access": {"bac": False, "pace": [{**_PACE, "mapping": "CAM"}]},
            "application": {"keys": _EC_KEYS, "read": "pace"},
        },
        "rsa": {"access": {"pace": []}},
    }
    return issue_specimen(_changed(**profiles[kind]), NOW)


def passwords(card: SpecimenCard) -> tuple[Password, ...]:
    """All that open it."""
    return (Password(PasswordId.MRZ, card.mrz_information.encode()),)


def memory_of(card: SpecimenCard) -> Memory:
    """What the card holds, to be changed."""
    return decode_state(card.card.state())


def content(memory: Memory, name: str) -> bytearray:
    """A file of the application, in place."""
    return memory.applications[LDS1_AID].files[by_name(name).fid].content


def put_file(memory: Memory, name: str, raw: bytes, read: AccessCondition = AccessCondition.BAC_OR_PACE) -> None:
    """Write a file, new or there already, without regard to anything."""
    file = by_name(name)
    directory = memory.master if file.in_master_file else memory.applications[LDS1_AID]
    rule = directory.files[file.fid].read if file.fid in directory.files else read
    directory.files[file.fid] = TransparentFile(file.fid, file.sfi, bytearray(raw), rule, AccessCondition.NEVER)


def sign_again(card: SpecimenCard, memory: Memory, hashes: Mapping[int, bytes] | None = None) -> None:
    """A new EF.SOD over the data groups as they are now, by the same authority.

    Args:
        hashes: other values for some data groups.
    """
    files = memory.applications[LDS1_AID].files
    found = {n: digest("sha256", bytes(files[0x100 + n].content)) for n in range(1, 17) if 0x100 + n in files}
    put_file(memory, "EF.SOD", card.authority.sign(build_lds_security_object("sha256", {**found, **(hashes or {})})))


def booted(memory: Memory) -> VirtualCard:
    """A card with this memory."""
    return VirtualCard(memory)
