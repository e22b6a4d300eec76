"""Master lists, deviation lists, distrust, the signers' source, and the lint."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der, oid
from eid.codec import extension_builders as build
from eid.codec.defect import Defect, DefectCode
from eid.codec.extensions import KeyUsage
from eid.errors import DecodeError, EidError, Reason, VerificationError
from eid.pki.cms_signature import verify_cms_signature
from eid.pki.deviation_list import (
    KIND_OIDS,
    DeviantDocuments,
    Deviation,
    DeviationKind,
    DeviationList,
    decode_deviation_list,
    encode_deviation_list,
)
from eid.pki.distrust import Distrust, DistrustList, identify_key
from eid.pki.examination import examine_certificate, examine_crl, identify_name
from eid.pki.lint import Grade, Kind
from eid.pki.master_list import decode_master_list, encode_master_list
from eid.pki.reading import read_certificate
from eid.pki.signed_list import decode_signed_list, is_signed_list, list_countries, verify_master_list
from eid.pki.signer_source import HeldSigners, digest_fingerprints
from tests.builders import issuer as made
from tests.builders import trust_lists as lists
from tests.builders.sweep import examples

NOW = lists.SIGNED_AT + timedelta(days=30)


@pytest.fixture(scope="module")
def owner() -> lists.Publisher:
    return lists.publisher("UT")


@pytest.fixture(scope="module")
def signer(owner: lists.Publisher):
    return read_certificate(
        made.certificate(owner.csca_key, owner.key, made.ds_extensions(owner.csca_key, owner.key)), []
    )


# --- master lists


def test_master_list_round_trip() -> None:
    certificates = list(lists.sound(4))
    raw = encode_master_list((*certificates, certificates[0]))
    assert decode_master_list(raw) == tuple(sorted(certificates))
    reordered = der.encode_sequence(b"\x02\x01\x00", der.encode(der.SET, b"".join(sorted(certificates, reverse=True))))
    with pytest.raises(DecodeError, match="out of order"):
        decode_master_list(reordered)
    defects: list[Defect] = []
    assert sorted(decode_master_list(reordered, defects)) == sorted(certificates)
    assert [item.code for item in defects] == [DefectCode.SET_ORDER]


def test_master_list_with_a_certificate_in_ber() -> None:
    certificate = next(lists.sound(1))
    ber = b"\x30\x80" + certificate[4:] + b"\x00\x00"
    raw = der.encode_sequence(b"\x02\x01\x00", der.encode(der.SET, ber + certificate))
    with pytest.raises(DecodeError, match="indefinite"):
        decode_master_list(raw)
    defects: list[Defect] = []
    assert decode_master_list(raw, defects) == (ber, certificate)
    assert [item.code for item in defects] == [DefectCode.NOT_DER]


@given(st.binary(max_size=200))
@settings(max_examples=examples(100))
def test_any_octets_are_no_list(raw: bytes) -> None:
    for decode in (decode_master_list, decode_deviation_list, lambda raw: decode_signed_list(raw, [])):
        with pytest.raises(DecodeError):
            decode(raw)
    assert examine_certificate(raw).kind is Kind.OTHER
    assert examine_crl(raw).crl is None
    is_signed_list(raw)


@pytest.fixture(scope="module")
def signed(owner: lists.Publisher) -> tuple[list[bytes], bytes]:
    """The content of a list in order, and the list."""
    content = sorted(lists.sound(2))
    return content, owner.master_list(content)


@given(st.integers(0, 1 << 16), st.sampled_from(("change", "cut", "insert", "end")), st.binary(min_size=1, max_size=8))
@settings(max_examples=examples(120), deadline=None)
def test_a_signed_list_changed_anywhere(owner: lists.Publisher, signed, place: int, how: str, octets: bytes) -> None:
    """Octets changed, cut out or put in: an error of ours, or the very content that was signed."""
    content, genuine = signed
    raw = bytearray(genuine)
    at = place % len(raw)
    if how == "change":
        raw[at : at + len(octets)] = octets
    elif how == "cut":
        del raw[at : at + len(octets)]
    elif how == "insert":
        raw[at:at] = octets
    else:
        del raw[at:]
    try:
        _, found = verify_master_list(bytes(raw), [owner.csca], now=NOW)
    except EidError:
        return
    assert sorted(found) == content


def test_what_is_a_signed_list(owner: lists.Publisher) -> None:
    raw = owner.master_list(lists.sound(1))
    assert is_signed_list(raw) == oid.CSCA_MASTER_LIST
    assert is_signed_list(raw[:-1]) == ""
    assert is_signed_list(owner.csca) is None
    assert list_countries(raw) == {"UT"}


def test_crls_have_no_place_in_a_list(owner: lists.Publisher) -> None:
    """Doc 9303-12 table 18, whatever else is tolerated."""
    raw = owner.master_list(lists.sound(1))
    offset, end = der.read_sequence(raw, "ContentInfo", len(raw))
    kind_end = der.enter(raw, offset, end, der.OBJECT_IDENTIFIER, "type")[1]
    inner, _ = der.enter(raw, kind_end, end, 0xA0, "content")
    start, stop = der.enter(raw, inner, end, der.SEQUENCE, "SignedData")
    parts = [raw[at:behind] for at, _, _, behind in der.split(raw, start, stop, "SignedData")]
    parts.insert(-1, der.encode(0xA1, made.crl(owner.csca_key)))
    changed = der.encode_sequence(raw[offset:kind_end], der.encode_explicit(0, der.encode_sequence(*parts)))
    with pytest.raises(DecodeError, match="crls are present"):
        decode_signed_list(changed, [])


def test_the_signer_must_be_among_the_certificates(owner: lists.Publisher) -> None:
    content = encode_master_list(lists.sound(1))
    odd = der.encode_sequence(b"\x04\x20" + bytes(32))
    found, _ = verify_master_list(owner.sign(content, certificates=(odd, owner.certificate)), [owner.csca], now=NOW)
    assert found.signer.raw == owner.certificate
    for certificates in ((owner.csca,), (odd,), ()):
        with pytest.raises(VerificationError) as caught:
            verify_master_list(owner.sign(content, certificates=certificates), [owner.csca], now=NOW)
        assert caught.value.reason is Reason.NO_SIGNING_CERTIFICATE_FOUND


def test_kinds_and_names_that_cannot_be_read() -> None:
    key = made.ec_key()
    name = lists.state_name("UT")
    broken = name.replace(bytes.fromhex("0603550403"), bytes.fromhex("0603558003"))  # a padded arc (X.690 8.19.2)
    found = examine_certificate(made.certificate(key, key, made.csca_extensions(key), issuer=broken, subject=broken))
    assert "NAME_UNREADABLE" in {item.code for item in found.findings}
    assert (found.subject, found.is_usable, found.kind) == ("", False, Kind.CSCA)
    algorithm = der.encode_sequence(der.encode_oid("1.2.840.10040.4.3"))  # DSA
    found = examine_certificate(lists.signed(key, lists.tbs(key, algorithm=algorithm), algorithm))
    assert ("SIGNATURE_ALGORITHM", Grade.ERROR) in {(item.code, item.grade) for item in found.findings}
    denied = (build.basic_constraints(False), build.key_usage(KeyUsage.CRL_SIGN))
    found = examine_certificate(made.certificate(key, key, denied, issuer=name, subject=name))
    assert found.kind is Kind.OTHER
    wrong = (*made.csca_extensions(key)[:2], build.basic_constraints(True, 0), build.key_usage(KeyUsage.CRL_SIGN))
    found = examine_certificate(made.certificate(key, key, wrong, issuer=name, subject=name))
    assert ("KEY_USAGE", Grade.ERROR) in {(item.code, item.grade) for item in found.findings}


def test_leniencies_are_refused_without_a_list_of_defects(owner: lists.Publisher) -> None:
    content = encode_master_list(lists.sound(1))
    stored = decode_signed_list(lists.sign_reordered(owner, content, over_stored=True), [])
    key = owner.key.private.public_key()
    with pytest.raises(VerificationError):
        verify_cms_signature(stored, key)
    verify_cms_signature(stored, key, defects := [])
    assert [item.code for item in defects] == [DefectCode.SIGNED_AS_STORED]
    rsa = lists.publisher("UT", key=made.rsa_key())
    short = decode_signed_list(lists.sign_without_null(rsa, content), [])
    with pytest.raises(VerificationError):
        verify_cms_signature(short, rsa.key.private.public_key())
    verify_cms_signature(short, rsa.key.private.public_key(), defects := [])
    assert [item.code for item in defects] == [DefectCode.DIGEST_INFO_PARAMETERS]


# --- deviation lists

ISSUED = datetime(2026, 3, 1, tzinfo=UTC)


def entry(kind: DeviationKind = DeviationKind.LDS, **documents: object):
    return DeviantDocuments(**documents), (Deviation(kind, KIND_OIDS.get(kind, "1.2.3"), "SPECIMEN", 14),)  # type: ignore[arg-type]  # documents by field


def test_deviation_list_round_trip(signer) -> None:
    entries = (
        entry(document_type="P", numbers=("SPECIMEN1", "SPECIMEN2")),
        entry(DeviationKind.DG_HASH_WRONG, issuer_raw=signer.issuer_raw, serial=signer.serial),
        entry(DeviationKind.CHIP, key_identifier=b"K" * 20, first_issued=ISSUED, last_issued=ISSUED),
        entry(DeviationKind.OTHER, certificate_digest=b"D" * 48),
        *(entry(kind) for kind in KIND_OIDS),
    )
    value = DeviationList("UT", "sha384", entries)
    found = decode_deviation_list(encode_deviation_list(value), "UT")
    assert found.digest_name == "sha384"
    assert sorted(map(repr, found.entries)) == sorted(map(repr, entries))


@pytest.mark.parametrize(
    ("documents", "asked", "matches"),
    [
        ({}, {}, True),
        ({"document_type": "P"}, {"document_type": "P<"}, True),
        ({"document_type": "P"}, {"document_type": "ID"}, False),
        ({"document_type": "P"}, {}, True),
        ({"numbers": ("AB12",)}, {"document_number": "ab12<<<"}, True),
        ({"numbers": ("AB12",)}, {"document_number": "AB13"}, False),
        ({"numbers": ("AB12",)}, {}, True),
        ({"first_issued": ISSUED, "last_issued": ISSUED}, {"issued_on": date(2026, 3, 1)}, True),
        ({"first_issued": ISSUED, "last_issued": ISSUED}, {"issued_on": date(2026, 3, 2)}, False),
        ({"first_issued": ISSUED, "last_issued": ISSUED}, {}, True),
        ({"document_type": "P", "numbers": ("AB12",)}, {"document_type": "P", "document_number": "X"}, False),
    ],
)
def test_which_documents(signer, documents, asked, matches: bool) -> None:
    """All that is said must hold together (Doc 9303-3 7.3.6)."""
    value = DeviationList("UT", "sha256", (entry(**documents),))
    assert bool(value.find(signer, **asked)) is matches
    assert DeviationList("FI", "sha256", (entry(**documents),)).find(signer, **asked) == ()


def test_which_signer(signer) -> None:
    digest = hashlib.sha256(signer.raw).digest()
    right = (
        {"issuer_raw": signer.issuer_raw, "serial": signer.serial},
        {"key_identifier": signer.extensions.subject_key_identifier},
        {"certificate_digest": digest},
    )
    wrong = (
        {"issuer_raw": signer.issuer_raw, "serial": 1},
        {"key_identifier": b"other"},
        {"certificate_digest": bytes(32)},
    )
    for documents in right:
        assert DeviationList("UT", "sha256", (entry(**documents),)).find(signer)
    for documents in wrong:
        assert not DeviationList("UT", "sha256", (entry(**documents),)).find(signer)


@given(st.data())
@settings(max_examples=examples(150))
def test_a_deviation_list_changed_anywhere(data: st.DataObject) -> None:
    entries = (entry(document_type="P", numbers=("A1",), first_issued=ISSUED, last_issued=ISSUED, key_identifier=b"K"),)
    raw = bytearray(encode_deviation_list(DeviationList("UT", "sha256", entries)))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_deviation_list(bytes(raw))
    except DecodeError:
        pass


@pytest.mark.parametrize(
    "text",
    [
        "3005020101" + "3100",
        "300b0201003004060203043100",
        "30070201003100" + "0500",
        "3011020100310c300a3004a10230003102" + "3000",
        "30120201003 10d300b3006820141820142".replace(" ", "") + "3100",
    ],
)
def test_malformed_deviation_lists(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_deviation_list(bytes.fromhex(text))


def test_a_deviation_of_no_field() -> None:
    """A number that nobody can write must not come as far as a verdict."""
    kind = DeviationKind.LDS
    for number in (256, 1 << 20_000):
        described = (DeviantDocuments(), (Deviation(kind, KIND_OIDS[kind], "SPECIMEN", number),))
        with pytest.raises(DecodeError, match="no number of"):
            decode_deviation_list(encode_deviation_list(DeviationList("UT", "sha256", (described,))))


# --- distrust


def test_distrust_means_the_key() -> None:
    key = made.ec_key()
    explicit, named = (read_certificate(made.csca_certificate(key, explicit=item), []) for item in (True, False))
    assert identify_key(explicit.spki_raw) == identify_key(named.spki_raw)
    assert identify_key(b"nonsense") == hashlib.sha256(b"nonsense").digest()
    since = NOW - timedelta(days=1)
    entries = [
        Distrust(b"1" * 32, identify_key(explicit.spki_raw), time, reason)
        for time, reason in ((NOW + timedelta(days=9), "later"), (since, "first"))
    ]
    distrusted = DistrustList(entries)
    with pytest.raises(VerificationError, match="first") as caught:
        distrusted.verify([named], since)
    assert caught.value.reason is Reason.CSCA_DISTRUSTED
    distrusted.verify([named], since - timedelta(seconds=1))
    distrusted.verify([read_certificate(made.csca_certificate(made.ec_key()), [])], NOW)
    DistrustList().verify([named], NOW)


# --- signers


def test_signers_in_memory(signer) -> None:
    source = HeldSigners((signer.raw, signer.raw, b"no certificate"))
    assert source.find(signer.issuer_raw, signer.serial) == (signer.raw,)
    assert source.find_by_key(signer.extensions.subject_key_identifier) == (signer.raw,)
    assert source.find(signer.issuer_raw, 1) == source.find_by_key(b"") == ()
    assert source.digest == digest_fingerprints([hashlib.sha256(signer.raw).digest()])
    assert HeldSigners().digest == bytes(32)


# --- lint


@pytest.mark.parametrize("case", tuple(lists.defective()), ids=lambda case: case.name)
def test_every_defect_of_published_certificates(case: lists.Case) -> None:
    found = examine_certificate(case.raw)
    assert set(case.codes) <= {(item.code, item.grade.value) for item in found.findings}
    assert (found.is_usable, found.kind.value) == (case.usable, case.kind)
    assert found.fingerprint == hashlib.sha256(case.raw).digest()


def signer_of(*extensions: build.Extension, key: made.Key | None = None):
    key = key or made.ec_key()
    name = lists.state_name("UT", "SPECIMEN signer")
    return examine_certificate(made.certificate(key, key, extensions, issuer=lists.state_name("UT"), subject=name))


@pytest.mark.parametrize(
    ("purposes", "kind"),
    [
        ((oid.CSCA_MASTER_LIST_SIGNING_KEY,), Kind.ML_SIGNER),
        ((oid.DEVIATION_LIST_SIGNING_KEY,), Kind.DVL_SIGNER),
        (("1.3.6.1.5.5.7.3.1",), Kind.OTHER),
        ((oid.ANY_EXTENDED_KEY_USAGE,), Kind.DS),
        (None, Kind.DS),
    ],
)
def test_kinds_of_signers(purposes, kind: Kind) -> None:
    items = [build.key_usage(KeyUsage.DIGITAL_SIGNATURE)]
    if purposes is not None:
        items.append(build.extended_key_usage(purposes))
    assert signer_of(*items).kind is kind


@pytest.mark.parametrize(
    ("extension", "code", "grade"),
    [
        (build.basic_constraints(True, 0), None, None),
        (build.basic_constraints(False), "BASIC_CONSTRAINTS_PRESENT", Grade.NOTICE),
        (build.name_change(), "EXTENSION_FORBIDDEN", Grade.WARNING),
        (
            build.private_key_usage_period(made.NOT_BEFORE, made.NOT_AFTER + timedelta(days=1)),
            "USAGE_PERIOD_LONG",
            Grade.WARNING,
        ),
        (build.crl_distribution_points(("ftp://example.org/x.crl",)), "CRL_LOCATION", Grade.NOTICE),
        (build.subject_alternative_name((build.email_name("a@example.org"),)), "ALTERNATIVE_NAME", Grade.NOTICE),
        (build.extended_key_usage((oid.ANY_EXTENDED_KEY_USAGE,)), "PURPOSE_PRESENT", Grade.WARNING),
    ],
)
def test_extensions_of_a_document_signer(extension, code: str | None, grade: Grade | None) -> None:
    found = signer_of(build.key_usage(KeyUsage.DIGITAL_SIGNATURE), extension)
    graded = {(item.code, item.grade) for item in found.findings}
    if code is None:
        assert found.kind is Kind.LINK
    else:
        assert (code, grade) in graded


def test_a_conforming_chain_has_no_finding_of_weight(owner: lists.Publisher) -> None:
    key = made.ec_key()
    assert examine_certificate(made.ds_certificate(owner.csca_key, key)).findings == ()
    csca = examine_certificate(owner.csca)
    assert {item.grade for item in csca.findings} == {Grade.NOTICE}
    small = examine_certificate(made.csca_certificate(made.rsa_key(1024)))
    assert ("SMALL_KEY", Grade.ERROR) in {(item.code, item.grade) for item in small.findings}


def test_crls_examined() -> None:
    key = made.ec_key()
    found = examine_crl(made.crl(key, number=5))
    assert (found.number, found.why, found.findings) == (5, "", ())
    assert found.issuer_id == identify_name(made.CSCA_NAME)
    assert examine_crl(made.crl(key)[:-1]).findings[0].grade is Grade.ERROR
