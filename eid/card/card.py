"""The virtual card: octets in, octets out. Class bytes, chaining, secure channels and GET RESPONSE are handled here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Self

from eid.card import boot, state
from eid.card.atr import build_atr, build_ats
from eid.card.authentication import awaits_one_step
from eid.card.dispatch import INS_GENERAL_AUTHENTICATE, INS_GET_RESPONSE, SCP03_AUTHENTICATE, command_name, execute
from eid.card.memory import LifeCycle, Memory
from eid.card.quirks import alter_by_quirk, answer_by_quirk, ends_session, refuse_unprotected, spoil_by_quirk
from eid.card.session import Card, new_session
from eid.card.trace import describe_objects
from eid.codec.apdu import (
    CHAINING_BIT,
    MAX_EXTENDED_LE,
    MAX_SHORT_LE,
    SM_BITS,
    CommandAPDU,
    ResponseAPDU,
    decode_command,
)
from eid.codec.status_word import SW
from eid.errors import CommandRefused, DecodeError, LocalProtocolError
from eid.profile.card_image import CardImage, ChipImage
from eid.protocols.scp03.key_set import StaticKeySet

SM_GLOBALPLATFORM: Final = 0x04
SM_ISO: Final = 0x0C
CHAIN_BUFFER: Final = 4096  # octets that a chain of commands may carry in all, whatever one command may: an RSA key
_CHANNEL_BITS: Final = 0x03


@dataclass(frozen=True, slots=True)
class CardEvent:
    """One command that the card has answered, for traces: no data, so no secrets.

    Args:
        name: the command's name. protection: "", "iso" or "scp03". data_length, response_length: octets, unprotected.
        detail: files, protocols and data objects in words, without secrets.
    """

    name: str
    cla: int
    ins: int
    p1: int
    p2: int
    protection: str
    data_length: int
    response_length: int
    sw: int
    detail: str = ""


class VirtualCard:
    """A card. Make one with `blank`, `from_image` or `from_state`.

    Args:
        memory: its persistent state. random: source of its randomness. observe: called after every command.
    """

    def __init__(
        self,
        memory: Memory,
        random: Callable[[int], bytes] = os.urandom,
        observe: Callable[[CardEvent], None] | None = None,
    ) -> None:
        self._card = Card(memory, new_session(memory, random), random)
        self._observe = observe
        self._event: CardEvent | None = None
        self._historical_bytes = self._draw_historical_bytes()
        self._chain: tuple[bytes, bytearray] | None = None
        self._pending = b""

    @classmethod
    def blank(
        cls,
        chip: ChipImage,
        *,
        serial: bytes,
        random: Callable[[int], bytes] = os.urandom,
        observe: Callable[[CardEvent], None] | None = None,
    ) -> Self:
        """A card as it comes from its factory: no files, public default keys 40..4F.

        Args:
            serial: 10 octets, unique; the key diversification data.
        """
        return cls(boot.blank_memory(chip, serial), random, observe)

    @classmethod
    def from_image(
        cls,
        image: CardImage,
        *,
        serial: bytes,
        keys: StaticKeySet,
        sequence: int = 0,
        random: Callable[[int], bytes] = os.urandom,
        observe: Callable[[CardEvent], None] | None = None,
    ) -> Self:
        """An operational card that holds the image; keys that the image orders are generated.

        Args:
            serial: 10 octets. keys: the issuer's SCP03 key set. sequence: last SCP03 sequence counter used.
        """
        return cls(boot.image_memory(image, serial, keys, sequence, random), random, observe)

    @classmethod
    def from_state(
        cls,
        raw: bytes,
        *,
        random: Callable[[int], bytes] = os.urandom,
        observe: Callable[[CardEvent], None] | None = None,
    ) -> Self:
        """The card that `state` has written.

        Raises:
            DecodeError: the bytes are torn, altered or of another version.
        """
        return cls(state.decode_state(raw), random, observe)

    def state(self) -> bytes:
        """Everything that must survive a power cut; holds secrets (docs/formats/card-state.md)."""
        return state.encode_state(self._card.memory)

    @property
    def changes(self) -> int:
        """Counts changes of the persistent state: store `state()` before the response leaves when it has moved."""
        return self._card.changes

    @property
    def life_cycle(self) -> LifeCycle:
        """Where the card is in its life."""
        return self._card.memory.life_cycle

    @property
    def atr(self) -> bytes:
        """Answer to reset, or the one that PC/SC makes up for a contactless card."""
        return build_atr(replace(self._card.memory.chip, historical_bytes=self._historical_bytes))

    @property
    def ats(self) -> bytes:
        """Answer to select of a contactless card."""
        return build_ats(self._card.memory.chip)

    def reset(self) -> bytes:
        """Forget the session; return the ATR."""
        self.power_off()
        self._historical_bytes = self._draw_historical_bytes()
        return self.atr

    def power_off(self) -> None:
        """Forget the session."""
        card = self._card
        card.session.end_channel()
        card.session = new_session(card.memory, card.random)
        self._chain = None
        self._pending = b""

    def process(self, raw: bytes) -> bytes:
        """Answer one command APDU with a response APDU; never raises, whatever comes."""
        try:
            command = decode_command(bytes(raw))
        except DecodeError:
            invalid_class = raw[:1] == b"\xff" and len(raw) >= 4
            return (SW.CLASS_NOT_SUPPORTED if invalid_class else SW.WRONG_LENGTH).to_bytes(2, "big")
        if command.ins == INS_GET_RESPONSE and not command.cla & ~0x80 and self._pending:
            return self._next_part(command)
        self._pending = b""
        response = self._answer(command)
        if self._observe is not None:
            self._tell(self._observe, command, response)
        if len(response.data) > self._limit(command):
            self._pending = response.encode()
            return self._next_part(command)
        return response.encode()

    def _next_part(self, command: CommandAPDU) -> bytes:
        """The next octets of a response that was longer than Le (ISO/IEC 7816-4 5.3.4)."""
        limit = self._limit(command)
        data, status = self._pending[:-2], self._pending[-2:]
        part, rest = data[:limit], data[limit:]
        if not rest:
            self._pending = b""
            return part + status
        self._pending = rest + status
        return part + bytes((SW.BYTES_REMAINING >> 8, min(len(rest), 0xFF)))

    def _draw_historical_bytes(self) -> bytes:
        chip = self._card.memory.chip
        stated = chip.historical_bytes
        return self._card.random(len(stated)) if chip.quirks.random_historical_bytes else stated

    def _limit(self, command: CommandAPDU) -> int:
        """Octets that go out at once."""
        wanted = command.le or (MAX_EXTENDED_LE if command.is_extended else MAX_SHORT_LE)
        return min(wanted, self._card.memory.chip.quirks.response_piece or wanted)

    def _tell(self, observe: Callable[[CardEvent], None], command: CommandAPDU, response: ResponseAPDU) -> None:
        """Report the command as it was carried out, or, where it never came to that, as it stood on the wire."""
        event, self._event = self._event, None
        observe(event if event is not None else _event(command, "", response))

    # --- class byte and secure channel

    def _answer(self, command: CommandAPDU) -> ResponseAPDU:
        refusal = self._refuse_form(command)
        if refusal is not None:
            return ResponseAPDU(b"", refusal)
        session = self._card.session
        protection = command.cla & SM_BITS
        if protection == SM_GLOBALPLATFORM and session.scp03 is not None:
            return self._answer_scp03(command)
        if protection == SM_ISO and session.secure_messaging is not None:
            unprotected = refuse_unprotected(self._card.memory.chip.quirks, command)
            if unprotected is not None:
                return ResponseAPDU(b"", unprotected)
            return self._answer_iso(command)
        if session.is_protected:
            session.end_channel()
            self._chain = None
        if (command.cla, command.ins) == SCP03_AUTHENTICATE:  # its C-MAC belongs to the handshake
            return self._run(command, command, "")
        if protection:
            return ResponseAPDU(b"", SW.SECURITY_STATUS_NOT_SATISFIED)
        whole = self._assemble(command)
        return whole if isinstance(whole, ResponseAPDU) else self._run(whole, command, "")

    def _refuse_form(self, command: CommandAPDU) -> SW | None:
        """Class bytes and lengths that this card never takes (ISO/IEC 7816-4 5.4.1)."""
        cla = command.cla
        if cla & 0x60:
            # 01xx xxxx and 11xx xxxx are channels 4 to 19; 001x xxxx and 101x xxxx are nobody's.
            return SW.LOGICAL_CHANNEL_NOT_SUPPORTED if cla & 0x40 else SW.CLASS_NOT_SUPPORTED
        if cla & _CHANNEL_BITS:
            return SW.LOGICAL_CHANNEL_NOT_SUPPORTED
        if cla & SM_BITS == 0x08:
            return SW.SECURE_MESSAGING_NOT_SUPPORTED
        chip = self._card.memory.chip
        if command.is_extended and (not chip.extended_length or len(command.data) > chip.max_command_data):
            return SW.WRONG_LENGTH
        return None

    def _answer_scp03(self, command: CommandAPDU) -> ResponseAPDU:
        """Assemble, check the C-MAC, carry out, add the R-MAC. Chaining lies below SCP03."""
        whole = self._assemble(command)
        if isinstance(whole, ResponseAPDU):
            return whole
        session = self._card.session
        channel = session.scp03
        if channel is None:
            return ResponseAPDU(b"", SW.SECURITY_STATUS_NOT_SATISFIED)
        try:
            plain = channel.unprotect_command(whole)
        except CommandRefused as refusal:
            session.end_channel()
            return ResponseAPDU(b"", refusal.sw)
        response = self._run(plain, command, "scp03")
        return channel.protect_response(response) if channel.is_open else response

    def _answer_iso(self, command: CommandAPDU) -> ResponseAPDU:
        """Check and unwrap each link, assemble, carry out, wrap. Chaining lies above secure messaging."""
        session = self._card.session
        secure_messaging = session.secure_messaging
        if secure_messaging is None:
            return ResponseAPDU(b"", SW.SECURITY_STATUS_NOT_SATISFIED)
        try:
            plain = secure_messaging.unprotect_command(command)
        except (CommandRefused, LocalProtocolError) as refusal:
            session.end_channel()
            self._chain = None
            return ResponseAPDU(b"", refusal.sw if isinstance(refusal, CommandRefused) else SW.SM_OBJECTS_INCORRECT)
        whole = self._assemble(plain)
        response = whole if isinstance(whole, ResponseAPDU) else self._carry_out(whole, command, "iso")
        if ends_session(self._card.memory.chip.quirks, plain, response):
            session.end_channel()
            return ResponseAPDU(b"", response.sw)
        try:
            protected = secure_messaging.protect_response(response)
        except LocalProtocolError:  # the send sequence counter is used up
            session.end_channel()
            return ResponseAPDU(b"", SW.SM_OBJECTS_INCORRECT)
        self._begin_session()
        return spoil_by_quirk(self._card, plain, response, protected)

    def _run(self, command: CommandAPDU, outer: CommandAPDU, protection: str) -> ResponseAPDU:
        response = self._carry_out(command, outer, protection)
        self._begin_session()
        return response

    def _carry_out(self, command: CommandAPDU, outer: CommandAPDU, protection: str) -> ResponseAPDU:
        response = answer_by_quirk(self._card, command)
        if response is None:
            response = execute(self._card, command, self._card.largest_response(outer))
            response = alter_by_quirk(self._card, command, response)
        if self._observe is not None:
            self._event = _event(command, protection, response, self._describe(command, response))
        return response

    def _describe(self, command: CommandAPDU, response: ResponseAPDU) -> str:
        selection, master = self._card.session.selection, self._card.memory.master
        fid = None if selection.file is None else selection.file.fid
        return describe_objects(command, response.data, current_fid=fid, in_master_file=selection.directory is master)

    def _begin_session(self) -> None:
        """Secure messaging that a protocol has opened holds from the next command on."""
        session = self._card.session
        opened = session.next_secure_messaging
        if opened is None:
            return
        if session.scp03 is not None:
            session.scp03.close()
            session.scp03 = session.scp03_keys = None
        if session.secure_messaging is not None:
            session.secure_messaging.close()
        session.secure_messaging, session.next_secure_messaging = opened, None

    # --- chaining

    def _assemble(self, command: CommandAPDU) -> CommandAPDU | ResponseAPDU:
        """The whole command, once its last link is there (ISO/IEC 7816-4 5.3.3); until then the answer to the link."""
        if command.ins == INS_GENERAL_AUTHENTICATE and self._chain is None and not awaits_one_step(self._card):
            return command  # Doc 9303-11 4.4.4.2: the links are steps of the protocol
        if self._chain is None and not command.is_chained:
            return command
        header = bytes((command.cla & ~CHAINING_BIT, command.ins, command.p1, command.p2))
        key, data = self._chain or (header, bytearray())
        self._chain = None
        if key != header:
            return ResponseAPDU(b"", SW.LAST_COMMAND_OF_CHAIN_EXPECTED)
        if len(data) + len(command.data) > max(self._card.memory.chip.max_command_data, CHAIN_BUFFER):
            return ResponseAPDU(b"", SW.WRONG_LENGTH)
        data += command.data
        if command.is_chained:
            self._chain = key, data
            return ResponseAPDU()
        return replace(command, data=bytes(data))


def _event(command: CommandAPDU, protection: str, response: ResponseAPDU, detail: str = "") -> CardEvent:
    return CardEvent(
        command_name(command),
        command.cla,
        command.ins,
        command.p1,
        command.p2,
        protection,
        len(command.data),
        len(response.data),
        response.sw,
        detail,
    )
