from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from eid.identity import BilingualText, IdentityRecord, PartnerMention, specimen_record
from eid.imaging import ImageFormat
from eid.imaging.encode import encode_portrait
from eid.imaging.portrait import draw_specimen_portrait
from eid.printing.fonts import FontBook
from eid.profile.layout import FaceLayout, decode_face_layout
from tests.builders.machine import missing

LONG_LATIN = (
    "ABDERRAHMANE EL MOUSTAPHA BEN ABDELLATIF OULED SIDI MOHAMMED "
    "EL GHAZOUANI EL IDRISSI EL HASSANI BENT SPECIMEN JÄGQÇ"
)
LONG_ARABIC = "عبد الرحمان المصطفى بن عبد اللطيف أولاد سيدي محمد الغزواني الإدريسي الحسني بن عبد القادر بن عينة"


@pytest.fixture(scope="session")
def layout() -> FaceLayout:
    path = Path(__file__).parents[2] / "card_profiles" / "ma-cnie.layout.toml"
    return decode_face_layout(path.read_bytes())


@pytest.fixture(scope="session")
def fonts(layout: FaceLayout) -> FontBook:
    book = FontBook(layout)
    if book.missing:
        missing(f"fonts are not installed: {', '.join(book.missing)}")
    return book


@pytest.fixture(scope="session")
def portrait() -> bytes:
    return encode_portrait(draw_specimen_portrait(), ImageFormat.JPEG, 18_000)


@pytest.fixture(scope="session")
def record(portrait: bytes) -> IdentityRecord:
    return specimen_record(date(2026, 11, 22), portrait)


@pytest.fixture(scope="session")
def long_record(record: IdentityRecord) -> IdentityRecord:
    name = BilingualText(LONG_ARABIC, LONG_LATIN)
    lines = BilingualText("\n".join([LONG_ARABIC[:39].strip()] * 3), "\n".join([LONG_LATIN[:39].strip()] * 3))
    return replace(
        record,
        family_name=name,
        given_names=name,
        place_of_birth=name,
        father=name,
        mother=name,
        issuing_authority=name,
        address=lines,
        partner=PartnerMention("widower", name),
        civil_status_number="12345678901234567890/1985 B 123",
        personal_number="ZZ12345678ZZ12345678",
        document_number="SPECIMEN1",
    )
