"""The T=0 transmission protocol as PC/SC leaves it to the application (ISO/IEC 7816-3 12.2).

Under T=1, and over every contactless reader, a command APDU goes out as it is. Under T=0 a command cannot carry data
both
ways: the Le field of a case 4 command is not sent, and the response is fetched with GET RESPONSE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eid.errors import TransportError

_GET_RESPONSE_INS: Final = 0xC0
_MORE: Final = 0x61  # 61xx: xx octets wait to be fetched
_WRONG_LE: Final = 0x6C  # 6Cxx: the same command again, with Le = xx
_MAX_FETCHES: Final = 512  # 65536 octets come in at most 256 fetches; a card that never ends is refused


def transmit_t0(transmit: Callable[[bytes], bytes], command: bytes) -> bytes:
    """Send a short command APDU under T=0 and gather the whole response.

    Args:
        transmit: sends one T=0 command to the reader, returns data and status word, at least two octets.
        command: a short command APDU; an extended one goes out unchanged (ENVELOPE is the caller's decision).

    Raises:
        TransportError: the card never ends its response.
    """
    response = transmit(without_le(command))
    if response[-2] == _WRONG_LE and len(response) == 2:
        response = transmit(_with_le(command, response[-1]))
    gathered = bytearray()
    for _ in range(_MAX_FETCHES):
        gathered += response[:-2]
        if response[-2] != _MORE:
            return bytes(gathered) + response[-2:]
        fetch = bytes((command[0] & 0xF3, _GET_RESPONSE_INS, 0, 0, response[-1]))  # no SM bits: ISO/IEC 7816-4 11.6.1
        response = transmit(fetch)
    raise TransportError("the card never ends its response under T=0")


def without_le(command: bytes) -> bytes:
    """Drop the Le field of a short case 4 command; every other command is returned as it is."""
    is_short_case_4 = len(command) > 6 and command[4] and len(command) == 6 + command[4]
    return command[:-1] if is_short_case_4 else command


def _with_le(command: bytes, le: int) -> bytes:
    return command[:4] + bytes((le,)) if len(command) <= 5 else without_le(command)
