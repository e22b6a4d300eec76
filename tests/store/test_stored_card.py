from __future__ import annotations

import pytest

from eid.card import VirtualCard
from eid.errors import DecodeError, StoreError
from eid.profile.card_image import ChipImage, Interface, SecurityDomainImage
from eid.store import card_file
from eid.store.card_file import open_card_file
from eid.store.stored_card import StoredCard

SECURITY_DOMAIN = bytes.fromhex("A000000151000000")
SELECT = b"\x00\xa4\x04\x00" + bytes((len(SECURITY_DOMAIN),)) + SECURITY_DOMAIN + b"\x00"
INITIALIZE_UPDATE = bytes.fromhex("8050000008") + bytes(8) + b"\x00"  # moves the SCP03 sequence counter


@pytest.fixture
def file(tmp_path):
    chip = ChipImage(Interface.CONTACT, b"", SecurityDomainImage(SECURITY_DOMAIN))
    with open_card_file(tmp_path / "card") as file:
        file.store(VirtualCard.blank(chip, serial=bytes(10)).state())
        yield file


def initialize(card):
    assert card.process(SELECT)[-2:] == b"\x90\x00"
    response = card.process(INITIALIZE_UPDATE)
    return int.from_bytes(response[29:32], "big"), response[-2:]


def test_what_a_command_changed_is_stored_before_its_response(file):
    card = StoredCard(file)
    counter, sw = initialize(card)
    assert sw == b"\x90\x00"
    assert VirtualCard.from_state(file.load()).state() == card.card.state()
    again = StoredCard(file)
    assert initialize(again) == (counter + 1, b"\x90\x00")
    assert again.atr == card.reset()


def test_command_that_changes_nothing_is_not_stored(file, monkeypatch):
    card = StoredCard(file)
    monkeypatch.setattr(file, "store", lambda _: pytest.fail("stored"))
    assert card.process(SELECT)[-2:] == b"\x90\x00"
    assert card.process(bytes.fromhex("00A4040C07A0000002471001")) == b"\x6a\x82"
    card.power_off()


def test_change_that_cannot_be_stored_did_not_happen(file, monkeypatch):
    card = StoredCard(file)
    counter, _ = initialize(card)
    stored = file.load()

    def fail(_):
        raise StoreError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(file, "store", fail)
        assert card.process(SELECT)[-2:] == b"\x90\x00"
        assert card.process(INITIALIZE_UPDATE) == b"\x65\x81"
    assert card.card.state() == file.load() == stored
    assert initialize(card)[0] == counter + 1


def test_change_whose_name_alone_is_not_durable_is_not_taken_back(file, monkeypatch):
    """What the file holds is what the card goes on with: nobody who opens it later sees another state."""
    card = StoredCard(file)
    counter, _ = initialize(card)

    def fail(_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(card_file, "make_names_durable", fail)
        assert card.process(SELECT)[-2:] == b"\x90\x00"
        assert card.process(INITIALIZE_UPDATE) == b"\x65\x81"
    assert card.card.state() == file.load()
    assert initialize(card)[0] == counter + 2, "the number that may be on the disk is not used again"


def test_file_that_is_no_card(tmp_path):
    with open_card_file(tmp_path / "none") as file:
        with pytest.raises(StoreError):
            StoredCard(file)
        file.store(b"not a card")
        with pytest.raises(DecodeError):
            StoredCard(file)
