"""Trust material comes in whole or not at all, and what is wrong with it is told."""

from __future__ import annotations

import base64
import hashlib
import os
import sqlite3
import textwrap
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import eid.services.trust.import_objects as module
from eid.codec import extension_builders as build
from eid.codec.name import encode_name
from eid.errors import DecodeError, EidError, LifecycleError, StoreError
from eid.pki.examination import UNUSABLE
from eid.services.trust.files import load_trust_store
from eid.services.trust.import_objects import Imported
from eid.services.trust.imports import import_trust
from eid.services.trust.sources import MAX_FILE
from eid.services.trust.views import list_imports, list_trust, show_certificate
from tests.builders import issuer as made
from tests.builders.issuance import NOW

Put = Callable[..., Path]


@pytest.fixture(scope="module")
def key() -> made.Key:
    return made.ec_key()


@pytest.fixture(scope="module")
def csca(key: made.Key) -> bytes:
    return made.csca_certificate(key)


@pytest.fixture(scope="module")
def crl(key: made.Key) -> bytes:
    return made.crl(key)


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Write files and name them."""

    def write(content: bytes | str, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def pem(raw: bytes, label: str = "CERTIFICATE") -> str:
    body = "\n".join(textwrap.wrap(base64.b64encode(raw).decode(), 64))
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"


def contents(store: Path) -> int:
    """How many certificates and CRLs there are."""
    if not (store / "index.db").exists():
        return 0
    listing = list_trust(store, kinds=())
    return len(listing.certificates) + len(listing.crls)


def take(store: Path, *files: Path, unsigned: bool = False) -> tuple[Imported, ...]:
    return import_trust(store, files, unsigned=unsigned, now=NOW).items


def codes(item: Imported) -> list[str]:
    """What was found, but for what is missing of the profile."""
    return [found.code for found in item.findings if found.code != "EXTENSION_MISSING"]


# --- what comes in


def test_numbers_that_nobody_can_write(tmp_path: Path, put: Put, key: made.Key, csca: bytes) -> None:
    """One absurd CRL or certificate keeps nothing else out."""
    crl = made.crl(key, number=1 << 20_000)
    extensions = (*made.csca_extensions(key)[:3], build.basic_constraints(True, 1 << 20_000))
    odd = made.certificate(key, key, extensions, subject=made.CSCA_NAME, serial=2)
    items = take(tmp_path / "store", put(crl, "crl"), put(odd, "odd"), put(csca, "csca"))
    assert [item.usable for item in items] == [False, True, True]
    assert "MALFORMED_EXTENSION" in codes(items[1])
    assert len(load_trust_store(tmp_path / "store").crls) == 0


def test_a_pipe(tmp_path: Path, csca: bytes) -> None:
    """What comes through a pipe comes once: it is not read to find out what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(csca,))
    writer.start()
    assert [item.kind for item in take(tmp_path / "store", pipe)] == ["CSCA"]
    writer.join()


def test_der(tmp_path: Path, put: Put, csca: bytes, crl: bytes) -> None:
    store = tmp_path / "store"
    certificate, revocations = take(store, put(csca, "a.cer"), put(crl, "b.crl"))
    assert (certificate.kind, certificate.source, certificate.is_new, certificate.usable) == (
        "CSCA",
        "a.cer",
        True,
        True,
    )
    assert (revocations.kind, revocations.is_new, revocations.usable) == ("CRL", True, True)
    assert codes(certificate) == codes(revocations) == []
    trust = load_trust_store(store)
    assert [item.raw for item in trust.anchors] == [csca]
    assert [item.raw for item in trust.crls_of(trust.anchors[0])] == [crl]
    assert contents(store) == 2


def test_pem_with_words_around_it(tmp_path: Path, put: Put, csca: bytes, crl: bytes) -> None:
    text = f"0 words before\r\n{pem(csca)}\nbetween\n{pem(crl, 'X509 CRL')}after\n"
    kinds = [item.kind for item in take(tmp_path / "store", put(text))]
    assert sorted(kinds) == ["CRL", "CSCA"]
    windows = pem(csca).replace("\n", "\r\n")
    (known,) = take(tmp_path / "store", put(windows))
    assert not known.is_new


def test_der_that_quotes_pem(tmp_path: Path, put: Put, key: made.Key) -> None:
    name = encode_name((("C", "UT"), ("O", "-----BEGIN CERTIFICATE-----"), ("CN", "SPECIMEN")))
    raw = made.certificate(key, key, made.csca_extensions(key), issuer=name, subject=name)
    (item,) = take(tmp_path / "store", put(raw))
    assert item.kind == "CSCA"


