from __future__ import annotations

from datetime import UTC, datetime

import pytest

from eid.evidence import Evidence, Origin, ReadFile
from eid.imaging import ImageFormat, inspect_image
from eid.lds.dg1 import DG1, build_dg1
from eid.lds.dg2 import build_dg2
from eid.lds.dg11 import DG11
from eid.lds.dg12 import DG12
from eid.lds.dg13 import DG13, PersonName, StatusListReference
from eid.locale import clean_text
from eid.services.reading.holder import _hyphenated, decode_portrait, describe_holder
from tests.builders.document import MRZ
from tests.builders.issuance import portrait


def evidence(gathered_at: datetime = datetime(2026, 6, 1, tzinfo=UTC), **files: bytes) -> Evidence:
    read = tuple(ReadFile(name, raw) for name, raw in files.items())
    return Evidence(Origin.UPLOAD, gathered_at, None, "", "", read)


def test_everything_that_a_chip_says():
    dg11 = DG11(
        full_name="SPECIMEN<<ANNA<MARIA",
        other_names=("MODEL<<ANNA",),
        personal_number="ZZ1",
        full_date_of_birth="19850214",
        place_of_birth=("UTOPIA CITY", "UTO"),
        permanent_address=("1 MODEL STREET", "UTOPIA CITY"),
        profession="SPECIMEN",
    )
    dg12 = DG12(issuing_authority="SPECIMEN AUTHORITY", date_of_issue="20260601", endorsements="NONE")
    dg13 = DG13(
        father=PersonName("محمد", "MOHAMMED"),
        mother=PersonName("", "KHADIJA"),
        civil_status_number="1/1985",
        status_list=StatusListReference("https://status.example.org/1", 7),
    )
    said = describe_holder(
        evidence(DG1=build_dg1(MRZ).encode(), DG11=dg11.encode(), DG12=dg12.encode(), DG13=dg13.encode())
    )
    assert said == (
        ("Family name", "SPECIMEN"),
        ("Given names", "ANNA MARIA"),
        ("Document", "I UTO SPEC00001"),
        ("Nationality", "UTO"),
        ("Date of birth", "1985-02-14"),
        ("Date of expiry", "2035-06-01"),
        ("Sex", "F"),
        ("Full name", "SPECIMEN ANNA MARIA"),
        ("Other name", "MODEL ANNA"),
        ("Personal number", "ZZ1"),
        ("Full date of birth", "1985-02-14"),
        ("Place of birth", "UTOPIA CITY"),
        ("Place of birth", "UTO"),
        ("Address", "1 MODEL STREET"),
        ("Address", "UTOPIA CITY"),
        ("Profession", "SPECIMEN"),
        ("Issuing authority", "SPECIMEN AUTHORITY"),
        ("Date of issue", "2026-06-01"),
        ("Endorsements", "NONE"),
        ("Father", "محمد"),
        ("Father", "MOHAMMED"),
        ("Mother", "KHADIJA"),
        ("Civil status number", "1/1985"),
        ("Status list", "https://status.example.org/1#7"),
    )


@pytest.mark.parametrize("name", ["DG1", "DG2", "DG11", "DG12", "DG13"])
@pytest.mark.parametrize("raw", [b"", b"\x61\x00", b"\x6b\x82\xff\xff", bytes(100)])
def test_malformed_groups_are_left_out(name, raw):
    assert describe_holder(evidence(**{name: raw})) == ()
    assert decode_portrait(evidence(**{name: raw})) is None


def test_wrong_check_digit_shows_nothing():
    text = MRZ.text
    wrong = str((int(text[14]) + 1) % 10)
    assert describe_holder(evidence(DG1=DG1(text[:14] + wrong + text[15:]).encode())) == ()


@pytest.mark.parametrize("year", [1, 49, 9999])
def test_a_clock_at_the_edge_of_the_calendar(year):
    said = dict(describe_holder(evidence(datetime(year, 1, 1, tzinfo=UTC), DG1=build_dg1(MRZ).encode())))
    assert said["Date of expiry"].replace("-", "").endswith("350601")


def test_control_characters_cannot_act():
    dg11 = DG11(full_name="EVIL\x1b[2J\r\u202eNAME\u200c", personal_number="\x00\x07")
    said = dict(describe_holder(evidence(DG11=dg11.encode())))
    assert said["Full name"] == "EVIL\ufffd[2J\ufffd\ufffdNAME\u200c"
    assert said["Personal number"] == "\ufffd\ufffd"
    assert clean_text("ع\u200dع A-1") == "ع\u200dع A-1"


def test_portrait_is_decoded_anew():
    png = decode_portrait(evidence(DG2=build_dg2(portrait(), 207, 266).encode()))
    assert png is not None
    info = inspect_image(png)
    assert (info.format, info.width, info.height) == (ImageFormat.PNG, 207, 266)


def test_broken_portrait_is_none():
    broken = portrait()[:200]
    assert decode_portrait(evidence(DG2=build_dg2(broken, 207, 266).encode())) is None


@pytest.mark.parametrize(
    ("stated", "shown"),
    [("19850200", "1985-02"), ("19850000", "1985"), ("00000000", ""), ("", ""), (None, "")],
)
def test_parts_of_a_date_that_are_not_known_are_left_out(stated: str | None, shown: str) -> None:
    assert _hyphenated(stated) == shown
