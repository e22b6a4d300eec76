from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import DecodeError, RecordError
from eid.mrz import (
    LAYOUTS,
    Mrz,
    MrzFormat,
    build_mrz,
    build_mrz_information,
    compute_check_digit,
    decode_joined_mrz,
    decode_mrz,
)
from tests.builders.sweep import examples

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "mrz-samples.json").read_text())
SAMPLES = VECTORS["samples"]
UTO_TD1 = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")


@pytest.mark.parametrize("vector", VECTORS["check_digits"], ids=lambda vector: vector["data"])
def test_check_digits_are_the_published_ones(vector: dict[str, str]) -> None:
    assert compute_check_digit(vector["data"]) == vector["cd"]


def test_check_digit_of_a_foreign_character_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside"):
        compute_check_digit("AB-")


def personal(sample: dict[str, object]) -> str:
    return str(sample["source"])


@pytest.mark.parametrize("sample", SAMPLES, ids=personal)
def test_published_zones_decode_and_encode_back(sample: dict[str, object]) -> None:
    lines = tuple(cast(list[str], sample["lines"]))
    mrz = decode_mrz(lines)
    assert mrz.format.value == sample["format"]
    assert mrz.encode() == lines
    assert mrz.document_number == sample.get("document_number", mrz.document_number)
    assert decode_mrz("\n".join(lines)) == decode_mrz("".join(lines)) == mrz
    assert mrz.text == "".join(mrz.encode())


@pytest.mark.parametrize("sample", VECTORS["invalid"], ids=lambda sample: sample["error"])
def test_wrong_check_digits_name_their_field(sample: dict[str, object]) -> None:
    field = {
        "document number check digit": "document_number check digit",
        "birth date check digit": "date_of_birth check digit",
        "composite check digit": "composite check digit",
    }[str(sample["error"])]
    with pytest.raises(DecodeError, match=f"MRZ {field} is wrong"):
        decode_mrz(sample["lines"])  # type: ignore[arg-type]  # lines of JSON


def test_fields_of_the_specimen() -> None:
    mrz = decode_mrz(UTO_TD1)
    assert mrz == Mrz(
        MrzFormat.TD1, "I", "UTO", "D23145890", "UTO", "740812", "F", "120415", "ERIKSSON", "ANNA MARIA", "", ""
    )


def test_information_is_that_of_doc_9303_11_d2() -> None:
    assert build_mrz_information("L898902C", "690806", "940623") == "L898902C<369080619406236"
    long_number = decode_mrz(("I<UTOSTEVENSON<<PETER<JOHN<<<<<<<<<<", "D23145890<UTO3407127M95071227349<<<8"))
    assert long_number.information == "D23145890734934071279507122"
    assert build_mrz_information("D23145890734", "340712", "950712") == long_number.information


@pytest.mark.parametrize(
    "values", [("", "340712", "950712"), ("ab", "340712", "950712"), ("A", "3407", "950712"), ("A", "340712", "95071<")]
)
def test_information_refuses_what_no_zone_can_hold(values: tuple[str, str, str]) -> None:
    with pytest.raises(RecordError):
        build_mrz_information(*values)


def test_representation_and_errors_hide_the_content() -> None:
    assert repr(decode_mrz(UTO_TD1)) == "Mrz(format=<MrzFormat.TD1: 'TD1'>)"
    broken = (UTO_TD1[0], "7408123F1204159UTO<<<<<<<<<<<6", UTO_TD1[2])
    with pytest.raises(DecodeError) as caught:
        decode_mrz(broken)
    assert "740812" not in str(caught.value)
    assert "ERIKSSON" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "column", "character", "message"),
    [
        (0, 0, "1", "document_code"),
        (0, 2, "<", "issuing_state"),
        (0, 5, "<", "document_number"),
        (0, 15, "é", "optional_data_1"),
        (1, 0, "A", "date_of_birth"),
        (1, 2, "9", "date_of_birth is no date"),
        (1, 7, "X", "sex"),
        (1, 8, "<", "date_of_expiry"),
        (1, 10, "2", "date_of_expiry is no date"),
        (1, 14, "0", "date_of_expiry check digit"),
        (1, 15, "1", "nationality"),
        (1, 20, " ", "optional_data_2"),
        (1, 29, "<", "composite check digit"),
        (2, 0, "<", "names"),
        (2, 5, "5", "names"),
    ],
)
def test_a_faulty_character_names_the_field(line: int, column: int, character: str, message: str) -> None:
    lines = list(UTO_TD1)
    lines[line] = lines[line][:column] + character + lines[line][column + 1 :]
    with pytest.raises(DecodeError, match=f"MRZ {message}"):
        decode_mrz(lines)


@pytest.mark.parametrize(
    "lines", [(), ("",), ("A" * 30,) * 2, ("A" * 31,) * 3, ("A" * 36, "A" * 44), "A", ("V" * 30,) * 2]
)
def test_other_shapes_are_refused(lines: tuple[str, ...] | str) -> None:
    with pytest.raises(DecodeError, match="3 lines of 30"):
        decode_mrz(lines)


@pytest.mark.parametrize("optional", ["<<<<<<<<<<<<<<<", "7<<<<<<<<<<<<<<", "734973497349734", "7340<<<<<<<<<<<"])
def test_a_long_number_must_have_its_rest_and_check_digit(optional: str) -> None:
    lines = (f"I<UTOD23145890<{optional}", *UTO_TD1[1:])
    with pytest.raises(DecodeError, match="document_number"):
        decode_mrz(lines)