def test_a_bundle_needs_somebody_to_vouch_for_it(tmp_path: Path, put: Put, csca: bytes) -> None:
    store = tmp_path / "store"
    other = made.csca_certificate(made.ec_key("P-384", "sha384"), serial=2)
    bundle = put(pem(csca) + pem(other))
    with pytest.raises(LifecycleError, match=r"nobody signed.*--unsigned"):
        take(store, bundle)
    assert contents(store) == 0
    assert len(take(store, bundle, unsigned=True)) == 2
    assert len(load_trust_store(store).anchors) == 2
    take(tmp_path / "second", put(csca, "a"), put(other, "b"))  # two files that were named are no list


def test_what_is_unreadable_in_a_bundle_keeps_no_other_out(tmp_path: Path, put: Put, csca: bytes, crl: bytes) -> None:
    store = tmp_path / "store"
    cut = csca[:-9]
    secret = pem(bytes(range(200)), "PRIVATE KEY")
    text = pem(csca) + pem(cut) + secret + pem(csca)[:100] + "\n" + pem(csca, "X509 CRL") + pem(crl, "X509 CRL")
    report = import_trust(store, [put(text, "bundle.pem")], unsigned=False, now=NOW)
    assert report.counts == {"CRL": 1, "CSCA": 1, "OTHER": 1}
    damaged = next(item for item in report.items if item.kind == "OTHER")
    assert damaged.fingerprint == hashlib.sha256(cut).hexdigest()
    assert not damaged.usable
    assert codes(damaged) == ["UNREADABLE"]
    assert report.unusable == 1
    assert [(item.name, item.refusal) for item in report.sources if item.refusal] == [
        ("bundle.pem: block 3", "is no certificate, CRL or list"),
        ("bundle.pem: block 4", "is cut off, or holds what is no base64"),
        ("bundle.pem: block 5", "is not what its label says"),
    ]
    assert bytes(range(200)) not in (store / "index.db").read_bytes(), "a private key is kept nowhere"


def test_an_authoritys_directory(tmp_path: Path, put: Put, csca: bytes, crl: bytes) -> None:
    folder = tmp_path / "authority"
    (folder / "keys").mkdir(parents=True)
    (folder / "csca-001.cer").write_bytes(csca)
    (folder / "ds-001.cer").write_bytes(csca[:-9])
    (folder / "crl-000001.crl").write_bytes(crl)
    (folder / "authority.json").write_text("{}")
    secret = b"\x30\x81\xc8\x30\x40\x06\x09" + bytes(range(193))
    (folder / "keys" / "csca-001.p8").write_bytes(secret)
    (folder / "mls-001.ml").write_bytes(b"\x30\x20\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02" + bytes(21))
    report = import_trust(tmp_path / "store", [folder], unsigned=False, now=NOW)
    assert report.counts == {"CRL": 1, "CSCA": 1, "OTHER": 1}
    told = {item.name: item.refusal for item in report.sources if item.refusal}
    assert sorted(told) == ["authority.json", "keys/csca-001.p8", "mls-001.ml"]
    assert told["authority.json"] == "neither a certificate nor a CRL nor a list"
    assert secret not in (tmp_path / "store" / "index.db").read_bytes()
    assert len(load_trust_store(tmp_path / "store").anchors) == 1


def test_a_second_import_says_known(tmp_path: Path, put: Put, csca: bytes, crl: bytes) -> None:
    store = tmp_path / "store"
    first = take(store, put(csca, "a"), put(crl, "b"))
    again = import_trust(store, (put(csca, "c"), put(crl, "d")), unsigned=False, now=NOW + timedelta(days=1)).items
    assert [item.is_new for item in (*first, *again)] == [True, True, False, False]
    listing = list_trust(store)
    shown = show_certificate(store, first[0].fingerprint)
    assert [(item.import_id, item.name, item.signed) for item in shown.sources] == [(1, "a", False), (2, "c", False)]
    assert not shown.is_vouched_for
    for item in (listing.certificates[0], listing.crls[0]):
        assert item.first_seen == NOW
        assert item.last_seen == NOW + timedelta(days=1)
    assert contents(store) == 2


def test_the_same_twice_at_once(tmp_path: Path, put: Put, csca: bytes) -> None:
    first, second = take(tmp_path / "store", put(csca, "a"), put(pem(csca), "b"))
    assert (first.is_new, second.is_new) == (True, False)


