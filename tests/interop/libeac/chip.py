"""A chip whose PACE and secure messaging are libeac's: keys, curves, nonces, tokens, ciphers and MACs.

What is ours is the least that makes a card of them: which file is which, what is closed, and the octets of APDUs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command
from eid.codec.oid import decode_oid_content
from eid.codec.tlv import decode_tlv, decode_tlvs, encode_tlv, find_tlv
from eid.crypto.padding import pad, unpad
from eid.errors import CommandRefused, DecodeError
from eid.lds.files import FILES, LDS1_AID, ElementaryFile
from tests.interop.libeac.openpace import LibeacError, Library, Pace

BLOCK = 16  # octets, AES
ATR = bytes.fromhex("3B80800101")


@dataclass
class Session:
    """What is agreed with the terminal."""

    pace: Pace
    checks_mac: bool = True
    counter: int = 0

    def open(self, command: CommandAPDU) -> CommandAPDU:
        """Check and unwrap a command.

        Raises:
            CommandRefused: 6987, 6988.
        """
        self.counter += 1
        objects = decode_tlvs(command.data)
        mac = find_tlv(objects, 0x8E)
        if command.cla != 0x0C or mac is None:
            raise CommandRefused(0x6987)
        covered = b"".join(item.encode() for item in objects if item.tag != 0x8E)
        message = pad(command.header, BLOCK) + covered if covered else command.header
        due = self.pace.authenticate(self.counter, pad(message, BLOCK))
        if self.checks_mac and mac.value != due:
            raise CommandRefused(0x6988)
        return self._plain(command, {item.tag: item.value for item in objects})

    def _plain(self, command: CommandAPDU, objects: Mapping[int, bytes]) -> CommandAPDU:
        data = b""
        if 0x87 in objects or 0x85 in objects:
            cryptogram = objects[0x87][1:] if 0x87 in objects else objects[0x85]
            data = unpad(self.pace.decrypt(self.counter, cryptogram), BLOCK)
        le = int.from_bytes(objects[0x97], "big") or 256 if 0x97 in objects else None
        return CommandAPDU(0x00, command.ins, command.p1, command.p2, data, le)

    def close(self, response: ResponseAPDU) -> ResponseAPDU:
        """Wrap a response."""
        self.counter += 1
        objects = b""
        if response.data:
            objects = encode_tlv(0x87, b"\x01" + self.pace.encrypt(self.counter, pad(response.data, BLOCK)))
        objects += encode_tlv(0x99, response.sw.to_bytes(2, "big"))
        mac = self.pace.authenticate(self.counter, pad(objects, BLOCK))
        return ResponseAPDU(objects + encode_tlv(0x8E, mac), response.sw)


@dataclass
class LibeacChip:
    """The card, as a connection.

    Args:
        files: contents by name. passwords: as libeac takes them, by their identifiers.
        protocol, parameter_id: the one PACEInfo.
    """

    library: Library
    files: Mapping[str, bytes]
    protocol: str
    parameter_id: int
    passwords: Mapping[int, bytes]
    checks_mac: bool = True
    commands: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.reset()

    @property
    def atr(self) -> bytes:
        return ATR

    def reset(self) -> bytes:
        self._session: Session | None = None
        self._run: Pace | None = None
        self._step = 0
        self._peer = b""
        self._in_application = False
        self._file: str | None = None
        return ATR

    def close(self) -> None:
        self.reset()

    def transmit(self, raw: bytes) -> bytes:
        self.commands += 1
        try:
            command = decode_command(raw)
        except DecodeError:
            return b"\x67\x00"
        if self._session is not None and command.cla & 0x0C:
            return self._protected(self._session, command).encode()
        if self._session is not None:
            self._session, self._file = None, None
        opened = self._session
        response = self._answer(command)
        if opened is None and self._session is not None:
            self._session.counter = 0
        return response.encode()

    def _protected(self, session: Session, command: CommandAPDU) -> ResponseAPDU:
        try:
            plain = session.open(command)
        except (CommandRefused, DecodeError, LibeacError) as refusal:
            self._session = None
            return ResponseAPDU(b"", refusal.sw if isinstance(refusal, CommandRefused) else 0x6988)
        return session.close(self._answer(plain))

    def _answer(self, command: CommandAPDU) -> ResponseAPDU:
        try:
            return ResponseAPDU(self._execute(command))
        except CommandRefused as refusal:
            return ResponseAPDU(b"", refusal.sw)
        except DecodeError:
            return ResponseAPDU(b"", 0x6A80)
        except LibeacError:  # what libeac does not take ends the run
            step, self._run = self._step, None
            return ResponseAPDU(b"", 0x6300 if step == 4 else 0x6A80)

    def _execute(self, command: CommandAPDU) -> bytes:
        if command.cla not in (0x00, 0x10):
            raise CommandRefused(0x6E00)
        match command.ins, command.p1, command.p2:
            case 0xA4, p1, _:
                return self._select(p1, command.data)
            case 0xB0, _, _:
                return self._read(command)
            case 0x22, 0xC1, 0xA4:
                return self._set_at(command.data)
            case 0x86, _, _:
                return self._general_authenticate(command)
            case 0x22 | 0x82 | 0x84 | 0x88, _, _:
                raise CommandRefused(0x6982)
        raise CommandRefused(0x6D00)

    # --- files

    def _select(self, p1: int, data: bytes) -> bytes:
        if p1 == 0x04:
            if data != LDS1_AID:
                raise CommandRefused(0x6A82)
            self._in_application, self._file = True, None
        elif p1 == 0x02:
            self._file = self._open(lambda file: file.fid == int.from_bytes(data, "big"))
        else:
            raise CommandRefused(0x6A86)
        return b""

    def _open(self, is_meant) -> str:  # type: ignore[no-untyped-def]  # as the library's callback has it
        if self._in_application and self._session is None:
            raise CommandRefused(0x6982)
        for file in FILES:
            if file.in_master_file != self._in_application and is_meant(file) and file.name in self.files:
                return file.name
        raise CommandRefused(0x6A82)

    def _read(self, command: CommandAPDU) -> bytes:
        offset = command.p1 << 8 | command.p2
        if command.p1 & 0x80:

            def is_meant(file: ElementaryFile) -> bool:
                return file.sfi == command.p1 & 0x1F

            self._file, offset = self._open(is_meant), command.p2
        if self._file is None or (self._in_application and self._session is None):
            raise CommandRefused(0x6986)
        content = self.files[self._file]
        if offset >= len(content):
            raise CommandRefused(0x6B00)
        return content[offset : offset + min(command.le or 256, 223 if self._session else 256)]

    # --- PACE: libeac's

    def _set_at(self, data: bytes) -> bytes:
        objects = {item.tag: item.value for item in decode_tlvs(data)}
        self._run = None
        password = self.passwords.get(objects[0x83][0]) if 0x83 in objects else None
        if decode_oid_content(objects.get(0x80, b"")) != self.protocol:
            raise CommandRefused(0x6A80)
        if password is None or objects.get(0x84, bytes((self.parameter_id,))) != bytes((self.parameter_id,)):
            raise CommandRefused(0x6A88)
        self._run = Pace(self.library, self.protocol, self.parameter_id, password, objects[0x83][0])
        self._step = 0
        return b""

    def _general_authenticate(self, command: CommandAPDU) -> bytes:
        run = self._run
        if run is None:
            raise CommandRefused(0x6985)
        self._step += 1
        content = decode_tlv(command.data, 0x7C).value
        try:
            value = decode_tlv(content, 0x7F + 2 * (self._step - 1)).value if self._step > 1 else b""
        except DecodeError:
            self._run = None
            raise
        return encode_tlv(0x7C, encode_tlv(0x7E + 2 * self._step, self._advance(run, value)))

    def _advance(self, run: Pace, value: bytes) -> bytes:
        match self._step:
            case 1:
                return run.encrypt_nonce()
            case 2:
                own = run.mapping_key()
                run.map_generator(value)
                return own
            case 3:
                own, self._peer = run.ephemeral_key(), value
                run.agree(value)
                return own
        self._run = None
        if not run.accepts(value):
            raise CommandRefused(0x6300)
        self._session = Session(run, self.checks_mac)
        return run.token(self._peer)
