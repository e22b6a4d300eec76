"""Secure messaging of chip protocols, 3DES and AES, both ends in one class (Doc 9303-11 9.8, ISO/IEC 7816-4 10).

The terminal uses `protect_command` and `unprotect_response`, the card `unprotect_command` and `protect_response`. Each
of the four counts the send sequence counter up by one before it works (9.8.6.3, 9.8.7.3). The first fault ends the
session: the keys are dropped and every further call is refused (9.8.3).
"""

from __future__ import annotations

from typing import Final

from eid.codec.apdu import MAX_EXTENDED_LE, MAX_SHORT_DATA, MAX_SHORT_LE, SM_BITS, CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.codec.tlv import encode_length, read_header
from eid.crypto.block_cipher import CipherKey
from eid.crypto.cipher_suite import MAC_LENGTH, CipherSuite
from eid.crypto.mac import MacKey, verify_mac
from eid.crypto.padding import pad, unpad
from eid.errors import (
    AuthenticationError,
    CommandRefused,
    DecodeError,
    EidError,
    LocalProtocolError,
    PeerProtocolError,
    SessionLostError,
)

# Data objects of Doc 9303-11 9.8.4
DO_CRYPTOGRAM: Final = 0x85  # of BER-TLV data, no padding indicator: commands with an odd INS
DO_PADDED_CRYPTOGRAM: Final = 0x87  # padding indicator 01 and cryptogram
DO_LE: Final = 0x97
DO_STATUS: Final = 0x99
DO_MAC: Final = 0x8E

_PADDING_METHOD_2: Final = b"\x01"
_COMMAND_OBJECTS: Final = frozenset((DO_CRYPTOGRAM, DO_PADDED_CRYPTOGRAM, DO_LE, DO_MAC))
_RESPONSE_OBJECTS: Final = frozenset((DO_CRYPTOGRAM, DO_PADDED_CRYPTOGRAM, DO_STATUS, DO_MAC))
_MAC_OBJECT_LENGTH: Final = 2 + MAC_LENGTH
_STATUS_OBJECT_LENGTH: Final = 4
_CLAUSE: Final = "Doc 9303-11 9.8.4"


