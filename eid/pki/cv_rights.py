"""Rights of terminals by name (TR-03110-3 C.1.5, TR-03110-4 2.2.3): bit 0 is the last bit of the authorization."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from eid.codec.cv import Chat, Role
from eid.codec.oid import ID_AT, ID_IS, ID_ST

TERMINAL_TYPES: Final = MappingProxyType({"is": ID_IS, "at": ID_AT, "st": ID_ST})
LENGTHS: Final = MappingProxyType({ID_IS: 1, ID_AT: 5, ID_ST: 1})  # octets of the authorization
ROLE_BITS: Final = 6  # the first octet's two high bits are the role

_AT_FUNCTIONS: Final = (
    "age-verification",
    "community-id-verification",
    "restricted-identification",
    "privileged-terminal",
    "can-allowed",
    "pin-management",
    "install-certificate",
    "install-qualified-certificate",
)
RIGHTS: Final = MappingProxyType(
    {
        ID_IS: MappingProxyType({"read-dg3": 0, "read-dg4": 1, "read-eid": 5}),
        ID_AT: MappingProxyType(
            {
                **{name: bit for bit, name in enumerate(_AT_FUNCTIONS)},
                **{f"read-dg{number}": 7 + number for number in range(1, 23)},
                **{f"write-dg{number}": 54 - number for number in range(17, 23)},
            }
        ),
        ID_ST: MappingProxyType({"generate-signature": 0, "generate-qualified-signature": 1}),
    }
)


def all_rights(terminal_type: str) -> bytes:
    """Every right that a terminal type can have, role bits clear."""
    return rights_of(terminal_type, RIGHTS[terminal_type])


def rights_of(terminal_type: str, names: Iterable[str]) -> bytes:
    """The relative authorization with the rights of these names, role bits clear.

    Raises:
        KeyError: a name is unknown; the caller's mistake.
    """
    known = RIGHTS[terminal_type]
    bits = sum(1 << known[name] for name in set(names))
    return bits.to_bytes(LENGTHS[terminal_type], "big")


def name_rights(chat: Chat) -> tuple[str, ...]:
    """The rights of an authorization by name; a bit without a name is told by its number."""
    known = {bit: name for name, bit in RIGHTS.get(chat.oid, {}).items()}
    value = int.from_bytes(chat.authorization, "big")
    width = 8 * len(chat.authorization) - 2
    return tuple(known.get(bit, f"bit-{bit}") for bit in range(width) if value >> bit & 1)


def build_chat(role: Role, terminal_type: str, rights: bytes) -> Chat:
    """A CHAT from role, terminal type (dotted) and rights; role bits in `rights` count for nothing."""
    return Chat(terminal_type, bytes((role << ROLE_BITS | rights[0] & 0x3F,)) + rights[1:])
