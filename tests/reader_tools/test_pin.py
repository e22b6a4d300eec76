"""`eid pin` as a person meets it: what it says, what it costs, and that nothing typed is seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eid.profile.card_image import PasswordId
from eid.services.emulator.virtual_cards import open_card
from eid.store.card_file import open_card_file
from eid.testing.specimen import SpecimenCard, issue_specimen
from tests.builders.keyboard import on_a_terminal

PROFILE = "eu-residence-permit"


@pytest.fixture(scope="module")
def specimen() -> SpecimenCard:
    return issue_specimen(PROFILE, datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def card(specimen: SpecimenCard, tmp_path: Path) -> Path:
    """A card in a file, and beside it files with its secrets, and with wrong ones."""
    path = tmp_path / "card.bin"
    with open_card_file(path) as file:
        file.store(specimen.copy().card.state())
    secrets = {"pin": specimen.pin, "puk": specimen.puk, "can": specimen.can, "wrong": "000000", "new": "135790"}
    for name, value in secrets.items():
        (tmp_path / name).write_text(value + "\n")
    return path


def tries(path: Path) -> int | None:
    with open_card(path) as card:
        return card.card._card.memory.passwords[PasswordId.PIN].left


def test_status_in_words_and_in_json(eid, card, tmp_path):
    told = eid("pin", "status", "--card-file", card)
    assert (told.code, told.out) == (0, "PIN: usable\nPUK: usable\n")
    eid("pin", "resume", "--card-file", card, "--pin-file", tmp_path / "wrong")
    told = json.loads(eid("pin", "status", "--card-file", card, "--json").out)
    assert told == {
        "format": "eid-pin-status",
        "version": 1,
        "pin": {"state": "usable", "tries_left": 2},
        "puk": {"state": "usable", "tries_left": None},
    }


def test_from_wrong_over_suspended_to_blocked_and_back(eid, card, tmp_path):
    """Each end has an exit code of its own, and the last try is spent only when it is said."""
    wrong = ("--card-file", card, "--pin-file", tmp_path / "wrong", "--can-file", tmp_path / "can")
    right = ("--card-file", card, "--pin-file", tmp_path / "pin", "--can-file", tmp_path / "can")
    first = eid("pin", "resume", *wrong)
    assert (first.code, first.err) == (77, "eid: the PIN is not the one of this card, 2 tries left\n")
    second = eid("pin", "resume", *wrong)
    assert (second.code, second.err.splitlines()[-1]) == (77, "eid: the PIN is not the one of this card, one try left")
    kept = eid("pin", "resume", *right)
    assert (kept.code, tries(card)) == (80, 1)
    assert "if it is wrong, the PIN is blocked" in kept.err
    assert eid("pin", "status", "--card-file", card).out.startswith("PIN: suspended: the CAN resumes it")
    third = eid("pin", "resume", *wrong, "--use-last-try")
    assert (third.code, third.err) == (77, "eid: the PIN is not the one of this card, which is blocked now\n")
    assert eid("pin", "status", "--card-file", card).out.startswith("PIN: blocked: the PUK unblocks it")
    for command in ("resume", "change"):
        assert eid("pin", command, *right, "--use-last-try").code == 81
    assert eid("pin", "unblock", "--card-file", card, "--puk-file", tmp_path / "puk").code == 0
    assert tries(card) == 3
    assert eid("pin", "resume", *right).code == 0


def test_resumed_with_the_last_try(eid, card, tmp_path):
    for _ in range(2):
        eid("pin", "resume", "--card-file", card, "--pin-file", tmp_path / "wrong")
    given = ("--card-file", card, "--pin-file", tmp_path / "pin", "--can-file", tmp_path / "can", "--use-last-try")
    assert eid("pin", "resume", *given).code == 0
    assert tries(card) == 3


def test_change(eid, card, tmp_path):
    new = ("--new-pin-file", tmp_path / "new")
    assert eid("pin", "change", "--card-file", card, "--pin-file", tmp_path / "pin", *new).code == 0
    assert eid("pin", "resume", "--card-file", card, "--pin-file", tmp_path / "pin").code == 77
    assert eid("pin", "resume", "--card-file", card, "--pin-file", tmp_path / "new").code == 0


@pytest.mark.parametrize("text", ["", "12x456", "123", "1" * 17, "１２３４５６"])
def test_what_is_no_pin_never_reaches_the_card(eid, card, tmp_path, text):
    (tmp_path / "pin").write_text(text + "\n")
    assert eid("pin", "resume", "--card-file", card, "--pin-file", tmp_path / "pin").code == 65
    assert tries(card) == 3
    (tmp_path / "bad").write_text(text + "\n")
    bad = ("--new-pin-file", tmp_path / "bad")
    assert eid("pin", "change", "--card-file", card, "--pin-file", tmp_path / "new", *bad).code == 65
    assert tries(card) == 3


def test_wrong_puk_is_told_with_its_tries(eid, card, tmp_path):
    (tmp_path / "puk").write_text("0000000000\n")
    told = eid("pin", "unblock", "--card-file", card, "--puk-file", tmp_path / "puk")
    assert (told.code, told.err) == (77, "eid: the PUK is not the one of this card, 9 tries left\n")


def test_deactivated(eid, card, tmp_path):
    with open_card(card) as stored:
        stored.card._card.memory.passwords[PasswordId.PIN].active = False
        state = stored.card.state()
    with open_card_file(card) as file:
        file.store(state)
    assert eid("pin", "resume", "--card-file", card, "--pin-file", tmp_path / "pin").code == 82
    assert eid("read", "--card-file", card, "--pin-file", tmp_path / "pin").code == 82
    assert eid("pin", "status", "--card-file", card).out.startswith("PIN: deactivated")


def test_a_card_without_a_pin(eid, card_file):
    told = eid("pin", "status", "--card-file", card_file)
    assert (told.code, told.out) == (0, "PIN: the card has none\nPUK: the card has none\n")
    for command in ("change", "resume", "unblock"):
        assert eid("pin", command, "--card-file", card_file).code == 64


def test_read_by_pin(eid, card, tmp_path):
    given = ("read", "--card-file", card, "--dg", "1")
    told = eid(*given, "--pin-file", tmp_path / "pin")
    assert told.code == 0
    assert "password PIN" in told.out
    assert eid(*given, "--pin-file", tmp_path / "wrong").code == 77
    assert eid(*given, "--pin-file", tmp_path / "wrong").code == 77
    assert eid(*given, "--pin-file", tmp_path / "pin", "--can-file", tmp_path / "can").code == 80
    last = eid(*given, "--pin-file", tmp_path / "pin", "--can-file", tmp_path / "can", "--use-last-try")
    assert last.code == 0
    assert eid(*given, "--pin", "--mrz").code == 64
    assert eid(*given, "--pin", "--can").code == 64


def test_on_a_terminal_nothing_typed_is_seen_and_the_last_try_is_asked_for(eid, card, specimen, tmp_path):
    for _ in range(2):
        eid("pin", "resume", "--card-file", card, "--pin-file", tmp_path / "wrong")
    arguments = ["pin", "change", "--card-file", str(card)]
    code, seen = on_a_terminal(arguments, {b"Spend it?": "n"}, tmp_path)
    assert (code, tries(card)) == (64, 1)
    answers = {b"Spend it?": "y", b"(CAN)": specimen.can, b"\nPIN:": specimen.pin, b"New PIN": "135790"}
    code, seen = on_a_terminal(arguments, {**answers, b"Repeat": "135790"}, tmp_path)
    assert code == 0, seen
    for secret in (specimen.can, specimen.pin, "135790"):
        assert secret.encode() not in seen
    assert tries(card) == 3
