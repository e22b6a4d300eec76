"""Access rules of files as octets (ISO/IEC 7816-4 7.4.3.3): written by who makes a file, read by the card."""

from __future__ import annotations

from typing import Final

from eid.errors import DecodeError
from eid.profile.card_image import AccessCondition

_CLAUSE: Final = "ISO/IEC 7816-4 7.4.3.3"
READ_AND_UPDATE: Final = 0x03
"""The access mode octet: bit 1 READ BINARY, bit 2 UPDATE BINARY (7.4.3.3.1)."""
SECURITY_CONDITIONS: Final = {
    AccessCondition.ALWAYS: 0x00,
    AccessCondition.NEVER: 0xFF,
    AccessCondition.BAC_OR_PACE: 0x40,
    AccessCondition.PACE: 0x41,
    AccessCondition.TA_DG3: 0x42,
    AccessCondition.TA_DG4: 0x43,
    AccessCondition.EID_READ: 0x44,
    AccessCondition.EID_WRITE: 0x45,
}
"""Security condition octets (7.4.3.3.4): 40 secure messaging, 41 to 45 that of security environments 1 to 5.

Environment 1 is PACE, 2 and 3 are Terminal Authentication with the right to read DG3 or DG4, 4 and 5 with the right to
read or to write the eID application's data group of the file's number.
"""
_CONDITIONS: Final = {octet: condition for condition, octet in SECURITY_CONDITIONS.items()}


def encode_access_rule(read: AccessCondition, update: AccessCondition) -> bytes:
    """The compact form (7.4.3.3.2): the access mode octet, then a condition for each of its bits, the highest first."""
    return bytes((READ_AND_UPDATE, SECURITY_CONDITIONS[update], SECURITY_CONDITIONS[read]))


def decode_access_rule(value: bytes) -> tuple[AccessCondition, AccessCondition]:
    """The conditions of reading and of updating that a rule in the compact form states.

    Raises:
        DecodeError: it states other operations, or an unknown condition.
    """
    if len(value) != 3 or value[0] != READ_AND_UPDATE:
        raise DecodeError("the access rule must say 03 update read", clause=_CLAUSE)
    return decode_condition(value[2]), decode_condition(value[1])


def decode_condition(octet: int) -> AccessCondition:
    """The condition that a security condition octet stands for.

    Raises:
        DecodeError: it stands for none here.
    """
    try:
        return _CONDITIONS[octet]
    except KeyError:
        raise DecodeError(f"unknown security condition {octet:02X}", clause=_CLAUSE) from None
