"""Our card in a virtual reader, as other people's programs see it."""

from __future__ import annotations

import os
import subprocess

import pytest

from eid.card import VirtualCard
from eid.profile.card_image import AccessCondition, CardImage, ChipImage, FileImage, Interface, SecurityDomainImage
from eid.protocols.scp03.key_set import default_key_set
from eid.transport.pcsc import open_reader

pytestmark = pytest.mark.pcsc
CONTENT = os.urandom(40_000)
UNKNOWN_AIDS = ("A000000308000010000100", "D27600012401", "E828BD080FA000000167455349474E", "A0000000010101")


@pytest.fixture(scope="module")
def reader(pcsc_daemon):
    file = FileImage("EF.CardAccess", 0x011C, 0x1C, CONTENT, AccessCondition.ALWAYS)
    domain = SecurityDomainImage(bytes.fromhex("A000000151000000"))
    image = CardImage(ChipImage(Interface.CONTACTLESS, b"", domain), (file,), (), ())
    card = VirtualCard.from_image(image, serial=b"SPECIMEN01", keys=default_key_set(16))
    slot = pcsc_daemon.readers[0]
    slot.insert(card)
    yield slot, card
    slot.remove()


def test_unknown_applications_are_not_found(reader):
    slot, card = reader
    with open_reader(slot.name) as connection:
        assert connection.atr == card.atr
        for aid in UNKNOWN_AIDS:
            command = bytes.fromhex(f"00A4040C{len(aid) // 2:02X}{aid}")
            assert connection.transmit(command) == b"\x6a\x82"


def test_large_file_in_one_command(reader):
    with open_reader(reader[0].name) as connection:
        assert connection.transmit(bytes.fromhex("00B09C00007530")) == CONTENT[:30_000] + b"\x90\x00"


def test_junk_does_not_end_the_card(reader):
    with open_reader(reader[0].name) as connection:
        for junk in (b"\x00\xa4", b"\xff" * 300, bytes.fromhex("00B0000001FF"), bytes(65_000)):
            assert len(connection.transmit(junk)) == 2
        assert connection.transmit(bytes.fromhex("00B09C0001")) == CONTENT[:1] + b"\x90\x00"


def test_opensc_sees_the_card(reader, require_tool):
    slot, card = reader
    tool = require_tool("opensc-tool")
    listing = subprocess.run([tool, "-l"], capture_output=True, text=True, timeout=60, check=True).stdout
    assert slot.name in listing
    shown = subprocess.run([tool, "-r", slot.name, "--atr"], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip().replace(":", "") == card.atr.hex()
    select = [tool, "-r", slot.name, "-s", "00:A4:04:0C:05:A0:00:00:00:99"]
    answer = subprocess.run(select, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "SW1=0x6A, SW2=0x82" in answer
