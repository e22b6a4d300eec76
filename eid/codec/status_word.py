"""Status words of ISO/IEC 7816-4 (5.6) and what they mean."""

from __future__ import annotations

from enum import IntEnum, unique


@unique
class SW(IntEnum):
    """Status words that this system sends or looks for."""

    OK = 0x9000
    BYTES_REMAINING = 0x6100
    END_OF_FILE = 0x6282
    FILE_DEACTIVATED = 0x6283
    REFERENCED_DATA_DEACTIVATED = 0x6284
    WARNING_AUTHENTICATION_FAILED = 0x6300
    TRIES_LEFT = 0x63C0
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    LOGICAL_CHANNEL_NOT_SUPPORTED = 0x6881
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882
    LAST_COMMAND_OF_CHAIN_EXPECTED = 0x6883
    CHAINING_NOT_SUPPORTED = 0x6884
    SECURITY_STATUS_NOT_SATISFIED = 0x6982
    AUTHENTICATION_METHOD_BLOCKED = 0x6983
    REFERENCE_DATA_NOT_USABLE = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    COMMAND_NOT_ALLOWED = 0x6986
    SM_OBJECTS_MISSING = 0x6987
    SM_OBJECTS_INCORRECT = 0x6988
    WRONG_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    NOT_ENOUGH_MEMORY = 0x6A84
    WRONG_P1P2 = 0x6A86
    NC_INCONSISTENT_WITH_P1P2 = 0x6A87
    REFERENCED_DATA_NOT_FOUND = 0x6A88
    FILE_EXISTS = 0x6A89
    NAME_EXISTS = 0x6A8A
    WRONG_OFFSET = 0x6B00
    WRONG_LE = 0x6C00
    INSTRUCTION_NOT_SUPPORTED = 0x6D00
    CLASS_NOT_SUPPORTED = 0x6E00
    UNKNOWN = 0x6F00


def describe_status_word(sw: int) -> str:
    """Say in words what a status word means; an unknown one is called so."""
    if 0x63C0 <= sw <= 0x63CF:
        return f"verification failed, {sw & 0x0F} tries left"
    if sw >> 8 == 0x61:
        return f"{sw & 0xFF or 256} bytes still available"
    if sw >> 8 == 0x6C:
        return f"wrong Le, {sw & 0xFF or 256} bytes available"
    try:
        return SW(sw).name.lower().replace("_", " ")
    except ValueError:
        return "unknown status word"


def is_success(sw: int) -> bool:
    """Tell whether the command was carried out: 9000, 61xx, or a warning 62xx.

    A warning 63xx does not count: it is how a card reports a failed verification (ISO/IEC 7816-4 5.6).
    """
    return sw == SW.OK or sw >> 8 in (0x61, 0x62)
