"""Command and response APDUs of ISO/IEC 7816-4 (5.2 to 5.6), short and extended, and command chaining (5.3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from eid.codec.status_word import describe_status_word
from eid.errors import DecodeError

CLAUSE: Final = "ISO/IEC 7816-4 5.2"
MAX_SHORT_DATA: Final = 255
MAX_SHORT_LE: Final = 256
MAX_EXTENDED_DATA: Final = 65535
MAX_EXTENDED_LE: Final = 65536
CHAINING_BIT: Final = 0x10
SM_BITS: Final = 0x0C


@dataclass(frozen=True, slots=True)
class CommandAPDU:
    """One command.

    Args:
        cla: class byte, 0..254. ins, p1, p2: one byte each.
        data: command data field, 0..65535 octets.
        le: octets expected in the response, 1..65536; None where the command has no Le field.
        extended: force extended length fields although short ones would do.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = field(default=b"", repr=False)
    le: int | None = None
    extended: bool = False

    @property
    def is_extended(self) -> bool:
        """Whether the length fields are extended ones."""
        return self.extended or len(self.data) > MAX_SHORT_DATA or (self.le or 0) > MAX_SHORT_LE

    @property
    def header(self) -> bytes:
        """CLA INS P1 P2."""
        return bytes((self.cla, self.ins, self.p1, self.p2))

    @property
    def is_chained(self) -> bool:
        """Whether more commands of the same chain follow (ISO/IEC 7816-4 5.3.3)."""
        return bool(self.cla & CHAINING_BIT)

    def encode(self) -> bytes:
        """Bytes on the wire.

        Raises:
            ValueError: a field is out of its range; the caller's mistake.
        """
        if len(self.data) > MAX_EXTENDED_DATA:
            raise ValueError(f"command data of {len(self.data)} octets is over {MAX_EXTENDED_DATA}")
        if self.le is not None and not 1 <= self.le <= MAX_EXTENDED_LE:
            raise ValueError(f"Le {self.le} is not in 1..{MAX_EXTENDED_LE}")
        if self.is_extended:
            return self.header + self._extended_body()
        lc = bytes((len(self.data),)) if self.data else b""
        le = b"" if self.le is None else bytes((self.le & 0xFF,))
        return self.header + lc + self.data + le

    def _extended_body(self) -> bytes:
        le = b"" if self.le is None else (self.le & 0xFFFF).to_bytes(2, "big")
        if self.data:
            return b"\x00" + len(self.data).to_bytes(2, "big") + self.data + le
        return b"\x00" + le if le else b""


@dataclass(frozen=True, slots=True)
class ResponseAPDU:
    """One response: data field (0..65536 octets) and status word (16 bits)."""

    data: bytes = field(default=b"", repr=False)
    sw: int = 0x9000

    def encode(self) -> bytes:
        """Bytes on the wire."""
        return self.data + self.sw.to_bytes(2, "big")

    @property
    def meaning(self) -> str:
        """The status word in words."""
        return describe_status_word(self.sw)


def decode_command(raw: bytes) -> CommandAPDU:
    """Decode a command APDU, all seven cases of ISO/IEC 7816-4 5.2.

    Raises:
        DecodeError: the length fields do not fit the length, or CLA is FF.
    """
    if len(raw) < 4:
        raise DecodeError("command APDU shorter than its header", offset=len(raw), clause=CLAUSE)
    if raw[0] == 0xFF:
        raise DecodeError("class FF is invalid", offset=0, clause="ISO/IEC 7816-4 5.4.1")
    cla, ins, p1, p2 = raw[:4]
    body = raw[4:]
    if not body:
        return CommandAPDU(cla, ins, p1, p2)
    if len(body) == 1:
        return CommandAPDU(cla, ins, p1, p2, le=body[0] or MAX_SHORT_LE)
    if body[0]:
        data, le = _split_short(body)
        return CommandAPDU(cla, ins, p1, p2, data, le)
    data, le = _split_extended(body)
    return CommandAPDU(cla, ins, p1, p2, data, le, extended=True)


def _split_short(body: bytes) -> tuple[bytes, int | None]:
    end = 1 + body[0]
    if len(body) == end:
        return body[1:end], None
    if len(body) == end + 1:
        return body[1:end], body[end] or MAX_SHORT_LE
    raise DecodeError(f"Lc says {body[0]} octets, {len(body) - 1} follow", offset=4, clause=CLAUSE)


def _split_extended(body: bytes) -> tuple[bytes, int | None]:
    if len(body) < 3:
        raise DecodeError("extended length field is cut", offset=4, clause=CLAUSE)
    length = int.from_bytes(body[1:3], "big")
    if len(body) == 3:
        return b"", length or MAX_EXTENDED_LE
    end = 3 + length
    if length and len(body) == end:
        return body[3:end], None
    if length and len(body) == end + 2:
        return body[3:end], int.from_bytes(body[end:], "big") or MAX_EXTENDED_LE
    raise DecodeError(f"extended Lc says {length} octets, {len(body) - 3} follow", offset=4, clause=CLAUSE)


def decode_response(raw: bytes) -> ResponseAPDU:
    """Decode a response APDU.

    Raises:
        DecodeError: fewer than the two octets of a status word.
    """
    if len(raw) < 2:
        raise DecodeError("response APDU without a status word", offset=0, clause="ISO/IEC 7816-4 5.6")
    return ResponseAPDU(bytes(raw[:-2]), int.from_bytes(raw[-2:], "big"))


def split_chain(command: CommandAPDU, max_data: int = MAX_SHORT_DATA) -> Iterator[CommandAPDU]:
    """Cut a command into a chain whose links carry at most `max_data` octets (ISO/IEC 7816-4 5.3.3).

    Raises:
        ValueError: `max_data` is not positive; the caller's mistake.
    """
    if max_data < 1:
        raise ValueError("a link of a chain carries one octet or more")
    data = command.data
    while len(data) > max_data:
        yield replace(command, cla=command.cla | CHAINING_BIT, data=data[:max_data], le=None)
        data = data[max_data:]
    yield replace(command, data=data)
