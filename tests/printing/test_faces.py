from __future__ import annotations

import difflib
import io
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from eid.errors import DecodeError, ProfileError, RecordError
from eid.identity import IdentityRecord
from eid.mrz import Mrz, MrzFormat, PartialDate, build_mrz
from eid.printing.faces import Faces, render_faces
from eid.printing.fonts import SHAPING, FontBook
from eid.printing.printed_card import PrintedCard, build_printed_card, format_date
from eid.printing.text import pixel_box, set_text
from eid.profile.layout import Box, FaceLayout, TextField, TextStyle


def mrz_of(record: IdentityRecord) -> Mrz:
    return build_mrz(
        MrzFormat.TD1,
        document_code="I",
        issuing_state=record.issuing_state,
        document_number=record.document_number,
        nationality=record.nationality,
        date_of_birth=record.date_of_birth.mrz,
        sex=record.sex,
        date_of_expiry=record.expires_on.strftime("%y%m%d"),
        family_name=record.family_name.latin,
        given_names=record.given_names.latin,
        optional_data_1=record.personal_number[:15],
    )


def card_of(record: IdentityRecord, layout: FaceLayout) -> PrintedCard:
    return build_printed_card(record, mrz_of(record), "123456", layout)


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


@pytest.fixture(scope="module")
def faces(record: IdentityRecord, layout: FaceLayout, fonts: FontBook) -> Faces:
    return render_faces(card_of(record, layout), layout, 600)


def test_faces_are_id_1_at_their_resolution(record: IdentityRecord, layout: FaceLayout, faces: Faces) -> None:
    small = render_faces(card_of(record, layout), layout, 300)
    for png, size, dpi in (
        (small.front, (1012, 638), 300),
        (small.back, (1012, 638), 300),
        (faces.front, (2024, 1276), 600),
        (faces.back, (2024, 1276), 600),
    ):
        image = opened(png)
        assert image.size == size
        assert image.info["dpi"] == pytest.approx((dpi, dpi), abs=0.02)
    assert small.missing_fonts == small.small_texts == ()


@pytest.mark.parametrize("dpi", [300, 600])
@pytest.mark.parametrize("which", ["record", "long_record"])
def test_the_ink_of_every_text_lies_in_its_box(
    which: str, dpi: int, layout: FaceLayout, fonts: FontBook, request: pytest.FixtureRequest
) -> None:
    texts = card_of(request.getfixturevalue(which), layout).texts
    scale = dpi / 25.4
    fields = [field for face in (layout.front, layout.back) for field in face.texts]
    assert len(fields) > 40
    for field in fields:
        text = field.text or texts.get(field.source or "", "")
        if not text:
            assert (field.source or "").startswith("partner")
            continue
        image = Image.new("RGB", (round(90 * scale), round(58 * scale)), "white")
        set_text(text, field, fonts, scale).draw(image, (0, 0, 0))
        ink = ImageChops.invert(image).convert("L").getbbox()
        left, top, right, bottom = pixel_box(field, scale)
        assert ink is not None
        assert left <= ink[0] and top <= ink[1] and ink[2] <= right and ink[3] <= bottom, field  # noqa: PT018


def test_long_texts_are_shrunk_and_reported(long_record: IdentityRecord, layout: FaceLayout, fonts: FontBook) -> None:
    rendered = render_faces(card_of(long_record, layout), layout, 300)
    assert "place_of_birth.latin" in rendered.small_texts
    assert "date_of_birth" not in rendered.small_texts


def test_arabic_is_joined_and_runs_from_right_to_left(layout: FaceLayout, fonts: FontBook) -> None:
    style = TextStyle("arabic-bold", 4.0, "right", (0, 0, 0))
    box = Box(0, 0, 60, 8)

    def ink(text: str) -> Image.Image:
        image = Image.new("L", (720, 96), 0)
        set_text(text, TextField(None, text, box, style, 1), fonts, 12).draw(image, 255)  # type: ignore[arg-type]  # literals and pixels as Pillow has them
        return image

    def width(image: Image.Image) -> int:
        found = image.getbbox()
        assert found is not None
        return found[2] - found[0]

    # Joined letters are narrower than the same letters apart, and leave no empty column between them.
    joined, apart = ink("عينة"), ink("ع\u200cي\u200cن\u200cة")
    assert width(joined) < 0.9 * width(apart)
    found = joined.getbbox()
    assert found is not None
    columns = [joined.crop((x, 0, x + 1, 96)).getbbox() for x in range(found[0], found[2])]
    assert all(column is not None for column in columns)
    # The first letter stands at the right: an alef is a tall stroke, seen at the right end only.
    word = ink("اسس")
    box_of_word = word.getbbox()
    assert box_of_word is not None
    right_end = word.crop((box_of_word[2] - 8, 0, box_of_word[2], 96)).getbbox()
    left_end = word.crop((box_of_word[0], 0, box_of_word[0] + 8, 96)).getbbox()
    assert right_end is not None
    assert left_end is not None
    assert right_end[3] - right_end[1] > 1.3 * (left_end[3] - left_end[1])


def test_mrz_cells_stand_at_ten_to_the_inch_and_are_those_of_dg1(
    record: IdentityRecord, layout: FaceLayout, faces: Faces
) -> None:
    zone = layout.back.mrz
    assert zone is not None
    scale = 600 / 25.4
    grey = opened(faces.back).convert("L").point([255 if value < 110 else 0 for value in range(256)])
    for line, centre in zip(mrz_of(record).encode(), zone.centres, strict=True):
        for index, _ in enumerate(line):
            left = zone.left + index * zone.pitch
            cell = (left * scale, (centre - 2) * scale, (left + zone.pitch) * scale, (centre + 2) * scale)
            ink = grey.crop(tuple(round(edge) for edge in cell)).getbbox()  # type: ignore[arg-type]  # literals and pixels as Pillow has them
            assert ink is not None
            assert (ink[0] + ink[2]) / 2 / scale == pytest.approx(zone.pitch / 2, abs=0.35)


