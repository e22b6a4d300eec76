"""yubikit's SCP03 host (yubikey-manager) against our blank card: it opens a channel and sends a command with data.

yubikit pads and encrypts an empty data field, which Amendment D does not; our card takes both.
"""

from __future__ import annotations

import pytest

from eid.card import VirtualCard
from eid.codec.apdu import CommandAPDU
from eid.profile.card_image import ChipImage, Interface, SecurityDomainImage
from eid.protocols.exchange import drive, through
from eid.protocols.globalplatform.messages import CardState
from eid.protocols.globalplatform.terminal import build_key_blocks, put_key_set, set_status
from eid.protocols.scp03.key_set import StaticKeySet, default_key_set, derive_key_check_value
from eid.protocols.scp03.terminal import open_scp03
from tests.builders.machine import require_module
from tests.interop.conftest import Control

smartcard = require_module("yubikit.core.smartcard")
scp = require_module("yubikit.core.smartcard.scp")
core = require_module("yubikit.core")

ISD = bytes.fromhex("A000000151000000")
ROW = ("yubikit", "our blank card in-process, AES-128")
CHIP = ChipImage(Interface.CONTACT, b"EID-CARD", SecurityDomainImage(ISD))


class InProcessConnection(smartcard.SmartCardConnection):  # type: ignore[misc, name-defined]  # no type information
    """yubikit's connection, straight into our card."""

    def __init__(self, card: VirtualCard) -> None:
        self.card = card

    @property
    def transport(self) -> object:
        return core.TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        answer = self.card.process(apdu)
        return answer[:-2], int.from_bytes(answer[-2:], "big")

    def close(self) -> None:
        self.card.power_off()


@pytest.fixture
def card() -> VirtualCard:
    return VirtualCard.blank(CHIP, serial=b"SPECIMEN01")


def host(card: VirtualCard, keys: bytes = default_key_set().enc, key_version: int = 0xFF) -> object:
    protocol = smartcard.SmartCardProtocol(InProcessConnection(card))
    protocol.select(ISD)
    static = scp.StaticKeys(keys, keys, keys)
    protocol.init_scp(scp.Scp03KeyParams(scp.KeyRef(scp.ScpKid.SCP03, key_version), static))
    return protocol


@pytest.mark.proves(*ROW, "SCP03: a channel, a command with data")
@pytest.mark.parametrize("key_version", [0x00, 0xFF])
def test_channel_and_command_with_data(card: VirtualCard, key_version: int) -> None:
    protocol = host(card, key_version=key_version)
    answer = protocol.send_apdu(0x80, 0xF2, 0x80, 0x02, b"\x4f\x00")  # type: ignore[attr-defined]  # yubikit has no types
    assert answer.hex() == "e3134f08" + ISD.hex() + "9f700101c5039e0000"


@pytest.mark.proves(*ROW, "SCP03: PUT KEY, then the new keys")
def test_put_key_and_open_with_the_new_keys(card: VirtualCard) -> None:
    """The blocks are ours, the channel that carries them is yubikit's; more than 255 octets go as a chain."""
    new = StaticKeySet(0x01, b"N" * 16, b"N" * 16, b"N" * 16)
    data = b"\x01" + b"".join(block.encode() for block in build_key_blocks(new, default_key_set()))
    answer = host(card).send_apdu(0x80, 0xD8, 0x00, 0x81, data)  # type: ignore[attr-defined]  # yubikit has no types
    assert answer == b"\x01" + derive_key_check_value(new.enc) * 3
    protocol = host(card, new.enc, 0x01)
    assert protocol.send_apdu(0x80, 0xF2, 0x80, 0x02, b"\x4f\x00")[:1] == b"\xe3"  # type: ignore[attr-defined]  # yubikit has no types


@pytest.mark.proves(*ROW, "SCP03: a file is written, as a chain of commands")
def test_writing_a_file_over_two_hundred_octets_as_a_chain(card: VirtualCard) -> None:
    new = StaticKeySet(0x01, b"N" * 16, b"N" * 16, b"N" * 16)
    connection = _Loopback(card)
    card.process(bytes.fromhex("00A4040C08") + ISD)
    channel = drive(open_scp03(default_key_set(), aid=ISD), connection)
    drive(through(channel, put_key_set(1, build_key_blocks(new, default_key_set()))), connection)
    drive(through(channel, set_status(CardState.INITIALIZED)), connection)
    protocol = host(card, new.enc, 0x01)
    send = protocol.send_apdu  # type: ignore[attr-defined]  # yubikit has no types
    send(0x00, 0xA4, 0x00, 0x0C, b"\x3f\x00")
    send(0x00, 0xE0, 0x00, 0x00, bytes.fromhex("621680020200820101830201018801088A01018C03030000"))
    content = bytes(range(256)) * 2
    send(0x00, 0xD6, 0x00, 0x00, content[:300])
    send(0x00, 0xD6, 0x01, 0x2C, content[300:])
    assert send(0x00, 0xB0, 0x01, 0x00, b"")[:200] == content[256:456]


@pytest.mark.proves(*ROW, "SCP03: wrong keys refused by the host", Control.REFUSED)
def test_wrong_keys_are_noticed_by_the_host(card: VirtualCard) -> None:
    with pytest.raises(ValueError, match="Incorrect SCP parameters"):
        host(card, b"W" * 16)


@pytest.mark.proves(*ROW, "SCP03: an altered answer is noticed by the host", Control.NOTICED)
def test_a_tampered_response_is_noticed_by_the_host(card: VirtualCard) -> None:
    protocol = host(card)
    honest = card.process

    class Tampered(InProcessConnection):
        def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
            answer = bytearray(honest(apdu))
            answer[0] ^= 1
            return bytes(answer[:-2]), int.from_bytes(answer[-2:], "big")

    protocol.connection.__class__ = Tampered  # type: ignore[attr-defined]  # yubikit has no types
    with pytest.raises(core.BadResponseError, match="Wrong MAC"):
        protocol.send_apdu(0x80, 0xF2, 0x80, 0x02, b"\x4f\x00")  # type: ignore[attr-defined]  # yubikit has no types


class _Loopback:
    def __init__(self, card: VirtualCard) -> None:
        self.card = card

    @property
    def atr(self) -> bytes:
        return self.card.atr

    def transmit(self, command: bytes) -> bytes:
        return self.card.process(command)

    def reset(self) -> bytes:
        return self.card.reset()

    def close(self) -> None:
        self.card.power_off()


@pytest.mark.proves(*ROW, "habit: an empty field is padded and encrypted")
def test_the_card_takes_an_empty_field_either_way(card: VirtualCard) -> None:
    """yubikit sends 16 encrypted octets of padding, our terminal sends none."""
    assert host(card).send_apdu(0x80, 0xCA, 0x00, 0x66)[:1] == b"\x66"  # type: ignore[attr-defined]  # yubikit has no types
    connection = _Loopback(card)
    card.process(bytes.fromhex("00A4040C08") + ISD)
    channel = drive(open_scp03(default_key_set(), aid=ISD), connection)
    command = channel.protect_command(CommandAPDU(0x80, 0xCA, 0x00, 0x66, le=256))
    assert len(command.data) == 8
    assert card.process(command.encode())[-2:] == b"\x90\x00"
