"""yubikit's SCP03 host over real PC/SC, with keys of 128, 192 and 256 bits: list, exchange the keys, open with them.

yubikit derives session keys of 128 bits only, so `cryptography` derives them here (KBKDF with CMAC, SP 800-108).
Cryptograms, MAC chaining, encryption and counters are yubikit's, and none of this code is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from eid.card import VirtualCard
from eid.profile.card_image import ChipImage, Interface, SecurityDomainImage
from eid.protocols.globalplatform.terminal import build_key_blocks
from eid.protocols.scp03.key_set import StaticKeySet, default_key_set, derive_key_check_value
from tests.builders.machine import require_module
from tests.interop.cards import CountedCard
from tests.interop.conftest import Control, InReader, Ledger

smartcard = require_module("yubikit.core.smartcard")
scp = require_module("yubikit.core.smartcard.scp")
core = require_module("yubikit.core")
pcsc = require_module("ykman.pcsc")
pyscard = require_module("smartcard.System")

WHO = "yubikit"
ISD = bytes.fromhex("A000000151000000")
LIST = (0x80, 0xF2, 0x80, 0x02, b"\x4f\x00")  # GET STATUS of the issuer security domain
IDENTITY = bytes.fromhex("4f08") + ISD
ENC, MAC, RMAC = 0x04, 0x06, 0x07  # derivation constants, GPC Amendment D table 4-1
LENGTHS = (16, 24, 32)

Host = Callable[[StaticKeySet], Any]
Connect = Callable[[CountedCard], AbstractContextManager[Host]]


@dataclass(frozen=True)
class Keys:
    """A static key set that derives session keys of its own length."""

    enc: bytes
    mac: bytes

    def derive(self, context: bytes) -> object:
        return scp.SessionKeys(
            derive(self.enc, ENC, context), *(derive(self.mac, kind, context) for kind in (MAC, RMAC))
        )


def derive(key: bytes, constant: int, context: bytes) -> bytes:
    """GPC Amendment D 4.1.5: label, separation octet, length in bits, then the counter, then the context."""
    before = bytes(11) + bytes((constant, 0)) + (8 * len(key)).to_bytes(2, "big")
    kdf = KBKDFCMAC(
        AES, Mode.CounterMode, len(key), 1, None, CounterLocation.MiddleFixed, None, None, before + context,
        break_location=len(before),
    )  # fmt: skip
    return kdf.derive(key)


@pytest.fixture
def connect(in_reader: InReader) -> Connect:
    """``with connect(card) as open_channel``: yubikit's protocol with a channel under some keys."""

    @contextmanager
    def insert(card: CountedCard) -> Iterator[Host]:
        with in_reader(card) as name:
            (reader,) = (reader for reader in pyscard.readers() if reader.name == name)
            connection = pcsc.ScardSmartCardConnection(reader.createConnection())

            def open_channel(keys: StaticKeySet) -> Any:
                protocol = smartcard.SmartCardProtocol(connection)
                protocol.select(ISD)
                reference = scp.KeyRef(scp.ScpKid.SCP03, keys.key_version)
                protocol.init_scp(scp.Scp03KeyParams(reference, Keys(keys.enc, keys.mac)))
                return protocol

            try:
                yield open_channel
            finally:
                connection.close()

    return insert


def blank(length: int) -> VirtualCard:
    domain = SecurityDomainImage(ISD, key_length=length)
    return VirtualCard.blank(ChipImage(Interface.CONTACT, b"EID-CARD", domain), serial=b"SPECIMEN01")


def other_keys(length: int) -> StaticKeySet:
    return StaticKeySet(0x01, *(bytes((octet,)) * length for octet in b"EMD"))


@pytest.mark.parametrize("length", LENGTHS)
def test_list_and_put_key(connect: Connect, ledger: Ledger, length: int) -> None:
    card, old, new = CountedCard(blank(length)), default_key_set(length), other_keys(length)
    with connect(card) as open_channel:
        protocol = open_channel(old)
        assert IDENTITY in protocol.send_apdu(*LIST)
        blocks = b"".join(block.encode() for block in build_key_blocks(new, old))
        answer = protocol.send_apdu(0x80, 0xD8, 0x00, 0x81, b"\x01" + blocks)
        assert answer == b"\x01" + b"".join(derive_key_check_value(key) for key in (new.enc, new.mac, new.dek))
        assert IDENTITY in open_channel(new).send_apdu(*LIST)
    ledger(WHO, f"our blank card, AES-{8 * length}", "SCP03: list, PUT KEY, list with the new keys", card.commands)


@pytest.mark.parametrize("length", LENGTHS)
def test_wrong_key_is_refused(connect: Connect, ledger: Ledger, length: int) -> None:
    """By both: the host finds the cryptogram wrong; one that goes on nevertheless has a wrong MAC, and is refused."""
    card, right = CountedCard(blank(length)), default_key_set(length)
    wrong = StaticKeySet(right.key_version, *(bytes((0x57,)) * length for _ in range(3)))
    with connect(card) as open_channel:
        with pytest.raises(ValueError, match="Incorrect SCP parameters"):
            open_channel(wrong)
        protocol = open_channel(right)
        protocol.connection.send_and_receive(bytes.fromhex("8050000008") + bytes(8))
        assert (
            protocol.connection.send_and_receive(bytes.fromhex("8482330010") + bytes(16))[1] == 0x6982
        )  # its MAC is wrong too
        assert IDENTITY in open_channel(right).send_apdu(*LIST)
    told = "SCP03: wrong keys refused by host and card, then the right ones taken"
    ledger(WHO, f"our blank card, AES-{8 * length}", told, card.commands, Control.REFUSED)


class Tampered(CountedCard):
    """Alters an octet of each answer that has data, from when it is told to."""

    active = False

    def process(self, command: bytes, /) -> bytes:
        answer = super().process(command)
        return bytes((answer[0] ^ 1,)) + answer[1:] if self.active and len(answer) > 2 else answer


@pytest.mark.parametrize("length", LENGTHS)
def test_tampered_answer_is_noticed(connect: Connect, ledger: Ledger, length: int) -> None:
    card = Tampered(blank(length))
    with connect(card) as open_channel:
        protocol = open_channel(default_key_set(length))
        card.active = True
        with pytest.raises(core.BadResponseError, match="Wrong MAC"):
            protocol.send_apdu(*LIST)
    told = "SCP03: an altered answer is noticed by the host"
    ledger(WHO, f"our blank card, AES-{8 * length}", told, card.commands, Control.NOTICED)
