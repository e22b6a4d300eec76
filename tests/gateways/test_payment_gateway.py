"""What goes between us and payment providers: signatures, callbacks, statements; malformed ones are DecodeErrors."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.enrolment.payment import Channel, Money, Outcome
from eid.enrolment.payment_statement import StatementLine
from eid.errors import AuthenticationError, DecodeError, ProfileError
from eid.gateways.payment.callback import MAX_CALLBACK, Callback, decode_callback, encode_callback
from eid.gateways.payment.link import ProviderLink, check_url
from eid.gateways.payment.signature import sign_message, verify_message
from eid.gateways.payment.statement import COLUMNS, decode_statement, encode_statement
from tests.builders.sweep import examples

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SECRET, OLD = b"s" * 32, b"o" * 32
CALLBACK = Callback(
    "evt-1", uuid.UUID(int=7), "PSP-1", Outcome.SETTLED, Money(75, "MAD"), datetime(2026, 11, 22, 11, 59, tzinfo=UTC)
)
MONEY = st.builds(Money, st.integers(0, 10**9 - 1), st.sampled_from(["MAD", "EUR"]))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
TOKENS = st.text("ABCabc019_.:-", min_size=1, max_size=64)
LINES = st.builds(StatementLine, st.uuids(), TOKENS, st.sampled_from(["payment", "refund"]), MONEY, MOMENTS)


def test_the_signature_is_what_the_page_says() -> None:
    header = sign_message(SECRET, b"body", NOW)
    seconds = int(NOW.timestamp())
    expected = hmac.new(SECRET, f"{seconds}.body".encode(), hashlib.sha256).hexdigest()
    assert header == f"t={seconds},v1={expected}"
    verify_message((SECRET,), header, b"body", NOW)
    verify_message((b"n" * 32, SECRET), header, b"body", NOW + timedelta(seconds=300))


@pytest.mark.parametrize(
    ("header", "body", "late"),
    [
        (None, b"body", 0),
        (sign_message(SECRET, b"body", NOW), b"bodY", 0),
        (sign_message(SECRET, b"body", NOW), b"body", 301),
        (sign_message(SECRET, b"body", NOW), b"body", -301),
        (sign_message(OLD, b"body", NOW), b"body", 0),
        (sign_message(SECRET, b"body", NOW).replace("v1", "v0"), b"body", 0),
        (sign_message(SECRET, b"body", NOW).replace("t=", "t=0"), b"body", 300),  # a moment has one form
        ("t=1,v1=" + "0" * 64, b"body", 0),
        ("t=٣,v1=" + "0" * 64, b"body", 0),
        ("x" * 10_000, b"body", 0),
    ],
)
def test_what_is_not_signed_now_by_the_other_end_is_refused_in_the_same_words(header, body, late) -> None:
    if header is not None and header.startswith("t=0"):
        header = header.replace("t=0", "t=00000000000000")
    with pytest.raises(AuthenticationError) as refused:
        verify_message((SECRET,), header, body, NOW + timedelta(seconds=late))
    assert str(refused.value) == "the message is not signed by the provider, or not at this time"


def test_a_callback_is_read_back() -> None:
    assert decode_callback(encode_callback(CALLBACK)) == CALLBACK
    other_zone = json.loads(encode_callback(CALLBACK)) | {"at": "2026-11-22T12:59:00+01:00"}
    assert decode_callback(json.dumps(other_zone).encode()) == CALLBACK


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 75.5},
        {"amount": "75"},
        {"amount": -1},
        {"amount": 10**10},
        {"amount": True},
        {"currency": "mad"},
        {"outcome": "won"},
        {"at": "2026-11-22T12:00:00"},
        {"at": "9999-12-31T23:59:59-23:59"},
        {"at": None},
        {"event": ""},
        {"event": "e" * 65},
        {"event": "evt 1"},
        {"reference": "7"},
        {"provider_reference": "<script>"},
        {"extra": 1},
    ],
)
def test_a_malformed_callback_is_refused_by_name_alone(change: dict) -> None:
    body = json.dumps(json.loads(encode_callback(CALLBACK)) | change).encode()
    with pytest.raises(DecodeError, match="malformed") as refused:
        decode_callback(body)
    assert "<script>" not in str(refused.value)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode), st.just(b"[" * 4000)))
@settings(max_examples=examples(60))
def test_any_octets_as_a_callback(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_callback(body)


def test_a_callback_has_a_limit() -> None:
    with pytest.raises(DecodeError, match="over 4096"):
        decode_callback(encode_callback(CALLBACK) + b" " * MAX_CALLBACK)


@given(st.lists(LINES, max_size=5))
@settings(max_examples=examples(40))
def test_a_statement_is_read_back(lines: list[StatementLine]) -> None:
    assert decode_statement(encode_statement(lines)) == tuple(lines)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: (",".join(COLUMNS) + text).encode())))
@settings(max_examples=examples(80))
def test_any_octets_as_a_statement(raw: bytes) -> None:
    with pytest.raises(DecodeError, match="statement"):
        decode_statement(raw + b"\xff")  # so that none of them is one
    with suppress(DecodeError):
        decode_statement(raw)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("reference", "x"),
        ("provider_reference", "=cmd()"),
        ("kind", "gift"),
        ("amount", "75.00"),
        ("amount", "٧٥"),
        ("amount", "-75"),
        ("currency", "DH"),
        ("at", "2026-11-22"),
        ("at", "2026-13-22T12:00:00Z"),
        ("at", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_malformed_line_is_told_by_number(column: str, value: str) -> None:
    good = encode_statement([StatementLine(uuid.UUID(int=1), "P-1", "payment", Money(75, "MAD"), NOW)])
    header, fields = (line.split(",") for line in good.decode().splitlines())
    fields[header.index(column)] = value
    with pytest.raises(DecodeError, match="line 2"):
        decode_statement("\r\n".join([",".join(header), ",".join(fields)]).encode())


def test_moments_of_other_zones_are_utc() -> None:
    zone = timezone(timedelta(hours=1))
    line = StatementLine(uuid.UUID(int=1), "P-1", "refund", Money(75, "MAD"), NOW.astimezone(zone))
    assert decode_statement(encode_statement([line]))[0].at.tzinfo is UTC


@pytest.mark.parametrize(
    "url",
    [
        "http://pay.example",
        "ftp://pay.example",
        "https://user:secret@pay.example",
        "https://pay.example/?q=1",
        "https://",
        "https://pay.example:99999",
        "https://pay.exämple",
        "http://127.0.0.1.pay.example",
    ],
)
def test_addresses_that_no_secret_is_sent_to(url: str) -> None:
    with pytest.raises(ProfileError):
        check_url(url)


def test_a_link_has_a_long_secret_and_shows_none() -> None:
    with pytest.raises(ProfileError, match="32 octets"):
        ProviderLink("https://pay.example", (b"short",))
    with pytest.raises(ProfileError, match="32 octets"):
        ProviderLink("https://pay.example", ())
    assert "sss" not in repr(ProviderLink("https://pay.example", (SECRET,)))
    assert len(Channel) == 5
