from __future__ import annotations

import pytest
from asn1crypto.core import ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import oid
from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.errors import DecodeError

ARCS = st.tuples(st.integers(0, 1), st.integers(0, 39), st.lists(st.integers(0, 2**70), max_size=8)) | st.tuples(
    st.just(2), st.integers(0, 2**40), st.lists(st.integers(0, 2**70), max_size=8)
)


def dotted(arcs: tuple[int, int, list[int]]) -> str:
    return ".".join(map(str, (arcs[0], arcs[1], *arcs[2])))


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("2.100.3", "813403"),  # X.690 8.19.5
        ("1.2.840.113549", "2a864886f70d"),
        ("2.23.136.1.1.1", "678108010101"),
        ("0.4.0.127.0.7.2.2.4.2.2", "04007f00070202040202"),
    ],
)
def test_published_encodings(text: str, content: str) -> None:
    assert encode_oid_content(text).hex() == content
    assert decode_oid_content(bytes.fromhex(content)) == text


@given(ARCS)
def test_round_trip_and_asn1crypto_agrees(arcs: tuple[int, int, list[int]]) -> None:
    text = dotted(arcs)
    content = encode_oid_content(text)
    assert content == ObjectIdentifier(text).contents
    if len(content) <= oid.MAX_CONTENT:
        assert decode_oid_content(content) == text


@given(st.binary(max_size=140))
def test_any_octets_have_one_form_or_are_refused(content: bytes) -> None:
    try:
        assert encode_oid_content(decode_oid_content(content)) == content
    except DecodeError:
        return


@pytest.mark.parametrize("content", ["", "2a86", "2a8001", "80", "2a" + "01" * 128])
def test_malformed_contents_are_refused(content: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decode_oid_content(bytes.fromhex(content), 7)
    assert caught.value.offset == 7
    assert caught.value.clause is not None


@pytest.mark.parametrize("text", ["1", "3.1", "1.40", "0.40.1", "2.-1", "x.y"])
def test_encoder_refuses_what_is_no_identifier(text: str) -> None:
    with pytest.raises(ValueError, match=r"object identifier|invalid literal"):
        encode_oid_content(text)


def test_hash_tables_agree() -> None:
    assert {oid.HASH_OIDS[name] for name in oid.HASH_LENGTHS} == set(oid.HASH_NAMES)
