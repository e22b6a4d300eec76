"""Requests for CV certificates: who may sign what on them, and what is refused before the key is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec.cv import Chat, Role, decode_cv_authenticated_request, decode_cv_certificate, decode_cv_request
from eid.codec.oid import ID_AT, ID_IS, ID_ST
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import DecodeError, LifecycleError, Reason, VerificationError
from eid.pki.cv_chain import verify_cv_chain
from eid.pki.cv_request import (
    authenticate_cv_request,
    build_cv_request,
    certify_cv_request,
    verify_cv_request,
    verify_outer_signature,
)
from eid.pki.cv_rights import RIGHTS, all_rights, build_chat, name_rights, rights_of
from tests.builders.terminals import BEGIN, CVCA, DV, END, build_terminal_pki, ec_signer, rsa_signer

TODAY = date(2026, 6, 1)
PKI = build_terminal_pki()
REQUEST = build_cv_request(ec_signer("applicant"), "UTDVASKER00001", CVCA)


def test_round_trip() -> None:
    request = decode_cv_request(REQUEST)
    assert (request.holder_reference, request.authority_reference) == ("UTDVASKER00001", CVCA)
    assert verify_cv_request(REQUEST).key.curve is not None
    outer = authenticate_cv_request(REQUEST, PKI.dv, DV)
    decoded = decode_cv_authenticated_request(outer)
    assert (decoded.request.raw, decoded.authority_reference) == (REQUEST, DV)
    point = PKI.trust_point()
    (dv,) = (verify_cv_chain((item,), point, TODAY) for item in PKI.decoded()[:1])
    verify_outer_signature(verify_cv_request(outer), dv)


@given(st.binary(max_size=400))
def test_arbitrary_octets(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        verify_cv_request(raw)


@given(st.integers(0, len(REQUEST) - 1), st.integers(0, 7))
def test_every_octet_is_signed(at: int, bit: int) -> None:
    changed = REQUEST[:at] + bytes((REQUEST[at] ^ 1 << bit,)) + REQUEST[at + 1 :]
    with pytest.raises((DecodeError, VerificationError)):
        verify_cv_request(changed)


def test_a_plain_request_is_countersigned_by_nobody() -> None:
    with pytest.raises(VerificationError) as caught:
        verify_outer_signature(verify_cv_request(REQUEST), PKI.trust_point())
    assert caught.value.reason is Reason.NO_SIGNING_CERTIFICATE_FOUND
    other = verify_cv_request(authenticate_cv_request(REQUEST, PKI.dv, DV))
    with pytest.raises(VerificationError) as caught:
        verify_outer_signature(other, PKI.trust_point())
    assert caught.value.reason is Reason.NO_SIGNING_CERTIFICATE_FOUND


def test_what_is_certified() -> None:
    chat = build_chat(Role.DOMESTIC_DV, ID_IS, b"\x01")
    raw = certify_cv_request(PKI.cvca, PKI.trust_point(), verify_cv_request(REQUEST), chat, BEGIN, END)
    verified = verify_cv_chain((decode_cv_certificate(raw),), PKI.trust_point(), TODAY)
    assert (verified.certificate.holder_reference, verified.chat) == ("UTDVASKER00001", Chat(ID_IS, b"\x01"))


@pytest.mark.parametrize(
    ("chat", "dates", "text"),
    [
        (build_chat(Role.TERMINAL, ID_IS, b"\x01"), (BEGIN, END), "signs no certificate"),
        (build_chat(Role.CVCA, ID_IS, b"\x01"), (BEGIN, END), "signs no certificate"),
        (build_chat(Role.DOMESTIC_DV, ID_IS, b"\x04"), (BEGIN, END), "rights"),
        (build_chat(Role.DOMESTIC_DV, ID_ST, b"\x01"), (BEGIN, END), "terminal type"),
        (build_chat(Role.DOMESTIC_DV, ID_IS, b"\x00\x01"), (BEGIN, END), "rights"),
        (build_chat(Role.DOMESTIC_DV, ID_IS, b"\x01"), (BEGIN, date(2027, 1, 1)), "dates"),
        (build_chat(Role.DOMESTIC_DV, ID_IS, b"\x01"), (date(2025, 12, 31), END), "dates"),
        (build_chat(Role.DOMESTIC_DV, ID_IS, b"\x01"), (END, BEGIN), "dates"),
    ],
    ids=range(8),
)
def test_what_reaches_beyond_the_issuer(chat: Chat, dates: tuple[date, date], text: str) -> None:
    with pytest.raises(LifecycleError, match=text):
        certify_cv_request(PKI.cvca, PKI.trust_point(), verify_cv_request(REQUEST), chat, *dates)


def test_a_terminal_certifies_nobody() -> None:
    terminal = verify_cv_chain(PKI.decoded(), PKI.trust_point(), TODAY)
    for role in (Role.TERMINAL, Role.CVCA):
        request = verify_cv_request(build_cv_request(ec_signer("applicant"), "UTISASKER00001"))
        with pytest.raises(LifecycleError, match="TERMINAL signs no certificate"):
            certify_cv_request(PKI.terminal, terminal, request, build_chat(role, ID_IS, b"\x01"), BEGIN, END)


def test_an_ec_key_below_an_rsa_key_has_no_parameters_to_inherit() -> None:
    pss = SignatureAlgorithm("rsa-pss", "sha256", 32)
    mixed = replace(PKI, dv=rsa_signer("dv", pss))
    dv = verify_cv_chain(mixed.decoded()[:1], mixed.trust_point(), TODAY)
    request = verify_cv_request(build_cv_request(ec_signer("applicant"), "UTISASKER00001"))
    chat = build_chat(Role.TERMINAL, ID_IS, b"\x01")
    with pytest.raises(LifecycleError, match="domain parameters"):
        certify_cv_request(mixed.dv, dv, request, chat, BEGIN, END)
    rsa = verify_cv_request(build_cv_request(rsa_signer("applicant", pss), "UTISASKER00001"))
    raw = certify_cv_request(mixed.dv, dv, rsa, chat, BEGIN, END)
    assert decode_cv_certificate(raw).public_key == rsa.request.public_key


@pytest.mark.parametrize("terminal_type", [ID_IS, ID_AT, ID_ST])
def test_rights_by_name(terminal_type: str) -> None:
    """Each name is one bit, and its own one; all together are told by the same names."""
    names = RIGHTS[terminal_type]
    for name in names:
        raw = rights_of(terminal_type, (name,))
        assert int.from_bytes(raw, "big").bit_count() == 1
        assert name_rights(build_chat(Role.TERMINAL, terminal_type, raw)) == (name,)
    chat = build_chat(Role.CVCA, terminal_type, all_rights(terminal_type))
    assert chat.role is Role.CVCA
    assert set(name_rights(chat)) == set(names)


def test_bits_without_a_name_are_told_by_number() -> None:
    assert name_rights(Chat(ID_IS, b"\xd2")) == ("read-dg4", "bit-4")
    assert name_rights(Chat("1.2.3", b"\x01")) == ("bit-0",)
    # TR-03110-4 2.2.3.2: bits 0, 8 and 37 of an authentication terminal
    assert name_rights(Chat(ID_AT, bytes.fromhex("2000000101"))) == ("age-verification", "read-dg1", "write-dg17")
