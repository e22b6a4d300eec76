from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reader_tools.main import run
from tests.builders.sweep import examples

# Doc 9303-5 appendix B, Doc 9303-6 appendix B, Doc 9303-4 appendix B: the specimen of Utopia.
TD1 = "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<\n"
TD2 = "I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nD231458907UTO7408122F1204159<<<<<<<6\n"
TD3 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10\n"
FIELDS = {
    "mrz_format": "TD1",
    "document_code": "I",
    "issuing_state": "UTO",
    "document_number": "D23145890",
    "nationality": "UTO",
    "date_of_birth": "740812",
    "sex": "F",
    "date_of_expiry": "120415",
    "family_name": "Eriksson",
    "given_names": "Anna Maria",
}


@pytest.fixture
def stdin(monkeypatch):
    def fill(raw: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(raw)))

    return fill


@pytest.mark.parametrize(("name", "zone"), [("TD1", TD1), ("TD2", TD2), ("TD3", TD3)])
def test_read_check_and_write_back(eid, tmp_path, name, zone):
    path = tmp_path / "zone"
    path.write_text(zone)
    outcome = eid("mrz", "read", path, "--json")
    told = json.loads(outcome.out)
    assert (outcome.code, told["mrz_format"], told["primary_identifier"]) == (0, name, "ERIKSSON")
    assert told["lines"] == zone.splitlines()
    (tmp_path / "fields").write_text(outcome.out)
    assert eid("mrz", "write", "--from", tmp_path / "fields").out == zone
    assert eid("mrz", "check", path).out.startswith(f"sound: {name}, ")
    words = eid("mrz", "read", path).out
    assert "secondary_identifier   ANNA MARIA" in words


def test_standard_input(eid, stdin):
    stdin(TD3.encode())
    assert eid("mrz", "check", "-").code == 0
    stdin(b"")
    assert eid("mrz", "read", "-").code == 65
    stdin(json.dumps(FIELDS).encode())
    assert eid("mrz", "write", "--from", "-").out == TD1


def test_write_from_options(eid):
    options = [part for name, value in FIELDS.items() for part in (f"--{name.replace('_', '-')}", value)]
    options[0] = "--format"
    assert eid("mrz", "write", *options).out == TD1
    told = json.loads(eid("mrz", "write", *options, "--json").out)
    assert told["lines"] == TD1.splitlines()


def test_options_go_before_the_file(eid, tmp_path):
    (tmp_path / "fields").write_text(json.dumps(FIELDS))
    out = eid("mrz", "write", "--from", tmp_path / "fields", "--sex", "X", "--family-name", "Österreich").out
    assert out.splitlines()[1][7] == "<"
    assert out.splitlines()[2].startswith("OESTERREICH<<ANNA<MARIA")


@pytest.mark.parametrize("position", range(len(TD1) - 1))
def test_every_changed_character_that_a_check_digit_covers_is_found(eid, tmp_path, position):
    if TD1[position] == "\n":
        return
    changed = TD1[:position] + ("7" if TD1[position] != "7" else "3") + TD1[position + 1 :]
    (tmp_path / "zone").write_text(changed)
    outcome = eid("mrz", "check", tmp_path / "zone")
    assert (outcome.code, outcome.out) == (65, ""), changed
    assert "MRZ" in outcome.err


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"document_number": ""}, "document_number is missing"),
        ({"mrz_format": "TD9"}, "mrz_format is none of"),
        ({"date_of_birth": "741312"}, "date_of_birth is no date"),
        ({"sex": "Q"}, "sex"),
        ({"family_name": "鈴木"}, "transliterat"),
        ({"optional_data_1": "x"}, "optional_data_1 has characters"),
        ({"issuing_state": "UTOP"}, "issuing_state has over 3"),
        ({"shoe_size": "43"}, "no field 'shoe_size'"),
        ({"sex": 1}, "sex is not a text"),
        ({"version": 2}, "not of format"),
    ],
)
def test_errors_name_the_field_and_not_its_content(eid, tmp_path, change, what):
    (tmp_path / "fields").write_text(json.dumps({**FIELDS, **change}))
    outcome = eid("mrz", "write", "--from", tmp_path / "fields")
    assert outcome.code == 65
    assert what in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b"[" * 50_000, b"9" * 60_000, b"x" * 70_000])
def test_malformed_json(eid, tmp_path, content):
    (tmp_path / "fields").write_bytes(content)
    outcome = eid("mrz", "write", "--from", tmp_path / "fields")
    assert (outcome.code, outcome.err.count("\n")) == (65, 1)


def test_a_name_beyond_the_zone_is_truncated_as_the_zone_says(eid, tmp_path):
    # Doc 9303-5 4.2.3
    long = {**FIELDS, "family_name": "Nilavadhanananda", "given_names": "Chayapa Dejthamrong Krasuang"}
    (tmp_path / "fields").write_text(json.dumps(long))
    assert eid("mrz", "write", "--from", tmp_path / "fields").out.splitlines()[2] == "NILAVADHANANANDA<<CHAYAPA<DE<K"


@settings(max_examples=examples(60), deadline=None)
@given(st.one_of(st.binary(max_size=300), st.text("AI<0123456789\n", max_size=120).map(str.encode)))
def test_any_file_is_a_zone_or_malformed(tmp_path_factory, raw):
    path = tmp_path_factory.getbasetemp() / "any-zone"
    path.write_bytes(raw)
    assert run(["mrz", "check", str(path)]) in (0, 65)
    assert run(["mrz", "write", "--from", str(path)]) == 65
