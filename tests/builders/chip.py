"""A small chip for tests of the terminal's side: files, access by PACE or BAC, Chip and Active Authentication, quirks.

It joins the card halves of `eid.protocols` in about the shortest way; the product's card is `eid.card`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from eid.codec.apdu import CommandAPDU, ResponseAPDU, decode_command
from eid.codec.status_word import SW
from eid.codec.tlv import decode_tlv, encode_tlv
from eid.errors import CommandRefused, DecodeError
from eid.lds.files import EF_CARD_ACCESS, FILES, LDS1_AID, ElementaryFile
from eid.protocols.active_authentication.card import ActiveAuthenticationCard
from eid.protocols.bac.card import BacCard
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.pace.card import PaceCard
from eid.protocols.secure_messaging import SecureMessaging


@dataclass
class Chip:
    """`files` by name; everything but EF.CardAccess needs a session unless `open_access`."""

    files: dict[str, bytes]
    pace: PaceCard | None = None
    bac: BacCard | None = None
    chip_authentication: ChipAuthenticationCard | None = None
    active_authentication: ActiveAuthenticationCard | None = None
    open_access: bool = False
    max_le: int = 65536
    too_much: int | None = None  # status word instead of an answer to a greater Le; None: answer what fits
    end_of_file: int = SW.END_OF_FILE
    sfi_supported: bool = True
    refused: dict[str, int] = field(default_factory=dict)
    pace_refusal: int | None = None
    hook: Callable[[CommandAPDU], ResponseAPDU | None] | None = None
    commands: list[CommandAPDU] = field(default_factory=list)
    responses: list[ResponseAPDU] = field(default_factory=list)
    resets: int = 0

    def __post_init__(self) -> None:
        self._power_up()

    def _power_up(self) -> None:
        self.session: SecureMessaging | None = None
        self._next: SecureMessaging | None = None
        self._application = False
        self._current: str | None = None

    @property
    def atr(self) -> bytes:
        return bytes.fromhex("3B8080010101")

    def reset(self) -> bytes:
        self.resets += 1
        self._power_up()
        return self.atr

    def close(self) -> None:
        self._power_up()

    def transmit(self, raw: bytes) -> bytes:
        command = decode_command(raw)
        self.commands.append(command)
        response = self._answer(command)
        self.responses.append(response)
        return response.encode()

    def _answer(self, command: CommandAPDU) -> ResponseAPDU:
        if self.session is None:
            response = self._execute(command)
        else:
            try:
                plain = self.session.unprotect_command(command)
            except CommandRefused as refusal:
                self.session = None
                return ResponseAPDU(sw=refusal.sw)
            response = self.session.protect_response(self._execute(plain))
        if self._next is not None:
            self.session, self._next = self._next, None
        return response

    def _execute(self, command: CommandAPDU) -> ResponseAPDU:
        if self.hook is not None and (answer := self.hook(command)) is not None:
            return answer
        try:
            return self._dispatch(command)
        except CommandRefused as refusal:
            return ResponseAPDU(sw=refusal.sw)

    def _dispatch(self, command: CommandAPDU) -> ResponseAPDU:
        match command.ins, command.p1, command.p2:
            case 0xA4, 0x04, _:
                if command.data != LDS1_AID:
                    raise CommandRefused(SW.FILE_NOT_FOUND)
                self._application, self._current = True, None
                return ResponseAPDU()
            case 0xA4, 0x00, _:
                self._application = False
                return ResponseAPDU()
            case 0xA4, 0x02, 0x0C:
                self._current = self._find(lambda file: file.fid == int.from_bytes(command.data, "big"))
                return ResponseAPDU()
            case ((0xB0 | 0xB1), _, _):
                return self._read(command)
            case 0x84, _, _ if self.bac is not None:
                return self.bac.get_challenge(command)
            case 0x82, _, _ if self.bac is not None:
                response, self._next = self.bac.external_authenticate(command)
                return response
            case 0x22, 0xC1, 0xA4 if self.pace is not None:
                if self.pace_refusal is not None:
                    raise CommandRefused(self.pace_refusal)
                return self.pace.set_at(command)
            case 0x22, 0x41, 0xA4 if self.chip_authentication is not None:
                return self.chip_authentication.set_at(command)
            case 0x22, 0x41, 0xA6 if self.chip_authentication is not None:
                response, self._next, _ = self.chip_authentication.set_kat(command)
                return response
            case 0x86, _, _:
                return self._general_authenticate(command)
            case 0x88, _, _ if self.active_authentication is not None:
                return self.active_authentication.internal_authenticate(command)
        raise CommandRefused(SW.INSTRUCTION_NOT_SUPPORTED)

    def _general_authenticate(self, command: CommandAPDU) -> ResponseAPDU:
        if self.chip_authentication is not None and self.chip_authentication.awaits_key:
            response, self._next, _ = self.chip_authentication.general_authenticate(command)
            return response
        if self.pace is None:
            raise CommandRefused(SW.INSTRUCTION_NOT_SUPPORTED)
        response, result = self.pace.general_authenticate(command)
        if result is not None:
            self._next = result.secure_messaging
        return response

    def _find(self, match: Callable[[ElementaryFile], bool]) -> str:
        for name in self.files.keys() | self.refused.keys():
            file = next(f for f in FILES if f.name == name)
            if match(file) and file.in_master_file == (not self._application):
                if name in self.refused:
                    raise CommandRefused(self.refused[name])
                if not (self.open_access or self.session is not None or name == EF_CARD_ACCESS.name):
                    raise CommandRefused(SW.SECURITY_STATUS_NOT_SATISFIED)
                return name
        raise CommandRefused(SW.FILE_NOT_FOUND)

    def _read(self, command: CommandAPDU) -> ResponseAPDU:
        offset = command.p1 << 8 | command.p2
        if command.ins == 0xB1:
            try:
                offset = int.from_bytes(decode_tlv(command.data, 0x54).value, "big")
            except DecodeError as fault:
                raise CommandRefused(SW.WRONG_DATA) from fault
        elif command.p1 & 0x80:
            if not self.sfi_supported:
                raise CommandRefused(SW.WRONG_P1P2)
            self._current = self._find(lambda file: file.sfi == command.p1 & 0x1F)
            offset = command.p2
        if self._current is None:
            raise CommandRefused(SW.COMMAND_NOT_ALLOWED)
        content = self.files[self._current]
        le = command.le or 0
        if le > self.max_le:
            if self.too_much is not None:
                raise CommandRefused(self.too_much)
            le = self.max_le
        if offset > len(content):
            raise CommandRefused(SW.WRONG_OFFSET)
        data = content[offset : offset + le]
        sw = SW.OK if len(data) == le or command.ins == 0xB1 or self.too_much is None else self.end_of_file
        if command.ins == 0xB1:
            inner = data
            while len(encode_tlv(0x53, inner)) > le:
                inner = inner[:-1]
            data = encode_tlv(0x53, inner)
        return ResponseAPDU(data, sw)
