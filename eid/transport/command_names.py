"""Names of commands for traces: what a command is, never what it carries.

Sources: ISO/IEC 7816-4 5.4.2 and 7816-8, 7816-9; GlobalPlatform Card Specification 2.3.1 chapter 11.
"""

from __future__ import annotations

from typing import Final

from eid.codec.apdu import SM_BITS, CommandAPDU

_ISO: Final = {
    0x04: "DEACTIVATE FILE",
    0x20: "VERIFY",
    0x21: "VERIFY",
    0x22: "MANAGE SECURITY ENVIRONMENT",
    0x24: "CHANGE REFERENCE DATA",
    0x2A: "PERFORM SECURITY OPERATION",
    0x2C: "RESET RETRY COUNTER",
    0x44: "ACTIVATE FILE",
    0x46: "GENERATE ASYMMETRIC KEY PAIR",
    0x47: "GENERATE ASYMMETRIC KEY PAIR",
    0x70: "MANAGE CHANNEL",
    0x82: "EXTERNAL AUTHENTICATE",
    0x84: "GET CHALLENGE",
    0x86: "GENERAL AUTHENTICATE",
    0x87: "GENERAL AUTHENTICATE",
    0x88: "INTERNAL AUTHENTICATE",
    0xA4: "SELECT",
    0xB0: "READ BINARY",
    0xB1: "READ BINARY",
    0xC0: "GET RESPONSE",
    0xC2: "ENVELOPE",
    0xCA: "GET DATA",
    0xCB: "GET DATA",
    0xD6: "UPDATE BINARY",
    0xD7: "UPDATE BINARY",
    0xDA: "PUT DATA",
    0xDB: "PUT DATA",
    0xE0: "CREATE FILE",
    0xE4: "DELETE FILE",
    0xE6: "TERMINATE DF",
    0xE8: "TERMINATE EF",
    0xFE: "TERMINATE CARD USAGE",
}
_GLOBAL_PLATFORM: Final = {
    0x50: "INITIALIZE UPDATE",
    0x82: "EXTERNAL AUTHENTICATE",
    0xCA: "GET DATA",
    0xD8: "PUT KEY",
    0xE2: "STORE DATA",
    0xE4: "DELETE",
    0xE6: "INSTALL",
    0xE8: "LOAD",
    0xF0: "SET STATUS",
    0xF2: "GET STATUS",
}
_MSE: Final = {0xA4: "SET AT", 0xA6: "SET KAT", 0xB6: "SET DST", 0xB8: "SET CT"}  # P2, ISO/IEC 7816-4 11.5.11


def describe_command(command: CommandAPDU) -> str:
    """Name a command, with what its header and a plain SELECT's public data say; "SM" before it if protected."""
    protected = bool(command.cla & SM_BITS) and not command.cla & 0x40  # further interindustry classes: 5.4.1
    name = _name(command)
    if command.ins in (0xB0, 0xD6) and not protected and not command.p1 & 0x80:
        return f"{name} from {command.p1 << 8 | command.p2}"
    if command.ins == 0xA4 and not protected and command.data:
        return f"{name} {command.data.hex().upper()}"
    return f"SM {name}" if protected else name


def _name(command: CommandAPDU) -> str:
    if command.ins == 0x22:
        return f"MANAGE SECURITY ENVIRONMENT {_MSE.get(command.p2, '')}".rstrip()
    is_proprietary = bool(command.cla & 0x80)
    name = _GLOBAL_PLATFORM.get(command.ins) if is_proprietary else None
    return name or _ISO.get(command.ins) or f"INS {command.ins:02X}"
