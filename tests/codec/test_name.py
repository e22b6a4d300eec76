from __future__ import annotations

import pytest
from asn1crypto import core
from asn1crypto import x509 as asn1
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import der, oid
from eid.codec.defect import Defect, DefectCode
from eid.codec.name import decode_name, encode_name, read_name
from eid.errors import DecodeError

MOROCCO = (("C", "MA"), ("O", "SPECIMEN"), ("OU", "Autorité de certification"), ("CN", "السلطة"))


def pair(attribute_type: str, tag: int, content: bytes) -> bytes:
    return der.encode_sequence(der.encode_oid(attribute_type), der.encode(tag, content))


def name_of(*pairs: bytes) -> bytes:
    return der.encode_sequence(*(der.encode(der.SET, item) for item in pairs))


def test_round_trip_and_asn1crypto_agrees() -> None:
    raw = encode_name(MOROCCO)
    name = decode_name(raw)
    assert str(name) == "C=MA,O=SPECIMEN,OU=Autorité de certification,CN=السلطة"
    assert asn1.Name.load(raw).native == {
        "country_name": "MA",
        "organization_name": "SPECIMEN",
        "organizational_unit_name": "Autorité de certification",
        "common_name": "السلطة",
    }
    assert (name.country, name.find(oid.LOCALITY_NAME)) == ("MA", None)
    assert read_name(raw, 0, len(raw), "x") == ("MA", len(raw))


def test_string_types_of_doc_9303_12() -> None:
    raw = encode_name((("C", "UT"), ("serialNumber", "001"), ("DC", "example"), ("emailAddress", "a@b"), ("CN", "x")))
    values = [relative_name[0]["value"] for relative_name in asn1.Name.load(raw).chosen]
    texts = [value.chosen if isinstance(value, core.Choice) else value for value in values]
    types = [core.PrintableString, core.PrintableString, core.IA5String, core.IA5String, core.UTF8String]
    assert all(isinstance(text, due) for text, due in zip(texts, types, strict=True))
    with pytest.raises(ValueError, match="repertoire"):
        encode_name((("C", "é"),))


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        (oid.COUNTRY_NAME, (der.PRINTABLE_STRING, b"DE"), (der.UTF8_STRING, b"de")),
        (oid.COMMON_NAME, (der.UTF8_STRING, b"Country  Signer "), (der.PRINTABLE_STRING, b"country signer")),
        (oid.COMMON_NAME, (der.BMP_STRING, "Ürün".encode("utf-16-be")), (der.UTF8_STRING, "ÜRÜN".encode())),
        (oid.COMMON_NAME, (der.T61_STRING, b"\xe9"), (der.UTF8_STRING, "e\u0301".encode())),
    ],
)
def test_names_are_equal_whatever_their_string_type(
    kind: str, first: tuple[int, bytes], second: tuple[int, bytes]
) -> None:
    one, other = name_of(pair(kind, *first)), name_of(pair(kind, *second))
    assert one != other
    assert decode_name(one).normalised == decode_name(other).normalised


def test_names_differ_by_order_and_text() -> None:
    assert decode_name(encode_name(MOROCCO)).normalised != decode_name(encode_name(MOROCCO[::-1])).normalised
    assert decode_name(encode_name((("CN", "a"),))).normalised != decode_name(encode_name((("CN", "b"),))).normalised


def test_relative_name_of_two_attributes() -> None:
    pairs = sorted((pair(oid.COUNTRY_NAME, der.PRINTABLE_STRING, b"fr"), pair(oid.COMMON_NAME, der.UTF8_STRING, b"x")))
    raw = name_of(b"".join(pairs))
    assert str(decode_name(raw)) == "CN=x+C=fr"
    assert read_name(raw, 0, len(raw), "x")[0] == "FR"
    backwards = name_of(b"".join(reversed(pairs)))
    with pytest.raises(DecodeError, match="out of order"):
        decode_name(backwards)
    defects: list[Defect] = []
    assert decode_name(backwards, defects=defects).normalised == decode_name(raw).normalised
    assert [item.code for item in defects] == [DefectCode.MALFORMED_NAME]


def test_text_outside_its_type_is_a_defect() -> None:
    raw = name_of(pair(oid.COMMON_NAME, der.PRINTABLE_STRING, b"a@b"))
    with pytest.raises(DecodeError, match="outside the string type"):
        decode_name(raw)
    defects: list[Defect] = []
    assert str(decode_name(raw, defects=defects)) == "CN=a@b"
    assert [item.code for item in defects] == [DefectCode.MALFORMED_NAME]


def test_text_form_escapes() -> None:
    assert str(decode_name(encode_name((("CN", "#a,b+c\\"), ("1.2.3", "x"))))) == "CN=\\#a\\,b\\+c\\\\,1.2.3=x"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x30\x02\x31\x00",
        b"\x30\x02\x30\x00",
        name_of(pair(oid.COUNTRY_NAME, der.UTF8_STRING, b"\xff")),
        name_of(der.encode_sequence(der.encode_oid(oid.COUNTRY_NAME))),
        name_of(pair(oid.COUNTRY_NAME, der.UTF8_STRING, b"MA")[:-1]),
        name_of(der.encode_sequence(der.encode_oid(oid.COUNTRY_NAME), b"\x0c\x00\x0c\x00")),
        encode_name(MOROCCO)[:-1],
    ],
)
def test_malformed_names(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_name(raw)
    with pytest.raises(DecodeError):
        read_name(raw, 0, len(raw), "x")


def test_trailing_octets_and_size() -> None:
    with pytest.raises(DecodeError, match="follow"):
        decode_name(encode_name(MOROCCO) + b"\x00")
    with pytest.raises(DecodeError, match="over 8192"):
        decode_name(encode_name((("CN", "x" * 9000),)))


@given(st.binary(max_size=60))
def test_any_octets(raw: bytes) -> None:
    for data in (raw, der.encode_sequence(der.encode(der.SET, der.encode_sequence(raw)))):
        try:
            decode_name(data)
        except DecodeError:
            continue
        assert read_name(data, 0, len(data), "x")[1] == len(data)