def test_kinds(tmp_path: Path, put: Put, key: made.Key, csca: bytes) -> None:
    new = made.ec_key()
    other = encode_name((("C", "UT"), ("O", "SPECIMEN"), ("CN", "SPECIMEN CSCA 2")))
    files = {
        "csca": csca,
        "link": made.certificate(key, new, made.csca_extensions(key), issuer=made.CSCA_NAME, subject=other),
        "link of the same name": made.certificate(key, new, made.csca_extensions(key), subject=made.CSCA_NAME),
        "ds": made.ds_certificate(key, new),
    }
    items = take(tmp_path / "store", *(put(raw, name) for name, raw in files.items()))
    assert [item.kind for item in items] == ["CSCA", "LINK", "LINK", "DS"]


# --- what is usable


def test_a_crl_by_a_stranger_is_listed_with_its_reason(tmp_path: Path, put: Put, csca: bytes) -> None:
    store = tmp_path / "store"
    stranger = made.crl(made.ec_key())
    _, item = take(store, put(csca, "a"), put(stranger, "b"))
    assert not item.usable
    assert item.findings[-1].code == UNUSABLE
    assert "no authority of its issuer's name signed it" in item.findings[-1].what
    trust = load_trust_store(store)
    assert trust.crls_of(trust.anchors[0]) == ()
    (listed,) = list_trust(store).crls
    assert not listed.usable
    assert listed.findings[-1][0] == UNUSABLE


def test_a_crl_that_came_before_its_issuer_becomes_usable(tmp_path: Path, put: Put, csca: bytes, crl: bytes) -> None:
    store = tmp_path / "store"
    (early,) = take(store, put(crl, "a"))
    assert not early.usable
    (certificate,) = take(store, put(csca, "b"))
    assert certificate.usable
    (listed,) = list_trust(store).crls
    assert (listed.usable, listed.why, listed.findings) == (True, "", ())


def test_a_curve_that_cannot_be_used_is_listed_with_its_reason(tmp_path: Path, put: Put, csca: bytes) -> None:
    store = tmp_path / "store"
    strange = csca.replace(bytes.fromhex("06072a8648ce3d0101"), bytes.fromhex("06072a8648ce3d0102"))  # a binary field
    assert strange != csca
    (item,) = take(store, put(strange))
    assert not item.usable
    assert item.kind == "CSCA"
    assert item.findings[-1].code == UNUSABLE
    assert item.findings[-1].what
    assert load_trust_store(store).anchors == ()
    (listed,) = list_trust(store).certificates
    assert not listed.usable


def test_a_name_that_cannot_be_read_is_listed_with_its_reason(tmp_path: Path, put: Put, key: made.Key) -> None:
    store = tmp_path / "store"
    sound = encode_name((("C", "UT"), ("CN", "SPECIMEN")))
    broken = sound.replace(bytes.fromhex("0603550403"), bytes.fromhex("0603558003"))  # a padded arc (X.690 8.19.2)
    assert broken != sound
    raw = made.certificate(key, key, made.csca_extensions(key), issuer=broken, subject=broken)
    revocations = made.crl(key, issuer=broken)
    for item in take(store, put(raw, "a"), put(revocations, "b")):
        assert not item.usable
        assert item.subject == ""
        assert item.findings[-1].code == UNUSABLE
    assert load_trust_store(store).anchors == ()


def test_defects_that_can_be_lived_with_are_told(tmp_path: Path, put: Put, key: made.Key) -> None:
    store = tmp_path / "store"
    broken = encode_name((("C", "UT"), ("CN", "SPECIMEN"))).replace(b"SPECIMEN", b"SPECI\xff\xfeN")
    (item,) = take(store, put(made.certificate(key, key, made.csca_extensions(key), issuer=broken, subject=broken)))
    assert item.usable
    assert codes(item) == ["MALFORMED_NAME"]
    assert load_trust_store(store).anchors


def test_an_unknown_critical_extension_of_a_crl(tmp_path: Path, put: Put, key: made.Key, csca: bytes) -> None:
    from eid.codec.crl import encode_crl, encode_tbs_crl
    from eid.codec.extensions import Extension

    tbs = encode_tbs_crl(
        signature_algorithm=key.algorithm,
        issuer=made.CSCA_NAME,
        this_update=made.NOT_BEFORE,
        next_update=made.NOT_AFTER,
        revoked=(),
        extensions=(build.crl_number(1), Extension("2.5.29.27", True, b"\x02\x01\x01")),  # a delta CRL
    )
    _, item = take(tmp_path / "store", put(csca, "a"), put(encode_crl(tbs, key.algorithm, key.sign(tbs)), "b"))
    assert not item.usable
    assert "critical extension" in item.findings[-1].what


# --- what does not come in


