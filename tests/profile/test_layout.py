from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import ProfileError
from eid.profile.layout import FONT_ROLES, Box, decode_face_layout, is_from_the_right
from tests.builders.sweep import examples

SHIPPED = (Path(__file__).parents[2] / "card_profiles" / "ma-cnie.layout.toml").read_text(encoding="utf-8")


def test_the_shipped_layout_is_an_id_1_card_without_overlaps() -> None:
    layout = decode_face_layout(SHIPPED.encode())
    assert (layout.width, layout.height) == (85.60, 53.98)
    assert set(layout.fonts) == {*FONT_ROLES, "arabic", "arabic-bold"}
    assert [is_from_the_right(role) for role in ("arabic-bold", "hebrew", "greek", "latin")] == [
        True,
        True,
        False,
        False,
    ]
    for face in (layout.front, layout.back):
        boxes = [box for _, box in face.boxes()]
        assert len(boxes) > 15
        assert not any(one.overlaps(two) for one in boxes for two in boxes if one is not two)
        assert all(box.is_within(layout.width, layout.height) for box in boxes)
    sources = {text.source for face in (layout.front, layout.back) for text in face.texts}
    # Law 04-20: names, birth, expiry, numbers, CAN and authority in front; number, parents, address, sex behind.
    assert {"family_name.arabic", "given_names.latin", "date_of_birth", "place_of_birth.arabic", "can"} <= sources
    assert {"father.arabic", "mother.latin", "address.arabic", "sex", "civil_status_number"} <= sources


def test_the_mrz_is_where_doc_9303_5_puts_it() -> None:
    mrz = decode_face_layout(SHIPPED.encode()).back.mrz
    assert mrz is not None
    assert mrz.box == Box(0, 30.78, 85.60, 23.20)
    assert mrz.pitch == 2.54
    assert [round(later - line, 2) for line, later in zip(mrz.centres, mrz.centres[1:], strict=False)] == [6.35, 6.35]
    assert mrz.left + 30 * mrz.pitch < 85.60 - 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("eid-face-layout", "other", "not eid-face-layout"),
        ("version = 1", "version = 2", "not eid-face-layout"),
        ("version = 1", 'version = "1"', "layout.version is not a whole number"),
        ("size = [85.60, 53.98]", "", "layout.size is missing"),
        ("size = [85.60, 53.98]", "size = [85.60]", "array of 2 numbers"),
        ("size = [85.60, 53.98]", 'size = [85.60, "x"]', "number of millimetres"),
        ("size = [85.60, 53.98]", "size = [85.60, nan]", "number of millimetres"),
        ("size = [85.60, 53.98]", "size = [60.0, 53.98]", "leaves the card"),
        ("size = [85.60, 53.98]", "size = [85.60, 53.98]\nextra = 1", "layout.extra is unknown"),
        ('when_font_missing = "notice"', 'when_font_missing = "guess"', "one of notice, error"),
        ('ocr-b = ["OCRB.otf"]', "ocr-b = []", "fonts.ocr-b is not an array"),
        ('ocr-b = ["OCRB.otf"]', "ocr-b = [3]", "fonts.ocr-b is not a text"),
        ('top = "#f4f8f7"', 'top = "green"', "palette.top is not a colour"),
        ('style = "number"', 'style = "nombre"', r"front.texts\[\d+\].style is not one of"),
        ('source = "can", style', 'source = "cam", style', r"front.texts\[\d+\].source is not one of"),
        ('source = "can", style', 'source = "can", text = "x", style', "exactly one of source and text"),
        ("[4.0, 13.0, 24.0, 30.86]", "[4.0, 13.0, 28.0, 30.86]", "portrait overlap|'Nom' and portrait"),
        ("[4.0, 44.6, 24.0, 4.6]", "[4.0, 42.0, 24.0, 4.6]", "personal_number and portrait overlap"),
        ("[back.mrz]", "[back]\nmrz = 3\n[other]", "no TOML"),
        ("pitch = 2.54", "pitch = 2.54\nstep = 1", "mrz.step is unknown"),
    ],
)
def test_faults_are_named(old: str, new: str, message: str) -> None:
    assert old in SHIPPED
    with pytest.raises(ProfileError, match=message):
        decode_face_layout(SHIPPED.replace(old, new, 1).encode())


@pytest.mark.parametrize("key", ["front", "palette", "styles"])
def test_tables_must_be_tables(key: str) -> None:
    lines = [line for line in SHIPPED.splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace(f"[{key}]", f"[{key}x]", 1)
    head = text.index("[fonts]")
    with pytest.raises(ProfileError, match=f"layout.{key} is not a table"):
        decode_face_layout((text[:head] + f"{key} = 3\n" + text[head:]).encode())


@pytest.mark.parametrize("value", ["3", "[3]"])
def test_texts_must_be_tables(value: str) -> None:
    start, end = SHIPPED.index("texts = [", SHIPPED.index("[back]")), SHIPPED.index("# Doc 9303-5 3.2.1")
    with pytest.raises(ProfileError, match=r"back\.texts"):
        decode_face_layout((SHIPPED[:start] + f"texts = {value}\n" + SHIPPED[end:]).encode())


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=examples(100))
def test_junk_raises_profile_error_only(junk: bytes) -> None:
    with pytest.raises(ProfileError):
        decode_face_layout(junk)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ProfileError):
        decode_face_layout(b"a = " + b"[" * 50_000)
