"""The open SCP03 channel: one class for both ends (GPC Card Specification Amendment D v1.1.1, 6.2.4 to 6.2.7).

The terminal uses `protect_command` and `unprotect_response`, the card `unprotect_command` and `protect_response`. After
any failure the channel is dead and its keys are gone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from eid.codec.apdu import MAX_EXTENDED_DATA, CommandAPDU, ResponseAPDU
from eid.codec.status_word import SW
from eid.crypto.block_cipher import decrypt_cbc, encrypt_cbc, encrypt_ecb
from eid.crypto.mac import cmac, verify_mac
from eid.crypto.padding import pad, unpad
from eid.errors import AuthenticationError, CommandRefused, DecodeError, LocalProtocolError
from eid.protocols.scp03.core import INITIAL_CHAINING_VALUE, MAC_LENGTH, SecurityLevel, SessionKeys
from eid.protocols.scp03.key_set import BLOCK, aes_suite

if TYPE_CHECKING:
    from eid.crypto.cipher_suite import CipherSuite

SECURE_MESSAGING_BIT: Final = 0x04
CHANNEL_BITS: Final = 0x03
RESPONSE_ICV_BIT: Final = 0x80


class Scp03Channel:
    """One SCP03 session at one security level.

    Args:
        keys: session keys. level: the security level agreed on.
        chaining_value: 16 octets, zero before EXTERNAL AUTHENTICATE, which is itself the first chained command.
    """

    __slots__ = ("_chaining_value", "_counter", "_keys", "_suite", "level")

    def __init__(self, keys: SessionKeys, level: SecurityLevel, chaining_value: bytes = INITIAL_CHAINING_VALUE) -> None:
        self.level = level
        self._keys: SessionKeys | None = keys
        self._suite: CipherSuite = aes_suite(len(keys.s_enc))
        self._chaining_value = chaining_value
        # Amendment D 6.2.6: 1 for the first command after EXTERNAL AUTHENTICATE; it is set on, not after, each command.
        self._counter = 0

    def __repr__(self) -> str:
        return f"Scp03Channel(level={self.level:#04x}, open={self.is_open})"

    @property
    def is_open(self) -> bool:
        """Whether the channel still has its keys."""
        return self._keys is not None

    def close(self) -> None:
        """Forget the keys; every later use is refused."""
        self._keys = None

    # --- command, terminal's side

    def protect_authentication(self, command: CommandAPDU) -> CommandAPDU:
        """Append the C-MAC to EXTERNAL AUTHENTICATE: no encryption, no counter (Amendment D 6.2.3)."""
        return self._append_mac(self._session_keys(), command)

    def protect_command(self, command: CommandAPDU) -> CommandAPDU:
        """Encrypt the data field where the level says so, append the C-MAC (Amendment D 6.2.4, 6.2.6).

        Raises:
            LocalProtocolError: the channel is dead, or the command is protected or too long already.
        """
        keys = self._session_keys()
        if command.cla & (SECURE_MESSAGING_BIT | 0x08):
            raise LocalProtocolError("the command is already protected")
        self._counter += 1
        data = command.data
        if self.level.c_decryption and data:  # an empty data field stays empty, yet the counter has moved
            data = encrypt_cbc(self._suite, keys.s_enc, self._icv(keys, response=False), pad(data, BLOCK))
        return self._append_mac(keys, replace(command, data=data))

    def _append_mac(self, keys: SessionKeys, command: CommandAPDU) -> CommandAPDU:
        if len(command.data) + MAC_LENGTH > MAX_EXTENDED_DATA:
            raise LocalProtocolError("the command is too long to carry a C-MAC")
        cla = command.cla | SECURE_MESSAGING_BIT
        protected = replace(command, cla=cla, data=command.data + bytes(MAC_LENGTH))
        mac = self._chain(keys, protected)
        return replace(protected, data=command.data + mac)

    # --- command, card's side

    def verify_authentication(self, command: CommandAPDU) -> CommandAPDU:
        """Check and cut the C-MAC of EXTERNAL AUTHENTICATE (Amendment D 6.2.3).

        Raises:
            CommandRefused: 6982, the C-MAC is wrong.
        """
        return self._strip_mac(self._session_keys(), command)

    def unprotect_command(self, command: CommandAPDU) -> CommandAPDU:
        """Check the C-MAC, then decrypt (Amendment D 6.2.5, 6.2.6).

        Raises:
            CommandRefused: 6982 without or with a wrong C-MAC, 6A80 with wrong padding; the channel is dead.
        """
        keys = self._session_keys()
        plain = self._strip_mac(keys, command)
        self._counter += 1
        if not self.level.c_decryption or not plain.data:
            return plain
        try:
            padded = decrypt_cbc(self._suite, keys.s_enc, self._icv(keys, response=False), plain.data)
            return replace(plain, data=unpad(padded, BLOCK))
        except DecodeError as error:
            self.close()
            raise CommandRefused(SW.WRONG_DATA, "SCP03 command data is not padded as agreed") from error

    def _strip_mac(self, keys: SessionKeys, command: CommandAPDU) -> CommandAPDU:
        if not command.cla & SECURE_MESSAGING_BIT or len(command.data) < MAC_LENGTH:
            self.close()
            raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "SCP03 command without a C-MAC")
        given = command.data[-MAC_LENGTH:]
        try:
            verify_mac(self._chain(keys, command), given)
        except AuthenticationError as error:
            self.close()
            raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED, "SCP03 command with a wrong C-MAC") from error
        return replace(command, cla=command.cla & ~SECURE_MESSAGING_BIT, data=command.data[:-MAC_LENGTH])

    # --- response, card's side

    def protect_response(self, response: ResponseAPDU) -> ResponseAPDU:
        """Encrypt the data field and append the R-MAC where the level says so; an error status word stays bare.

        Amendment D 6.2.7: no R-MAC and no data on an error.
        """
        keys = self._session_keys()
        if not carries_protection(response.sw):
            return ResponseAPDU(b"", response.sw)
        data = response.data
        if self.level.r_encryption and data:
            data = encrypt_cbc(self._suite, keys.s_enc, self._icv(keys, response=True), pad(data, BLOCK))
        if self.level.r_mac:
            data += self._response_mac(keys, data, response.sw)
        return ResponseAPDU(data, response.sw)

    # --- response, terminal's side

    def unprotect_response(self, response: ResponseAPDU) -> ResponseAPDU:
        """Check the R-MAC, then decrypt (Amendment D 6.2.7).

        Raises:
            AuthenticationError: the R-MAC is wrong or missing, an error carries data, or the padding is wrong; the
                channel is dead.
        """
        keys = self._session_keys()
        if not self.level.r_mac:
            return response
        try:
            return self._unprotect_response(keys, response)
        except AuthenticationError:
            self.close()
            raise

    def _unprotect_response(self, keys: SessionKeys, response: ResponseAPDU) -> ResponseAPDU:
        if not carries_protection(response.sw):
            if response.data:
                raise AuthenticationError("an error status word came with data that nothing protects")
            return response
        if len(response.data) < MAC_LENGTH:
            raise AuthenticationError("the response has no R-MAC")
        data, given = response.data[:-MAC_LENGTH], response.data[-MAC_LENGTH:]
        verify_mac(self._response_mac(keys, data, response.sw), given)
        if not self.level.r_encryption or not data:
            return ResponseAPDU(data, response.sw)
        try:
            padded = decrypt_cbc(self._suite, keys.s_enc, self._icv(keys, response=True), data)
            return ResponseAPDU(unpad(padded, BLOCK), response.sw)
        except DecodeError as error:
            raise AuthenticationError("the response data is not padded as agreed") from error

    # --- both

    def _session_keys(self) -> SessionKeys:
        if self._keys is None:
            raise LocalProtocolError("the SCP03 channel is closed")
        return self._keys

    def _chain(self, keys: SessionKeys, command: CommandAPDU) -> bytes:
        """Move the chaining value over a command whose data field ends in 8 octets for the MAC; return the C-MAC."""
        # Amendment D 6.2.4: the class byte as on logical channel 0; Lc as sent, the MAC included.
        header = bytes((command.cla & ~CHANNEL_BITS, command.ins, command.p1, command.p2))
        message = header + _encode_lc(command) + command.data[:-MAC_LENGTH]
        self._chaining_value = cmac(keys.s_mac, self._chaining_value + message)
        return self._chaining_value[:MAC_LENGTH]

    def _response_mac(self, keys: SessionKeys, data: bytes, sw: int) -> bytes:
        return cmac(keys.s_rmac, self._chaining_value + data + sw.to_bytes(2, "big"))[:MAC_LENGTH]

    def _icv(self, keys: SessionKeys, *, response: bool) -> bytes:
        counter = self._counter.to_bytes(BLOCK, "big")
        block = bytes((counter[0] | RESPONSE_ICV_BIT,)) + counter[1:] if response else counter
        return encrypt_ecb(self._suite, keys.s_enc, block)


def carries_protection(sw: int) -> bool:
    """Whether a response with this status word has an R-MAC: 9000 and the warnings 62xx, 63xx (Amendment D 6.2.7)."""
    return sw == SW.OK or sw >> 8 in (0x62, 0x63)


def _encode_lc(command: CommandAPDU) -> bytes:
    length = len(command.data)
    if command.is_extended:
        return b"\x00" + length.to_bytes(2, "big")
    return bytes((length,))


def response_overhead(level: SecurityLevel) -> int:
    """The most octets by which the level lengthens a response's data field."""
    return (BLOCK if level.r_encryption else 0) + (MAC_LENGTH if level.r_mac else 0)


def largest_command_data(level: SecurityLevel, limit: int) -> int:
    """The most octets of command data that fit `limit` octets once protected."""
    room = limit - MAC_LENGTH
    return room // BLOCK * BLOCK - 1 if level.c_decryption else room
