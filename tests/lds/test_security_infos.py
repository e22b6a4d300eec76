from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.errors import DecodeError
from eid.lds.card_access import CardAccess, decode_card_access
from eid.lds.dg14 import DG14, decode_dg14
from eid.lds.security_infos import (
    ID_AA,
    ID_CA_ECDH,
    ID_PACE_ECDH_CAM,
    ID_PACE_ECDH_GM,
    ID_PK_ECDH,
    ID_TA,
    MAX_SECURITY_INFOS,
    ActiveAuthenticationInfo,
    ChipAuthenticationDomainParameterInfo,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    EFDIRInfo,
    PACEDomainParameterInfo,
    PACEInfo,
    SecurityInfo,
    TerminalAuthenticationInfo,
    UnknownSecurityInfo,
    decode_security_infos,
    encode_security_info,
    encode_security_infos,
    find_security_infos,
)
from tests.builders.sweep import examples

ECDSA_PLAIN_SHA256 = "0.4.0.127.0.7.1.1.4.1.3"
SEQUENCE_OF_ONE = der.encode_sequence(der.encode_integer(1))

EVERY_KIND: tuple[SecurityInfo, ...] = (
    PACEInfo(ID_PACE_ECDH_GM + ".4", 2, 12),
    PACEInfo(ID_PACE_ECDH_CAM + ".2", 2, None),
    PACEDomainParameterInfo(ID_PACE_ECDH_GM, SEQUENCE_OF_ONE, 32),
    PACEDomainParameterInfo(ID_PACE_ECDH_GM, SEQUENCE_OF_ONE),
    ChipAuthenticationInfo(ID_CA_ECDH + ".4", 1, 7),
    ChipAuthenticationInfo(ID_CA_ECDH + ".1"),
    ChipAuthenticationDomainParameterInfo(ID_CA_ECDH, SEQUENCE_OF_ONE, 300),
    ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, SEQUENCE_OF_ONE, 7),
    ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, SEQUENCE_OF_ONE),
    TerminalAuthenticationInfo(),
    TerminalAuthenticationInfo(ef_cvca_fid=0x011C),
    TerminalAuthenticationInfo(version=2, ef_cvca_fid=0x011C, ef_cvca_sfi=0x1C),
    ActiveAuthenticationInfo(ECDSA_PLAIN_SHA256),
    EFDIRInfo(bytes.fromhex("61094F07A0000002471001")),
    UnknownSecurityInfo("0.4.0.127.0.7.2.2.6", SEQUENCE_OF_ONE, der.encode_null() + SEQUENCE_OF_ONE),
    UnknownSecurityInfo("1.2.3", b""),
    UnknownSecurityInfo(ID_PACE_ECDH_GM + ".9", SEQUENCE_OF_ONE),
)


def test_ef_card_access_of_the_bsi_worked_example(vectors: Any) -> None:
    raw = bytes.fromhex(vectors["ef_cardaccess"]["raw"])
    decoded = decode_card_access(raw)
    assert decoded.raw == raw
    assert decoded.encode() == raw
    assert decoded.pace_infos == (PACEInfo("0.4.0.127.0.7.2.2.4.2.2", 2, 13),)
    assert decoded.security_infos[0] == TerminalAuthenticationInfo(version=2)
    assert decoded.security_infos[1] == ChipAuthenticationInfo("0.4.0.127.0.7.2.2.3.2.2", 2, 1)
    domain = decoded.security_infos[3]
    assert isinstance(domain, ChipAuthenticationDomainParameterInfo)
    assert domain.domain_parameter == bytes.fromhex("300C060704007F0007010202010D")
    assert [info.protocol for info in decoded.security_infos[4:]] == ["0.4.0.127.0.7.2.2.6", "0.4.0.127.0.7.2.2.8"]


def test_pace_info_of_doc_9303_11_g1(vectors: Any) -> None:
    vector = vectors["pace_info"]
    info = PACEInfo(vector["protocol"], vector["version"], vector["parameter_id"])
    assert encode_security_info(info).hex().upper() == vector["raw"]
    assert decode_security_infos(der.encode_set_of([bytes.fromhex(vector["raw"])])) == (info,)


@pytest.mark.parametrize("info", EVERY_KIND, ids=lambda info: type(info).__name__)
def test_round_trip_of_each_kind(info: SecurityInfo) -> None:
    assert decode_security_infos(encode_security_infos([info])) == (info,)


def test_encoding_sorts_and_decoding_keeps_the_order_that_stands() -> None:
    encoded = encode_security_infos(EVERY_KIND)
    assert encode_security_infos(reversed(EVERY_KIND)) == encoded
    unsorted = der.encode(der.SET, b"".join(encode_security_info(info) for info in EVERY_KIND))
    assert unsorted != encoded
    assert decode_security_infos(unsorted) == EVERY_KIND


