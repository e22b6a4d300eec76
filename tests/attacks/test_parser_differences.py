"""One file, two readings: what another program might read otherwise than ours is refused, or tolerated by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eid.codec import der
from eid.codec.ber import convert_ber
from eid.errors import DecodeError, Reason
from eid.evidence.codec import decode_evidence, encode_evidence
from eid.verification.report import Verdict
from tests.builders.document import Document, failed, judge
from tests.builders.forgery import join, rebuild_signed_data, sod_with, split, with_sod


def long_length(sod: bytes) -> bytes:
    """The outermost length in five octets."""
    content = b"".join(split(sod))
    return b"\x77\x84" + len(content).to_bytes(4, "big") + content


def indefinite(sod: bytes) -> bytes:
    """Every constructed element of an indefinite length, as one issuing state writes it."""
    return _loosen(sod)


def _loosen(raw: bytes) -> bytes:
    if not raw[0] & 0x20:
        return raw
    return raw[:1] + b"\x80" + b"".join(_loosen(part) for part in split(raw)) + b"\x00\x00"


def segmented_content(sod: bytes) -> bytes:
    """eContent as a constructed OCTET STRING of two segments."""

    def change(fields: list[bytes]) -> list[bytes]:
        name, explicit = split(fields[2])
        octets = split(explicit)[0]
        _, _, start, stop = next(iter(der.split(octets, 0, len(octets), "eContent")))
        pieces = [
            der.encode_octet_string(octets[start : start + 20]),
            der.encode_octet_string(octets[start + 20 : stop]),
        ]
        return [*fields[:2], join(der.SEQUENCE, [name, join(0xA0, [join(0x24, pieces)])]), *fields[3:]]

    return rebuild_signed_data(sod, change)


def long_attributes(attributes: bytes) -> bytes:
    """The signed attributes' SET with a length of one octet more than needed."""
    assert attributes[1] < 0x80
    return b"\x31\x81" + attributes[1:]


def test_signed_attributes_in_ber_signed_as_they_are_stored(document: Document) -> None:
    """RFC 5652 5.4 has their DER signed; who signs what he stores has signed his BER. Two leniencies, each named."""
    sod = sod_with(document, sign=lambda raw: document.signer.sign(long_attributes(raw)))

    def store(fields: list[bytes]) -> list[bytes]:
        info = [*split(split(fields[-1])[0])]
        at = next(number for number, part in enumerate(info) if part[0] == 0xA0)
        info[at] = b"\xa0" + long_attributes(b"\x31" + info[at][1:])[1:]
        return [*fields[:-1], join(der.SET, [join(der.SEQUENCE, info)])]

    odd = with_sod(document, rebuild_signed_data(sod, store))
    assert failed(judge(odd))["sod.format"] is Reason.FORMAT_FAILURE
    for changed in (
        odd,
        with_sod(odd, b"\x77\x83" + (len(odd.files["EF.SOD"]) - 4).to_bytes(3, "big") + odd.files["EF.SOD"][4:]),
    ):
        report = judge(changed, policy="border")
        told = [found.detail for name in ("sod.format", "sod.signature") if (found := report.check(name)) is not None]
        assert told == ["tolerated: NOT_DER", "tolerated: SIGNED_AS_STORED"]
        assert report.verdict is Verdict.TOTAL_PASSED
    usual = with_sod(document, rebuild_signed_data(sod_with(document), store))
    report = judge(usual, policy="border")
    found = report.check("sod.signature")
    assert found is not None
    assert (report.verdict, found.detail) == (Verdict.TOTAL_PASSED, ""), "signed in DER, stored in BER"


FORMS = (long_length, indefinite, segmented_content)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_ber(document: Document, form: Callable[[bytes], bytes]) -> None:
    """The same values in BER: refused where nothing is tolerated, else read and named."""
    odd = with_sod(document, form(document.files["EF.SOD"]))
    assert convert_ber(odd.files["EF.SOD"]) == document.files["EF.SOD"]
    assert failed(judge(odd))["sod.format"] is Reason.FORMAT_FAILURE
    border = judge(odd, policy="border")
    found = border.check("sod.format")
    assert found is not None
    assert (border.verdict, found.detail) == (Verdict.TOTAL_PASSED, "tolerated: NOT_DER")


@pytest.mark.parametrize("policy", ["border", "passive"])
def test_ber_hides_nothing(document: Document, policy: str) -> None:
    """Octets behind the end of an indefinite length, and an end that is missing."""
    loose = indefinite(document.files["EF.SOD"])
    for raw in (loose + b"\x00", loose[:-1], loose[:-2], loose + loose):
        assert failed(judge(with_sod(document, raw), policy=policy))["sod.format"] is Reason.FORMAT_FAILURE


@pytest.mark.parametrize("policy", ["strict", "border"])
def test_attribute_twice(document: Document, policy: str) -> None:
    """Two message digests, the right one and another: readers take the first, or the last."""

    def change(raw: bytes) -> bytes:
        parts = split(raw)
        digest = next(part for part in parts if len(part) > 40)
        return join(der.SET, [*parts, digest[:-1] + bytes((digest[-1] ^ 1,))])

    report = judge(with_sod(document, sod_with(document, attributes=change)), policy=policy)
    assert failed(report)["sod.format"] is Reason.FORMAT_FAILURE


@pytest.mark.parametrize("policy", ["strict", "border"])
def test_attribute_with_two_values(document: Document, policy: str) -> None:
    def change(raw: bytes) -> bytes:
        parts = split(raw)
        place = next(index for index, part in enumerate(parts) if len(part) > 40)
        name, values = split(parts[place])
        value = split(values)[0]
        twice = join(der.SEQUENCE, [name, join(der.SET, [value, value[:-1] + bytes((value[-1] ^ 1,))])])
        return join(der.SET, [*parts[:place], twice, *parts[place + 1 :]])

    report = judge(with_sod(document, sod_with(document, attributes=change)), policy=policy)
    assert failed(report)["sod.format"] is Reason.FORMAT_FAILURE


@pytest.mark.parametrize("policy", ["strict", "border"])
def test_data_group_listed_twice(document: Document, policy: str) -> None:
    content = split(split(split(split(split(document.files["EF.SOD"])[0])[1])[0])[2])[1]
    octets = split(content)[0]
    _, _, start, stop = next(iter(der.split(octets, 0, len(octets), "eContent")))
    version, algorithm, hashes = split(octets[start:stop])
    entries = split(hashes)
    doubled = join(der.SEQUENCE, [*entries, entries[0][:-1] + bytes((entries[0][-1] ^ 1,))])
    made = join(der.SEQUENCE, [version, algorithm, doubled])
    report = judge(with_sod(document, sod_with(document, content=made)), policy=policy)
    assert failed(report)["sod.format"] is Reason.FORMAT_FAILURE


def test_a_name_twice_in_evidence(document: Document) -> None:
    """CBOR maps with a key twice, and keys out of order: one reader takes the first, another the last."""
    raw = encode_evidence(document.evidence())
    assert decode_evidence(raw)
    key = b"\x66origin"
    place = raw.index(key)
    entry = raw[place : place + len(key) + 1 + (raw[place + len(key)] & 0x1F)]
    assert 0xA0 <= raw[0] < 0xB7
    doubled = bytes((raw[0] + 1,)) + entry + raw[1:]
    for odd in (doubled, raw + b"\x00", raw[:-1]):
        with pytest.raises(DecodeError):
            decode_evidence(odd)
