"""ATR and ATS: lengths, check octet, historical bytes."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest

from eid.card import VirtualCard
from eid.profile.card_image import Interface

SERIAL = bytes(10)


def test_contactless(chip):
    card = VirtualCard.blank(chip, serial=SERIAL)
    assert card.atr == bytes.fromhex("3B888001") + b"EID-CARD" + bytes((card.atr[-1],))
    assert card.ats == bytes((13,)) + bytes.fromhex("78778102") + b"EID-CARD"


def test_contact(other_chip):
    card = VirtualCard.blank(other_chip(interface=Interface.CONTACT), serial=SERIAL)
    assert card.atr[:6] == bytes.fromhex("3B888131FE45")
    assert card.atr[6:-1] == b"EID-CARD"


@pytest.mark.parametrize("interface", list(Interface))
@pytest.mark.parametrize("length", [0, 1, 15])
def test_check_octet(other_chip, interface: Interface, length: int):
    card = VirtualCard.blank(other_chip(interface=interface, historical_bytes=bytes(range(length))), serial=SERIAL)
    assert reduce(xor, card.atr[1:]) == 0  # ISO/IEC 7816-3 8.2.5
    assert card.atr[1] & 0x0F == length
    assert card.reset() == card.atr