def test_dg14_keeps_its_raw_bytes_where_the_set_is_not_sorted() -> None:
    value = der.encode(der.SET, b"".join(encode_security_info(info) for info in EVERY_KIND))
    raw = der.encode(0x6E, value)
    decoded = decode_dg14(raw)
    assert decoded.raw == raw
    assert decoded == DG14(EVERY_KIND)
    assert decoded.encode() != raw
    assert decode_dg14(decoded.encode()).security_infos != EVERY_KIND


def test_the_repr_shows_no_key() -> None:
    assert "30" not in repr(ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, bytes.fromhex("3030"))).replace(ID_PK_ECDH, "")


def oid(dotted: str) -> bytes:
    return der.encode_oid(dotted)


@pytest.mark.parametrize(
    "content",
    [
        oid(ID_PACE_ECDH_GM + ".2"),  # no version
        oid(ID_PACE_ECDH_GM + ".2") + der.encode_integer(-1),
        oid(ID_PACE_ECDH_GM + ".2") + der.encode_integer(2) * 3,
        oid(ID_PACE_ECDH_GM),
        oid("0.4.0.127.0.7.2.2.2") + der.encode_integer(1) + der.encode_sequence(der.encode_octet_string(b"\1")),
        oid("0.4.0.127.0.7.2.2.2") + der.encode_integer(1) + der.encode_sequence(),
        oid("0.4.0.127.0.7.2.2.2") + der.encode_integer(1) + der.encode_sequence() * 2,
        oid("2.23.136.1.1.5") + der.encode_integer(1),
        oid("2.23.136.1.1.5") + der.encode_integer(1) + oid(ECDSA_PLAIN_SHA256) + der.encode_null(),
        oid("2.23.136.1.1.13") + der.encode_null(),
        oid("2.23.136.1.1.13") + der.encode_octet_string(b"") + der.encode_null(),
        oid(ID_PK_ECDH) + der.encode_null(),
        der.encode_null(),
        b"",
    ],
)
def test_malformed_known_infos_are_refused(content: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_security_infos(der.encode_set_of([der.encode_sequence(content)]))


def test_too_many_trailing_octets_and_other_tags_are_refused() -> None:
    one = encode_security_info(PACEInfo(ID_PACE_ECDH_GM + ".2"))
    assert len(decode_security_infos(der.encode_set_of([one] * MAX_SECURITY_INFOS))) == MAX_SECURITY_INFOS
    for raw in (
        der.encode_set_of([one] * (MAX_SECURITY_INFOS + 1)),
        der.encode_set_of([one]) + b"\0",
        der.encode_sequence(one),
        der.encode_set_of([der.encode_null()]),
    ):
        with pytest.raises(DecodeError):
            decode_security_infos(raw)


def test_card_access_without_pace() -> None:
    assert decode_card_access(CardAccess((TerminalAuthenticationInfo(),)).encode()).pace_infos == ()


@given(st.binary(max_size=200))
@settings(max_examples=examples(200))
def test_arbitrary_bytes_are_decoded_or_refused(raw: bytes) -> None:
    for decoder in (decode_security_infos, decode_card_access, decode_dg14):
        for data in (raw, der.encode(der.SET, raw), der.encode(0x6E, der.encode(der.SET, raw))):
            try:
                decoder(data)
            except DecodeError:
                pass


@given(st.data())
@settings(max_examples=examples(200))
def test_a_changed_octet_is_decoded_or_refused(data: st.DataObject) -> None:
    raw = bytearray(encode_security_infos(EVERY_KIND))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_security_infos(bytes(raw))
    except DecodeError:
        return
    assert decode_security_infos(encode_security_infos(decoded)) is not None


def test_what_is_looked_for_is_decoded_and_the_rest_is_passed_over() -> None:
    raw = encode_security_infos(EVERY_KIND)
    whole = decode_security_infos(raw)
    assert find_security_infos(raw, {info.protocol for info in EVERY_KIND}) == tuple(
        info for info in whole if not isinstance(info, UnknownSecurityInfo)
    )
    assert find_security_infos(raw, (ID_TA,)) == tuple(info for info in whole if info.protocol == ID_TA)
    assert find_security_infos(raw, ()) == ()


def test_a_defect_counts_where_it_is_looked_for() -> None:
    malformed = der.encode_sequence(der.encode_oid(ID_TA), der.encode_null())
    raw = der.encode_set_of((malformed, encode_security_info(ActiveAuthenticationInfo("1.2.3"))))
    assert find_security_infos(raw, (ID_AA,)) == (ActiveAuthenticationInfo("1.2.3"),)
    for wrong in (raw, raw + b"\0", raw[:-1], b"\x31\x02\x05\x00"):
        with pytest.raises(DecodeError):
            find_security_infos(wrong, (ID_TA,))
    with pytest.raises(DecodeError, match="more than 64"):
        find_security_infos(der.encode_set_of([malformed] * 65), ())
