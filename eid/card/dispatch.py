"""The table of commands, and the one place where refusals become status words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from eid.card import (
    administration,
    authentication,
    auxiliary_data,
    binary,
    pin,
    security_domain,
    selection,
    terminal_authentication,
)
from eid.card.memory import LifeCycle
from eid.card.session import Card
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.errors import CommandRefused, DecodeError, EidError
from eid.protocols.globalplatform.messages import TAG_CPLC
from eid.protocols.pin.messages import PASSWORD

Handler: TypeAlias = Callable[[Card, CommandAPDU], ResponseAPDU]

INTERINDUSTRY: Final = 0x00
PROPRIETARY: Final = 0x80
INS_READ_BINARY: Final = 0xB0
INS_READ_BINARY_ODD: Final = 0xB1
INS_GENERAL_AUTHENTICATE: Final = 0x86
INS_GET_RESPONSE: Final = 0xC0
INS_GET_DATA: Final = 0xCA
SCP03_AUTHENTICATE: Final = (0x84, 0x82)
"""Class and instruction of SCP03's EXTERNAL AUTHENTICATE, which carries a C-MAC before the channel is open."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: its name in traces, and what carries it out."""

    name: str
    handle: Handler


def _refuse_channel(_card: Card, _command: CommandAPDU) -> ResponseAPDU:
    raise CommandRefused(SW.LOGICAL_CHANNEL_NOT_SUPPORTED, "there is one logical channel")


def _activate(card: Card, command: CommandAPDU) -> ResponseAPDU:
    """ACTIVATE FILE, or, with P1 10, of a password."""
    handle = pin.switch if command.p1 == PASSWORD else administration.activate_file
    return handle(card, command)


COMMANDS: Final[dict[tuple[int, int], Entry]] = {
    # Interindustry class: ISO/IEC 7816-4, -8, -9
    (INTERINDUSTRY, 0xA4): Entry("SELECT", selection.select),
    (INTERINDUSTRY, 0xD6): Entry("UPDATE BINARY", binary.update_binary),
    (INTERINDUSTRY, 0xD7): Entry("UPDATE BINARY", binary.update_binary_odd),
    (INTERINDUSTRY, 0x84): Entry("GET CHALLENGE", authentication.get_challenge),
    (INTERINDUSTRY, 0x82): Entry("EXTERNAL AUTHENTICATE", authentication.external_authenticate),
    (INTERINDUSTRY, 0x22): Entry("MANAGE SECURITY ENVIRONMENT", authentication.manage_security_environment),
    (INTERINDUSTRY, 0x2A): Entry("PERFORM SECURITY OPERATION", terminal_authentication.verify_certificate),
    (INTERINDUSTRY, 0x86): Entry("GENERAL AUTHENTICATE", authentication.general_authenticate),
    (INTERINDUSTRY, 0x88): Entry("INTERNAL AUTHENTICATE", authentication.internal_authenticate),
    (INTERINDUSTRY, 0x70): Entry("MANAGE CHANNEL", _refuse_channel),
    (INTERINDUSTRY, 0xE0): Entry("CREATE FILE", administration.create_file),
    (INTERINDUSTRY, 0x44): Entry("ACTIVATE FILE", _activate),
    (INTERINDUSTRY, 0x04): Entry("DEACTIVATE", pin.switch),
    (INTERINDUSTRY, 0x2C): Entry("RESET RETRY COUNTER", pin.reset_retry_counter),
    (INTERINDUSTRY, 0x24): Entry("CHANGE REFERENCE DATA", administration.change_reference_data),
    (INTERINDUSTRY, 0x47): Entry("GENERATE ASYMMETRIC KEY PAIR", administration.generate_asymmetric_key_pair),
    (INTERINDUSTRY, 0xDB): Entry("PUT DATA", administration.put_data),
    (INTERINDUSTRY, 0xCA): Entry("GET DATA", security_domain.get_data),
    # Proprietary class: TR-03110-3 B.14, GlobalPlatform
    (PROPRIETARY, 0x20): Entry("VERIFY", auxiliary_data.verify),
    (PROPRIETARY, 0xCA): Entry("GET DATA", security_domain.get_data),
    (PROPRIETARY, 0xF2): Entry("GET STATUS", security_domain.get_status),
    (PROPRIETARY, 0x50): Entry("INITIALIZE UPDATE", security_domain.initialize_update),
    SCP03_AUTHENTICATE: Entry("EXTERNAL AUTHENTICATE", security_domain.external_authenticate),
    (PROPRIETARY, 0xD8): Entry("PUT KEY", security_domain.put_key),
    (PROPRIETARY, 0xF0): Entry("SET STATUS", security_domain.set_status),
}
_INSTRUCTIONS: Final = {ins for _, ins in COMMANDS} | {INS_READ_BINARY, INS_READ_BINARY_ODD}
_READ_NAMES: Final = {
    INS_READ_BINARY: "READ BINARY",
    INS_READ_BINARY_ODD: "READ BINARY",
    INS_GET_RESPONSE: "GET RESPONSE",
}


def command_name(command: CommandAPDU) -> str:
    """The command's name, for traces."""
    entry = COMMANDS.get((command.cla & 0x84, command.ins))
    if entry is not None:
        return entry.name
    return _READ_NAMES.get(command.ins, f"INS {command.ins:02X}")


def execute(card: Card, command: CommandAPDU, limit: int) -> ResponseAPDU:
    """Carry out a plain command; whatever it refuses becomes a status word.

    Args:
        limit: octets of plain data that the response can carry.
    """
    try:
        return _execute(card, command, limit)
    except CommandRefused as refusal:
        return ResponseAPDU(b"", refusal.sw)
    except DecodeError:
        return ResponseAPDU(b"", SW.WRONG_DATA)
    except EidError:
        return ResponseAPDU(b"", SW.UNKNOWN)


def _execute(card: Card, command: CommandAPDU, limit: int) -> ResponseAPDU:
    if card.memory.life_cycle is LifeCycle.TERMINATED:
        _require_cplc(command)
    if command.cla == INTERINDUSTRY:
        if command.ins == INS_READ_BINARY:
            return binary.read_binary(card, command, limit)
        if command.ins == INS_READ_BINARY_ODD:
            return binary.read_binary_odd(card, command, limit)
    # The chaining bit is only left on GENERAL AUTHENTICATE, whose links are steps.
    entry = COMMANDS.get((command.cla & ~0x10, command.ins))
    if entry is None:
        known = command.ins in _INSTRUCTIONS
        raise CommandRefused(SW.CLASS_NOT_SUPPORTED if known else SW.INSTRUCTION_NOT_SUPPORTED)
    return entry.handle(card, command)


def _require_cplc(command: CommandAPDU) -> None:
    if command.ins != INS_GET_DATA or command.p1 << 8 | command.p2 != TAG_CPLC:
        raise CommandRefused(SW.CONDITIONS_NOT_SATISFIED, "the card is terminated")
