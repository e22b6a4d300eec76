"""`eid identify` as a person meets it: a card of the shipped profile, its terminal, and the answers."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eid.services.trust.imports import import_trust
from tests.builders.issuance import NOW

FILES = ("", ".can", ".pin", ".puk", ".dv.cvcert", ".terminal.cvcert", ".terminal.key", ".sector", ".csca.cer", ".crl")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """An issued card and all that is written beside it."""
    from reader_tools.main import run

    card = tmp_path_factory.mktemp("made") / "card.bin"
    assert run(["card", "new", "--profile", "eid-application", "--record", "specimen", "--out", str(card)]) == 0
    return card


@pytest.fixture
def card(made, tmp_path) -> Path:
    for suffix in FILES:
        shutil.copy(f"{made}{suffix}", tmp_path / f"card.bin{suffix}")
    import_trust(
        tmp_path / "trust", [tmp_path / "card.bin.csca.cer", tmp_path / "card.bin.crl"], unsigned=False, now=NOW
    )
    return tmp_path / "card.bin"


@pytest.fixture
def identify(eid, card):
    def call(*arguments: object, trust: bool = True, password: str = "pin"):
        chain = (f"{card}.dv.cvcert", f"{card}.terminal.cvcert")
        return eid(
            "identify",
            *("--card-file", card, "--terminal-key", f"{card}.terminal.key"),
            *(part for path in chain for part in ("--terminal-chain", path)),
            *(("--trust", card.parent / "trust") if trust else ()),
            *(f"--{password}-file", f"{card}.{password}"),
            *arguments,
        )

    return call


def test_a_shop_asks_for_the_age_and_nothing_else(identify):
    outcome = identify("--age", 18, "--json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert document["chip"] == {"genuine": True, "reason": "", "detail": ""}
    assert document["rights"] == ["age-verification"]
    assert document["answers"] == {"age": {"holds": True}}
    assert (document["data_groups"], document["pseudonyms"]) == ({}, None)
    assert "SPECIMEN" not in outcome.out + outcome.err
    assert [line.split(",")[0] for line in outcome.err.splitlines()[:2]] == ["read EF.CardAccess", "PACE"]


def test_questions_that_do_not_hold(identify):
    outcome = identify("--age", 150, "--valid", "--community", "06", "--on", f"{datetime.now(UTC).year + 11}-01-01")
    assert outcome.code == 1
    assert [line.split()[-1] for line in outcome.out.splitlines()[2:]] == ["NO", "NO", "NO"]


def test_all_data_groups_and_a_pseudonym(identify, card):
    outcome = identify("--read", "all", "--pseudonym", f"{card}.sector", "--json", "--out", card.parent / "answer.json")
    assert outcome.code == 0, outcome.err
    document = json.loads(outcome.out)
    assert json.loads((card.parent / "answer.json").read_text()) == document
    groups = document["data_groups"]
    assert groups["family_names"] == {"number": 5, "value": "SPECIMEN"}
    assert groups["date_of_birth"]["value"] == "1985-02-14"
    assert groups["written_signature"] == {"number": 14, "refused": "6A82"}
    again = json.loads(identify("--pseudonym", f"{card}.sector", "--json").out)
    assert again["pseudonyms"] == document["pseudonyms"]
    assert len(document["pseudonyms"]["first"]) == 64
    table = identify("--read", "4,DG5,sex,14", "--pseudonym", f"{card}.sector").out
    assert "not on this card (6A82)" in table
    assert document["pseudonyms"]["first"] in table


def test_the_can_where_the_terminal_is_allowed_to(identify):
    outcome = identify("--valid", "--json", password="can")
    assert outcome.code == 0
    assert json.loads(outcome.out)["rights"] == ["can-allowed"]


def test_without_a_trust_store_the_chip_is_not_called_genuine(identify):
    outcome = identify("--valid", "--json", trust=False)
    assert outcome.code == 2
    assert json.loads(outcome.out)["chip"]["genuine"] is None


def test_wrong_pins_end_in_suspension_and_the_can_resumes(identify, card):
    right = Path(f"{card}.pin").read_text()
    Path(f"{card}.pin").write_text("000000\n" if right != "000000\n" else "000001\n")
    for code, words in ((77, "2 tries left"), (77, "one try left"), (80, "suspended")):
        outcome = identify("--valid")
        assert (outcome.code, words in outcome.err) == (code, True), outcome.err
    Path(f"{card}.pin").write_text(right)
    assert identify("--valid", "--can-file", f"{card}.can").code == 80  # not by accident
    assert identify("--valid", "--can-file", f"{card}.can", "--use-last-try").code == 0
    assert identify("--valid").code == 0


def test_wrong_usage(identify, eid, card):
    assert "ask something" in identify().err
    assert identify("--read", "shoe_size").code == 64
    assert identify("--read", "16").code == 64
    sector = ("--pseudonym", f"{card}.sector")
    assert identify(*sector, *sector, *sector).code == 64
    assert identify("--pseudonym", f"{card}.dv.cvcert").code == 65
    Path(f"{card}.terminal.key").write_text("no key")
    assert identify("--valid").code == 65
    assert eid("identify", "--card-file", card, "--pin-file", f"{card}.pin", "--valid").code == 64


def test_another_key_than_the_certificates(identify, card):
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = ec.generate_private_key(ec.BrainpoolP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    Path(f"{card}.terminal.key").write_bytes(pem)
    outcome = identify("--valid")
    assert outcome.code == 77
    assert "not the key of the certificate" in outcome.err