def test_an_independent_reader_reads_the_mrz(
    record: IdentityRecord, faces: Faces, tmp_path: Path, require_tool: Callable[[str], Path]
) -> None:
    tesseract = require_tool("tesseract")
    image = opened(faces.back)
    image.crop((0, round(image.height * 30.78 / 53.98), *image.size)).save(tmp_path / "mrz.png", dpi=(600, 600))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<"
    answer = subprocess.run(
        [tesseract, str(tmp_path / "mrz.png"), "-", "--psm", "6", "-c", f"tessedit_char_whitelist={alphabet}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = answer.stdout.split()
    assert len(lines) == 3
    for read, printed in zip(lines, mrz_of(record).encode(), strict=True):  # the general model takes < for K at times
        assert difflib.SequenceMatcher(None, read.replace("K", "<"), printed).ratio() > 0.9


def test_only_specimens_are_overprinted(record: IdentityRecord, layout: FaceLayout, fonts: FontBook) -> None:
    marked = render_faces(card_of(record, layout), layout, 150)
    plain = render_faces(replace(card_of(record, layout), specimen=False), layout, 150)
    for one, two in ((marked.front, plain.front), (marked.back, plain.back)):
        box = ImageChops.difference(opened(one), opened(two)).getbbox()
        assert box is not None
        assert box[2] - box[0] > 250


def test_missing_fonts_are_named_and_noticed_and_the_faces_still_drawn(
    record: IdentityRecord, layout: FaceLayout, tmp_path: Path
) -> None:
    bare = render_faces(card_of(record, layout), layout, 150, [tmp_path])
    assert bare.missing_fonts == tuple(names[0] for names in layout.fonts.values())
    assert opened(bare.front).size == (506, 319)
    red = opened(bare.back).crop((20, 200, 490, 300)).getcolors(100_000)
    assert red is not None
    assert any(colour == (176, 32, 32) for _, colour in red)


def test_a_layout_may_want_an_error_for_a_missing_font(
    record: IdentityRecord, layout: FaceLayout, tmp_path: Path
) -> None:
    strict = replace(layout, when_font_missing="error")
    with pytest.raises(ProfileError, match=r"OCRB\.otf"):
        render_faces(card_of(record, layout), strict, 300, [tmp_path])


def test_a_broken_font_file_is_named(record: IdentityRecord, layout: FaceLayout, tmp_path: Path) -> None:
    (tmp_path / "NotoSans-Bold.ttf").write_bytes(b"no font")
    with pytest.raises(ProfileError, match=r"NotoSans-Bold\.ttf cannot be read"):
        render_faces(card_of(record, layout), layout, 300, [tmp_path])


def test_an_unshapeable_arabic_is_missing(layout: FaceLayout, fonts: FontBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eid.printing.fonts.features.check", lambda name: False)
    book = FontBook(layout)
    assert not book.has("arabic")
    assert book.missing == (SHAPING,)


def test_without_accents_in_the_built_in_font(layout: FaceLayout, tmp_path: Path, fonts: FontBook) -> None:
    assert FontBook(layout, [tmp_path]).showable("latin", "Épouse") == "Epouse"
    assert fonts.showable("latin", "Épouse") == "Épouse"


def test_signature_and_partner_are_printed(record: IdentityRecord, layout: FaceLayout, fonts: FontBook) -> None:
    front = replace(layout.front, images=(*layout.front.images, replace(layout.front.images[0], source="signature")))
    signed = replace(record, signature_image=record.portrait)
    with_place = replace(layout, front=front)
    one = render_faces(card_of(record, with_place), with_place, 150)
    two = render_faces(card_of(signed, with_place), with_place, 150)
    assert one.front != two.front
    assert one.back == two.back


def test_what_cannot_be_printed_is_refused(record: IdentityRecord, layout: FaceLayout, fonts: FontBook) -> None:
    card = card_of(record, layout)
    with pytest.raises(RecordError, match="dpi"):
        render_faces(card, layout, 72)
    with pytest.raises(RecordError, match="MRZ lines"):
        render_faces(replace(card, mrz=card.mrz[:2]), layout, 150)
    with pytest.raises(RecordError, match="wider"):
        render_faces(replace(card, mrz=("A" * 44,) * 3), layout, 150)
    with pytest.raises(RecordError, match=r"can does not fit"):
        render_faces(replace(card, texts={**card.texts, "can": "9" * 400}), layout, 150)
    with pytest.raises(DecodeError):
        render_faces(replace(card, portrait=b"\xff\xd8\xff junk"), layout, 150)


def test_values_are_hidden_and_dates_printed_as_doc_9303_wants(record: IdentityRecord, layout: FaceLayout) -> None:
    assert repr(card_of(record, layout)) == "PrintedCard(specimen=True)"
    assert format_date(date(2036, 11, 2)) == "02.11.2036"
    assert format_date(PartialDate(1950, 7)) == "XX.07.1950"
    assert format_date(PartialDate(1950)) == "XX.XX.1950"
    widow = replace(record, partner=None)
    assert "partner.latin" not in card_of(widow, layout).texts
