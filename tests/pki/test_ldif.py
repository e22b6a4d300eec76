"""LDIF as a stream: the same entries however the file is cut, folded and ended; bounded; only DecodeError."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import DecodeError
from eid.pki import ldif
from eid.pki.ldif import LdifEntry, read_ldif
from tests.builders.sweep import examples

FILE = b"""version: 1
# a comment
#  that is folded

dn: cn=1,o=dsc,c=UT
userCertificate;binary:: AAEC
 AwQF
cn: one
objectClass: top

dn:: Y249Mg==
changetype: add
x: y
-
z:\x20

dn: cn=3,c=UT
changetype: delete
"""


def read(*pieces: bytes) -> list[LdifEntry]:
    return list(read_ldif(pieces))


def test_entries() -> None:
    first, second, third = read(FILE)
    assert first.dn == "cn=1,o=dsc,c=UT"
    assert first.find("usercertificate") == bytes(range(6))
    assert first.find("cn") == b"one"
    assert first.find("none") is None
    assert not first.is_deletion
    assert second.dn == "cn=2"
    assert second.values[1:] == (("x", b"y"), ("z", b""))
    assert not second.is_deletion
    assert third.is_deletion
    assert read(b"") == read(b"version: 1\n") == read(b"# nothing\n\n\n") == []


@given(st.integers(1, 40), st.booleans())
@settings(max_examples=examples(60))
def test_cut_anywhere(size: int, crlf: bool) -> None:
    raw = FILE.replace(b"\n", b"\r\n") if crlf else FILE
    assert read(*(raw[at : at + size] for at in range(0, len(raw), size))) == read(FILE)


NAMES = st.sampled_from(("usercertificate", "cn", "x-1", "a"))
VALUES = st.lists(st.tuples(NAMES, st.binary(max_size=80)), min_size=1, max_size=4)


@given(st.lists(VALUES, max_size=4), st.integers(2, 90), st.sampled_from((b"\n", b"\r\n")))
@settings(max_examples=25)
def test_round_trip(entries: list[list[tuple[str, bytes]]], width: int, end: bytes) -> None:
    def write() -> Iterator[bytes]:
        for number, values in enumerate(entries):
            yield b"dn: cn=%d" % number
            for name, value in values:
                line = name.encode() + b":: " + base64.b64encode(value)
                yield (end + b" ").join(line[at : at + width] for at in range(0, len(line), width))
            yield b""

    found = read(end.join(write()))
    assert [list(item.values) for item in found] == entries


@given(st.binary(max_size=300))
@settings(max_examples=examples(150))
def test_any_octets(raw: bytes) -> None:
    try:
        read(raw)
    except DecodeError:
        pass


@given(st.data())
@settings(max_examples=examples(150))
def test_any_change(data: st.DataObject) -> None:
    raw = bytearray(FILE)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from(b"\n\r :<#-;A\x00\xff="))
    try:
        read(bytes(raw))
    except DecodeError:
        pass


@pytest.mark.parametrize(
    "raw",
    [
        b"cn: 1\nx: y\n",
        b"dn: cn=1\nno colon\n",
        b"dn: cn=1\nx:: A\n",
        b"dn: cn=1\nx:< file:///etc/passwd\n",
        b"dn: cn=1\n: y\n",
        b"dn: cn=1\n\xff: y\n",
    ],
)
def test_malformed(raw: bytes) -> None:
    with pytest.raises(DecodeError, match=r"entry [12]"):
        read(b"dn: cn=0\na: b\n\n", raw)


def test_an_entry_without_end_is_given_up_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not read to its end first."""
    monkeypatch.setattr(ldif, "MAX_ENTRY", 3 << 20)
    drawn = 0

    def pieces() -> Iterator[bytes]:
        nonlocal drawn
        yield b"dn: cn=1\nx:: "
        while True:
            drawn += 1 << 20
            yield b"A" * (1 << 20)

    with pytest.raises(DecodeError, match="over"):
        list(read_ldif(pieces()))
    assert drawn <= 5 << 20