def test_an_unused_personal_number_may_have_zero_or_filler_as_check_digit() -> None:
    mrz = replace(decode_mrz(SAMPLES[0]["lines"]), optional_data_1="")
    upper, lower = mrz.encode()
    assert lower[28:43] == "<" * 15
    zero = lower[:42] + "0" + lower[43:]
    assert decode_mrz((upper, zero)) == mrz
    with pytest.raises(DecodeError, match="optional_data_1 check digit"):
        decode_mrz((upper, lower[:42] + "1" + lower[43:]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"document_number": "A" * 30}, "optional_data_1 has over 15"),
        ({"document_number": "12345678<0"}, "filler where none can be"),
        ({"document_number": "a"}, "document_number has characters"),
        ({"document_number": ""}, "document_number has characters"),
        ({"document_number": "A<"}, "document_number has characters"),
        ({"nationality": "UTOP"}, "nationality has over 3"),
        ({"sex": "<"}, "sex has characters"),
        ({"date_of_birth": "741312"}, "date_of_birth is no date"),
        ({"date_of_expiry": "12<<<<"}, "date_of_expiry has characters"),
        ({"primary_identifier": "É"}, "names has characters"),
        ({"primary_identifier": ""}, "names has characters"),
        ({"format": MrzFormat.TD3, "document_number": "A" * 10}, "TD3 cannot hold"),
        ({"format": MrzFormat.TD2, "optional_data_2": "X"}, "optional_data_2 does not exist"),
    ],
)
def test_what_the_zone_cannot_hold_is_refused(changes: dict[str, object], message: str) -> None:
    mrz = replace(decode_mrz(UTO_TD1), **changes)  # type: ignore[arg-type]  # by name, as the caller has them
    with pytest.raises(RecordError, match=message):
        mrz.encode()


def test_built_zone_is_its_own_reading_and_truncates_names() -> None:
    mrz = build_mrz(
        MrzFormat.TD1,
        document_code="I",
        issuing_state="MAR",
        document_number="SPM00001",
        nationality="MAR",
        date_of_birth="8502<<",
        sex="X",
        date_of_expiry="350213",
        family_name="Nilavadhanananda",
        given_names="Chayapa Dejthamrong Krasuang",
        optional_data_1="ZZ123456",
    )
    assert mrz.secondary_identifier == "CHAYAPA DE K"
    assert decode_mrz(mrz.encode()) == mrz
    assert mrz.encode()[0] == "I<MARSPM00001<6ZZ123456<<<<<<<"


ALPHA = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
words = st.lists(st.text(ALPHA, min_size=1, max_size=14), max_size=4).map(" ".join)


@st.composite
def zones(draw: st.DrawFn) -> Mrz:
    mrz_format = draw(st.sampled_from(MrzFormat))
    layout = LAYOUTS[mrz_format]
    longest = 13 if layout.long_document_number else 9
    number = draw(st.text(ALPHA + "0123456789", min_size=1, max_size=longest))
    over = max(0, len(number) - 9)
    room = layout.optional_data_1.width - (over + 2 if over else 0)
    day = st.dates().map(lambda value: value.strftime("%y%m%d"))
    return Mrz(
        mrz_format,
        draw(st.sampled_from(("V", "VB") if mrz_format.value.startswith("MRV") else ("P", "I", "AC", "PP"))),
        draw(st.sampled_from(("UTO", "D", "MAR"))),
        number,
        draw(st.sampled_from(("UTO", "D", "XXA"))),
        draw(day),
        draw(st.sampled_from("MFX")),
        draw(day),
        draw(words.filter(bool)),
        draw(words),
        draw(st.text(ALPHA + "0123456789", max_size=room)),
        draw(st.text(ALPHA + "0123456789", max_size=11)) if layout.optional_data_2 else "",
    )


@given(zones())
@settings(max_examples=examples(150))
def test_round_trip(mrz: Mrz) -> None:
    lines = mrz.encode()
    read = decode_mrz(lines)
    assert read.encode() == lines
    assert replace(read, primary_identifier="", secondary_identifier="") == replace(
        mrz, primary_identifier="", secondary_identifier=""
    )


@given(st.text(st.sampled_from("ABZ019<é \n"), max_size=100) | st.lists(st.text(max_size=44), max_size=4))
@settings(max_examples=examples(200))
def test_junk_raises_decode_error_only(junk: str | list[str]) -> None:
    with contextlib.suppress(DecodeError):
        decode_mrz(junk)


@given(st.integers(0, 89), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<é٣"))
@settings(max_examples=examples(200))
def test_one_changed_character_never_escapes_as_another_error(position: int, character: str) -> None:
    text = "".join(UTO_TD1)
    with contextlib.suppress(DecodeError):
        decode_mrz(text[:position] + character + text[position + 1 :])


def test_joined_lines_have_no_line_ends_and_no_surplus() -> None:
    assert decode_joined_mrz("".join(UTO_TD1)) == decode_mrz(UTO_TD1) == decode_mrz("\r\n".join(UTO_TD1))
    for wrong in ("\n".join(UTO_TD1), "".join(UTO_TD1) + "<", "".join(UTO_TD1)[:-1], ""):
        with pytest.raises(DecodeError, match="not 3 lines"):
            decode_joined_mrz(wrong)
    two_lines = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
    assert decode_mrz("\r\n".join(two_lines)) == decode_joined_mrz("".join(two_lines))
    with pytest.raises(DecodeError):
        decode_joined_mrz("\r\n".join(two_lines))  # as many characters as a TD1 has
    with pytest.raises(DecodeError):
        decode_mrz("".join(two_lines) + "<")