@pytest.mark.parametrize(
    "spoil",
    [
        lambda csca: b"",
        lambda csca: b"junk",
        lambda csca: bytes(200),
        lambda csca: b"\x30\x84\xff\xff\xff\xff",
        lambda csca: b"\x30\x80" + bytes(200),
        lambda csca: csca[:-1],
        lambda csca: csca + b"\x00",
        lambda csca: csca[:200],
        lambda csca: pem(csca)[:-30].encode(),
        lambda csca: pem(csca).replace("\n", "\n!", 2).encode(),
        lambda csca: pem(csca).replace("=", "").replace("A", "", 1).encode(),
        lambda csca: pem(csca, "X509 CRL").encode(),
        lambda csca: pem(bytes(200), "X509 CRL").encode(),
        lambda csca: pem(csca, "PRIVATE KEY").encode(),
        lambda csca: pem(b"junk").encode(),
        lambda csca: b"-----BEGIN " * 50_000,
        lambda csca: b"x" * (MAX_FILE + 1),
    ],
    ids=range(17),
)
def test_all_or_nothing(spoil: Callable[[bytes], bytes], tmp_path: Path, put: Put, csca: bytes) -> None:
    """A good file beside a bad one does not come in, and the bad one is named."""
    store = tmp_path / "store"
    with pytest.raises(DecodeError, match="bad one"):
        take(store, put(csca, "good one"), put(spoil(csca), "bad one"), unsigned=True)
    assert contents(store) == 0


def test_missing_file_and_directory(tmp_path: Path, put: Put, csca: bytes) -> None:
    with pytest.raises(DecodeError, match="missing"):
        take(tmp_path / "store", put(csca), tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DecodeError, match="without files"):
        take(tmp_path / "store", tmp_path / "empty")
    (tmp_path / "empty" / "key.p8").write_bytes(b"\x30\x82\x01\x00\x30\x40\x06\x09" + bytes(300))
    with pytest.raises(DecodeError, match="nothing in it is a certificate"):
        take(tmp_path / "store", tmp_path / "empty")


def test_an_import_that_fails_at_its_end_leaves_nothing(
    tmp_path: Path, put: Put, csca: bytes, crl: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    take(store, put(csca))

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(module, "settle", refuse)
        with pytest.raises(StoreError, match="full"):
            take(store, put(crl))
    assert contents(store) == 1
    assert len(list_imports(store)) == 1
    assert take(store, put(crl))[0].is_new


def test_a_directory_that_cannot_be_made(tmp_path: Path, put: Put, csca: bytes) -> None:
    with pytest.raises(StoreError, match="Not a directory"):
        take(put(b"a file", "in the way") / "store", put(csca))


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is no trust store; make one with"):
        load_trust_store(tmp_path)
    with pytest.raises(StoreError, match="is no trust store"):
        list_trust(tmp_path)


def test_material_that_changed_is_not_believed(tmp_path: Path, put: Put, csca: bytes) -> None:
    store = tmp_path / "store"
    take(store, put(csca))
    other = made.csca_certificate(made.ec_key())
    with sqlite3.connect(store / "index.db") as connection:
        connection.execute("UPDATE trust_certificate SET raw = ?", (other,))
    with pytest.raises(StoreError, match="damaged"):
        load_trust_store(store)
    (store / "index.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError):
        load_trust_store(store)


def test_a_store_of_an_earlier_version_says_what_to_do(tmp_path: Path, put: Put, csca: bytes) -> None:
    store = tmp_path / "old"
    (store / "certificates").mkdir(parents=True)
    (store / "certificates" / "a.der").write_bytes(csca)
    (store / "crls").mkdir()
    for work in (load_trust_store, list_trust, lambda path: take(path, put(csca))):
        with pytest.raises(StoreError, match="earlier version"):
            work(store)
    assert len(take(tmp_path / "new", store / "certificates", unsigned=True)) == 1


def test_only_errors_of_ours(tmp_path: Path, put: Put, csca: bytes) -> None:
    """Octets all over a certificate changed in turn: imported or refused, never a surprise."""
    for at in range(0, len(csca), 17):
        raw = bytearray(csca)
        raw[at] ^= 0xFF
        try:
            take(tmp_path / "store", put(bytes(raw)), unsigned=True)
        except EidError:
            continue
    load_trust_store(tmp_path / "store")


@pytest.mark.parametrize("filler", [b" ", b"\n", b"A", b"A\n", b"-----BEGIN CERTIFICATE-----\n", b"="])
def test_pem_blocks_without_an_end_take_no_time(tmp_path: Path, filler: bytes) -> None:
    path = tmp_path / "endless.pem"
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n" + filler * (MAX_FILE // 4 // len(filler)))
    start = time.process_time()
    with pytest.raises(DecodeError, match="cut off"):
        import_trust(tmp_path / "trust", [path], unsigned=False, now=NOW)
    assert time.process_time() - start < 1  # to search the rest anew from each line takes ten times as long