class SecureMessaging:
    """One session: keys and send sequence counter.

    Args:
        ks_enc, ks_mac: session keys, `suite.key_length` octets each.
        ssc: send sequence counter before the first command, `suite.block_size` octets; zero except after BAC.

    Raises:
        LocalProtocolError: a key or the counter has the wrong length.

    A terminal that sets `is_patient` takes a bare 6700, 6B00 or 6Cxx to a command without data as the refusal of its
    length by a chip that did not look at the protection and has not counted: the counter goes back, the session lives.
    Nothing else that is unprotected is ever taken, and never data.
    """

    __slots__ = (
        "_alive",
        "_cipher_key",
        "_is_repeatable",
        "_ks_enc",
        "_ks_mac",
        "_mac_key",
        "_odd_instruction",
        "_ssc",
        "is_patient",
        "suite",
    )

    def __init__(self, suite: CipherSuite, ks_enc: bytes, ks_mac: bytes, ssc: bytes | None = None) -> None:
        ssc = bytes(suite.block_size) if ssc is None else ssc
        if len(ks_enc) != suite.key_length or len(ks_mac) != suite.key_length or len(ssc) != suite.block_size:
            raise LocalProtocolError(f"a key or the counter is not of the length that {suite.label} wants")
        self.suite = suite
        self._ks_enc = ks_enc
        self._ks_mac = ks_mac
        self._cipher_key = CipherKey(suite, ks_enc)
        self._mac_key = MacKey(suite, ks_mac)
        self._ssc = int.from_bytes(ssc, "big")
        self._alive = True
        self._odd_instruction = False
        self._is_repeatable = False
        self.is_patient = False

    def __repr__(self) -> str:
        return f"SecureMessaging({self.suite.label}, {'alive' if self._alive else 'dead'})"

    @property
    def is_alive(self) -> bool:
        """Whether the session can still be used."""
        return self._alive

    def close(self) -> None:
        """End the session and drop its keys."""
        if self._alive:
            del self._cipher_key, self._mac_key
        self._alive = False
        self._ks_enc = self._ks_mac = b""

    # Terminal

    def protect_command(self, command: CommandAPDU) -> CommandAPDU:
        """Wrap a command (Doc 9303-11 9.8.4, figure 7).

        Raises:
            LocalProtocolError: the session is dead, or the class byte cannot carry secure messaging.
        """
        self._count()
        if command.cla & SM_BITS or command.cla & 0x60:  # 8C carries it as 0C does (TR-03110-3 B.14)
            raise LocalProtocolError(f"class {command.cla:02X} cannot be put under secure messaging")
        cla = command.cla | SM_BITS
        self._is_repeatable = not command.data
        objects = self._encrypt(command.data, command.ins) + _encode_le(command)
        header = bytes((cla, command.ins, command.p1, command.p2))
        mac = self._mac(self._with_header(header, objects))
        data = objects + b"\x8e\x08" + mac
        extended = command.is_extended or len(data) > MAX_SHORT_DATA
        le = MAX_EXTENDED_LE if extended else MAX_SHORT_LE
        return CommandAPDU(cla, command.ins, command.p1, command.p2, data, le, extended)

    def unprotect_response(self, response: ResponseAPDU) -> ResponseAPDU:
        """Check and unwrap a response (Doc 9303-11 9.8.4). An unprotected answer is a fault, whatever it says.

        Raises:
            AuthenticationError: the response is unprotected, malformed or altered; the session is dead.
            PeerProtocolError: its MAC is right, but what it protects is malformed; the session is dead.
            LocalProtocolError: the session was dead already.
        """
        if self.is_patient and self._is_repeatable and _may_refuse_length(response):
            self._ssc -= 1  # of the command that the chip did not count
            return response
        self._count()
        try:
            return self._open_response(response)
        except EidError:
            self.close()
            raise

    # Card

    def unprotect_command(self, command: CommandAPDU) -> CommandAPDU:
        """Check and unwrap a command.

        Raises:
            CommandRefused: 6987 where objects are missing, 6988 where they are wrong; the session is dead.
            LocalProtocolError: the session was dead already.
        """
        self._count()
        try:
            return self._open_command(command)
        except (DecodeError, AuthenticationError) as fault:
            self.close()
            raise CommandRefused(SW.SM_OBJECTS_INCORRECT, str(fault)) from fault
        except CommandRefused:
            self.close()
            raise

    def protect_response(self, response: ResponseAPDU) -> ResponseAPDU:
        """Wrap the response to the command that was unwrapped last, whatever its status word.

        Raises:
            LocalProtocolError: the session is dead.
        """
        self._count()
        status = response.sw.to_bytes(2, "big")
        objects = self._encrypt(response.data, self._odd_instruction) + b"\x99\x02" + status
        return ResponseAPDU(objects + b"\x8e\x08" + self._mac(objects), response.sw)

    # Lengths

    def max_response_data(self, field_length: int) -> int:
        """How many plain octets a response can carry whose protected data field is at most `field_length` octets long.

        223 (AES) or 231 (3DES) for the 256 octets of a short response.
        """
        available = field_length - _STATUS_OBJECT_LENGTH - _MAC_OBJECT_LENGTH - 1 - len(_PADDING_METHOD_2)
        block = self.suite.block_size
        best = 0
        for length_octets in (1, 2, 3):
            cryptogram = max(0, (available - length_octets) // block * block)
            if len(encode_length(cryptogram + 1)) <= length_octets:
                best = max(best, cryptogram)
        return max(0, best - 1)  # padding takes at least one octet

    # Shared

    def _count(self) -> None:
        if not self._alive:
            raise LocalProtocolError("the secure messaging session is dead")
        self._ssc += 1
        if self._ssc >> 8 * self.suite.block_size:
            self.close()
            raise LocalProtocolError("the send sequence counter is used up")

    def _iv(self) -> bytes:
        """Zero for 3DES, E(KS_enc, SSC) for AES (Doc 9303-11 9.8.6.1, 9.8.7.1)."""
        if self.suite is CipherSuite.TDES_112:
            return bytes(8)
        return self._cipher_key.encrypt_ecb(self._ssc.to_bytes(16, "big"))

    def _with_header(self, header: bytes, objects: bytes) -> bytes:
        """What a command's MAC covers. A header alone is padded once, by the MAC (ISO/IEC 7816-4 10.2.3.1)."""
        return pad(header, self.suite.block_size) + objects if objects else header

    def _mac(self, message: bytes) -> bytes:
        if self.suite is CipherSuite.TDES_112:
            return self._mac_key.compute(self._ssc.to_bytes(8, "big") + message)  # which pads by itself
        # Doc 9303-11 9.8.7.2 pads before CMAC; the counter is one whole block before the message
        return self._mac_key.compute(self._ssc.to_bytes(16, "big") + pad(message, 16))

    def _encrypt(self, data: bytes, ins: int) -> bytes:
        """DO 87, or DO 85 where INS is odd; nothing where there is no data."""
        if not data:
            return b""
        cryptogram = self._cipher_key.encrypt_cbc(self._iv(), pad(data, self.suite.block_size))
        if ins & 1:
            return b"\x85" + encode_length(len(cryptogram)) + cryptogram
        return b"\x87" + encode_length(len(cryptogram) + 1) + _PADDING_METHOD_2 + cryptogram

    def _decrypt(self, tag: int, value: bytes) -> bytes:
        if tag == DO_PADDED_CRYPTOGRAM:
            if value[:1] != _PADDING_METHOD_2:
                raise DecodeError("padding indicator is not 01", clause=_CLAUSE)
            value = value[1:]
        return unpad(self._cipher_key.decrypt_cbc(self._iv(), value), self.suite.block_size)

    def _open_response(self, response: ResponseAPDU) -> ResponseAPDU:
        try:
            objects, authenticated = _split_response(response.data)
            mac, status = objects[DO_MAC], objects[DO_STATUS]
        except (DecodeError, KeyError) as fault:
            if not response.data and response.sw != SW.OK and not _refuses_length(response):
                raise SessionLostError(response.sw) from fault
            how = "with data that are not protected, or malformed" if response.data else "without secure messaging"
            raise AuthenticationError(f"the card answered {response.sw:04X} {how}") from fault
        verify_mac(self._mac(authenticated), mac)
        if status != response.sw.to_bytes(2, "big"):  # the status word outside the objects is not authenticated
            raise AuthenticationError("the status word differs from the protected one")
        try:
            return ResponseAPDU(self._open_data(objects), response.sw)
        except DecodeError as fault:
            raise PeerProtocolError(f"a protected response is malformed: {fault}") from fault

    def _open_command(self, command: CommandAPDU) -> CommandAPDU:
        if command.cla & SM_BITS != SM_BITS:
            raise CommandRefused(SW.SM_OBJECTS_MISSING, "a plain command inside a session")
        objects, authenticated = _split(command.data, _COMMAND_OBJECTS)
        mac = objects.get(DO_MAC)
        if mac is None:
            raise CommandRefused(SW.SM_OBJECTS_MISSING, "no MAC")
        verify_mac(self._mac(self._with_header(command.header, authenticated)), mac)
        if (DO_PADDED_CRYPTOGRAM if command.ins & 1 else DO_CRYPTOGRAM) in objects:
            raise DecodeError("the cryptogram's tag does not fit INS", clause=_CLAUSE)
        self._odd_instruction = bool(command.ins & 1)
        le, extended = _decode_le(objects.get(DO_LE))
        data = self._open_data(objects)
        return CommandAPDU(command.cla & ~SM_BITS, command.ins, command.p1, command.p2, data, le, extended)

    def _open_data(self, objects: dict[int, bytes]) -> bytes:
        """Plain data of DO 87 or DO 85; empty where neither is there. Only after the MAC was verified."""
        if DO_PADDED_CRYPTOGRAM in objects:
            if DO_CRYPTOGRAM in objects:
                raise DecodeError("two cryptograms", clause=_CLAUSE)
            return self._decrypt(DO_PADDED_CRYPTOGRAM, objects[DO_PADDED_CRYPTOGRAM])
        if DO_CRYPTOGRAM in objects:
            return self._decrypt(DO_CRYPTOGRAM, objects[DO_CRYPTOGRAM])
        return b""


def _may_refuse_length(response: ResponseAPDU) -> bool:
    """6B00 may mean a length that goes beyond the end of the file, too, and elsewhere a session that is gone."""
    return _refuses_length(response) or (not response.data and response.sw == SW.WRONG_OFFSET)


def _refuses_length(response: ResponseAPDU) -> bool:
    return not response.data and (response.sw == SW.WRONG_LENGTH or response.sw >> 8 == SW.WRONG_LE >> 8)


def _split_response(data: bytes) -> tuple[dict[int, bytes], bytes]:
    """As `_split`; the usual answer, a cryptogram, the status word and the MAC, is cut by the places of the last two.

    Raises:
        DecodeError: as `_split`.
    """
    status = len(data) - _STATUS_OBJECT_LENGTH - _MAC_OBJECT_LENGTH
    mac = len(data) - _MAC_OBJECT_LENGTH
    if status > 0 and data[0] == DO_PADDED_CRYPTOGRAM and data[status:mac][:2] == b"\x99\x02":
        _, start, length = read_header(data)
        if start + length == status and data[mac : mac + 2] == b"\x8e\x08":
            usual = {
                DO_PADDED_CRYPTOGRAM: data[start:status],
                DO_STATUS: data[status + 2 : mac],
                DO_MAC: data[mac + 2 :],
            }
            return usual, data[:mac]
    return _split(data, _RESPONSE_OBJECTS)


def _split(data: bytes, known: frozenset[int]) -> tuple[dict[int, bytes], bytes]:
    """Data objects by tag, and the octets before DO 8E, which its MAC covers.

    Raises:
        DecodeError: an object is cut, unknown or there twice, or DO 8E is not the last one.
    """
    objects: dict[int, bytes] = {}
    offset = covered = 0
    end = len(data)
    while offset < end:
        covered = offset
        if DO_MAC in objects:
            raise DecodeError("data objects behind the MAC", offset=offset, clause=_CLAUSE)
        tag, start, length = read_header(data, offset)
        if tag not in known or tag in objects or start + length > end:
            raise DecodeError(f"data object {tag:X} is cut, unknown or repeated", offset=offset, clause=_CLAUSE)
        offset = start + length
        objects[tag] = data[start:offset]
    return objects, data[:covered]


def _encode_le(command: CommandAPDU) -> bytes:
    """DO 97: one octet, or two where the command's length fields are extended."""
    if command.le is None:
        return b""
    if command.extended or command.le > MAX_SHORT_LE:
        return b"\x97\x02" + (command.le & 0xFFFF).to_bytes(2, "big")
    return b"\x97\x01" + bytes((command.le & 0xFF,))


def _decode_le(value: bytes | None) -> tuple[int | None, bool]:
    """Le, and whether it was written as an extended one."""
    if value is None:
        return None, False
    if len(value) == 1:
        return value[0] or MAX_SHORT_LE, False
    if len(value) == 2:
        return int.from_bytes(value, "big") or MAX_EXTENDED_LE, True
    raise DecodeError("DO 97 has one or two octets", clause=_CLAUSE)
