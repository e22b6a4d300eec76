"""Signed lists, LDIF and directories: what is taken, what is held, what is refused, and that nothing is dropped."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from eid.codec import oid
from eid.codec.crl import RevokedCertificate
from eid.crypto.signatures import verify_signature
from eid.errors import DecodeError, LifecycleError, NotStoredError, ProfileError, Reason, StoreError, VerificationError
from eid.pki import trust_store
from eid.pki.deviation_list import (
    KIND_OIDS,
    DeviantDocuments,
    Deviation,
    DeviationKind,
    DeviationList,
    encode_deviation_list,
)
from eid.pki.master_list import encode_master_list
from eid.pki.path import MAX_TRIES
from eid.pki.reading import read_certificate
from eid.services.trust import decisions, import_lists, imports
from eid.services.trust.files import load_trust_store
from eid.services.trust.import_objects import ImportReport
from eid.services.trust.imports import import_trust
from eid.services.trust.views import diff_imports, find_gaps, list_trust, show_certificate
from tests.builders import issuer as made
from tests.builders import trust_lists as lists
from tests.builders.issuance import NOW

Put = Callable[..., Path]


@pytest.fixture(scope="module")
def owner() -> lists.Publisher:
    return lists.publisher("UT")


@pytest.fixture(scope="module")
def other() -> lists.Publisher:
    return lists.publisher("FI")


@pytest.fixture(scope="module")
def content() -> tuple[bytes, ...]:
    return tuple(lists.sound(5))


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(content: bytes | str, name: str = "list.ml") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, owner: lists.Publisher) -> Path:
    """A store in which the publisher's CSCA is pinned."""
    directory = tmp_path_factory.mktemp("template")
    (directory / "pin.cer").write_bytes(owner.csca)
    (item,) = take(directory / "store", directory / "pin.cer").items
    decisions.pin_anchors(directory / "store", [item.fingerprint], NOW)
    return directory / "store"


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Path:
    """A copy of it for each test: making one takes longer than most of the tests."""
    return Path(shutil.copytree(template, tmp_path / "store"))


def pin(directory: Path, put: Put, publisher: lists.Publisher) -> None:
    (item,) = take(directory, put(publisher.csca, "pin.cer")).items
    decisions.pin_anchors(directory, [item.fingerprint], NOW)


def take(directory: Path, *files: Path, unsigned: bool = False, days: int = 0) -> ImportReport:
    return import_trust(directory, files, unsigned=unsigned, now=NOW + timedelta(days=days))


def refused(directory: Path, file: Path) -> Reason:
    with pytest.raises(VerificationError) as caught:
        take(directory, file)
    assert file.name in str(caught.value)
    return caught.value.reason


# --- a signed list


def test_a_list_of_a_pinned_signer(store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]) -> None:
    report = take(store, put(owner.master_list(content)))
    assert (report.counts, report.new, report.held, report.unusable) == ({"CSCA": 5}, 5, 0, 0)
    (source,) = report.sources
    assert (source.kind, source.signed, source.country) == ("MASTER_LIST", True, "UT")
    assert source.signed_at == lists.SIGNED_AT
    assert source.findings == ()
    assert {item.raw for item in load_trust_store(store).anchors} == {owner.csca, *content}
    shown = show_certificate(store, report.items[0].fingerprint)
    assert shown.is_vouched_for
    assert [item.name for item in shown.sources] == ["list.ml"]


def test_the_signer_and_its_csca_do_not_come_in_with_the_list(
    tmp_path: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]
) -> None:
    """What the CMS carries to verify itself is no content of the list."""
    with pytest.raises(VerificationError):
        take(tmp_path / "store", put(owner.master_list(content)))
    report = take(tmp_path / "store", put(owner.master_list(content)), unsigned=True)
    assert {bytes.fromhex(item.fingerprint) for item in report.items} == {
        bytes.fromhex(item.fingerprint.hex()) for item in list_trust(tmp_path / "store").certificates
    }
    assert owner.csca not in {item.raw for item in load_trust_store(tmp_path / "store").anchors}


def test_an_unpinned_list_is_marked_for_ever(
    tmp_path: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]
) -> None:
    store = tmp_path / "store"
    report = take(store, put(owner.master_list(content)), unsigned=True)
    assert [(item.signed, item.country, item.signer != "") for item in report.sources] == [(False, "", True)]
    pin(store, put, owner)
    later = take(store, put(owner.master_list(content)), days=1)
    assert later.new == 0
    shown = show_certificate(store, report.items[0].fingerprint)
    assert [item.signed for item in shown.sources] == [False, True]


@pytest.mark.parametrize("over_stored", [False, True], ids=["over the DER", "as stored"])
def test_signed_attributes_out_of_order(
    store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...], over_stored: bool
) -> None:
    raw = lists.sign_reordered(owner, encode_master_list(content), over_stored=over_stored)
    (source,) = take(store, put(raw)).sources
    codes = {code for code, *_ in source.findings}
    assert codes == ({"SET_ORDER", "SIGNED_AS_STORED"} if over_stored else {"SET_ORDER"})


def test_a_digest_info_without_null(tmp_path: Path, put: Put, content: tuple[bytes, ...]) -> None:
    owner = lists.publisher("UT", key=made.rsa_key())
    pin(tmp_path / "store", put, owner)
    (source,) = take(tmp_path / "store", put(lists.sign_without_null(owner, encode_master_list(content)))).sources
    assert [code for code, *_ in source.findings] == ["DIGEST_INFO_PARAMETERS"]


def test_signed_in_other_ways(tmp_path: Path, put: Put, content: tuple[bytes, ...]) -> None:
    for number, key in enumerate((made.rsa_key(), made.rsa_key(pss=True), made.ec_key("brainpoolP384r1", "sha384"))):
        owner = lists.publisher("UT", key=key)
        store = tmp_path / f"store{number}"
        pin(store, put, owner)
        assert take(store, put(owner.master_list(content, by_key_identifier=True))).new == 5


def test_ber(store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]) -> None:
    raw = owner.master_list(content)
    assert raw[1] == 0x82
    (source,) = take(store, put(b"\x30\x80" + raw[4:] + b"\x00\x00")).sources
    assert [code for code, *_ in source.findings] == ["NOT_DER"]


def test_a_signer_below_a_link_from_the_pinned_key(
    store: Path, put: Put, owner: lists.Publisher, content: tuple
) -> None:
    """The publisher's CSCA rolled over: the list carries the link, and that is enough."""
    key = made.ec_key()
    link = made.certificate(
        owner.csca_key, key, made.csca_extensions(key), issuer=lists.state_name("UT"), subject=lists.state_name("UT")
    )
    successor = lists.publisher("UT", csca_key=key, csca=link)
    assert take(store, put(successor.master_list(content, certificates=(successor.certificate, link)))).new == 5
    root = lists.state_csca(key, "UT")
    without = successor.master_list(content, certificates=(successor.certificate, root))
    assert refused(store, put(without)) is Reason.NO_CERTIFICATE_CHAIN_FOUND


def test_a_list_outlives_its_signers_certificate(tmp_path: Path, put: Put, content: tuple[bytes, ...]) -> None:
    owner = lists.publisher("UT", not_after=lists.SIGNED_AT + timedelta(days=1))
    pin(tmp_path / "store", put, owner)
    assert take(tmp_path / "store", put(owner.master_list(content)), days=400).new == 5
    late = owner.master_list(content, signing_time=lists.SIGNED_AT + timedelta(days=2))
    assert refused(tmp_path / "store", put(late)) is Reason.OUT_OF_BOUNDS_NO_POE
    silent = owner.master_list(content, signing_time=None)
    assert refused(tmp_path / "store", put(silent)) is Reason.OUT_OF_BOUNDS_NO_POE


def test_an_older_list_of_the_same_signer(
    store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]
) -> None:
    take(store, put(owner.master_list(content[:2])))
    old = owner.master_list(content, signing_time=lists.SIGNED_AT - timedelta(days=1))
    with pytest.raises(LifecycleError, match="older than that of"):
        take(store, put(old))
    with pytest.raises(LifecycleError, match="has no date"):
        take(store, put(owner.master_list(content, signing_time=None)))
    assert len(list_trust(store).certificates) == 3
    assert take(store, put(owner.master_list(content[:2])), days=1).new == 0  # the same again is none


# --- every defect


def revoking(owner: lists.Publisher) -> bytes:
    """A CRL of the publisher's CSCA that names its list signer."""
    serial = read_certificate(owner.certificate, []).serial
    named = [RevokedCertificate(serial, NOW - timedelta(days=1))]
    return made.crl(owner.csca_key, named, issuer=lists.state_name(owner.country))


@pytest.mark.parametrize("order", [("list.ml", "new.crl"), ("new.crl", "list.ml")])
def test_a_crl_that_comes_with_a_list_judges_its_signer(
    store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...], order: tuple[str, str]
) -> None:
    """Whichever is named first, in single files as in one LDIF."""
    files = {"list.ml": put(owner.master_list(content), "list.ml"), "new.crl": put(revoking(owner), "new.crl")}
    with pytest.raises(VerificationError) as caught:
        take(store, *(files[name] for name in order))
    assert caught.value.reason is Reason.REVOKED
    names = {"list.ml": "pkdMasterListContent", "new.crl": "certificateRevocationList;binary"}
    ldif = put(lists.ldif([(names[item], files[item].read_bytes()) for item in order]), "pkd.ldif")
    report = take(store, ldif)
    assert report.counts == {"CRL": 1}
    assert [item.refusal[:8] for item in report.sources if item.kind == "MASTER_LIST"] == ["REVOKED:"]


def test_a_crl_below_a_link_that_the_list_brings_judges_its_signer(
    store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]
) -> None:
    """The CRL's issuer comes in with the very list: it speaks all the same."""
    key = made.ec_key()
    link = made.certificate(
        owner.csca_key, key, made.csca_extensions(key), issuer=lists.state_name("UT"), subject=lists.state_name("UT")
    )
    successor = lists.publisher("UT", csca_key=key, csca=link)
    raw = successor.master_list([*content, link])
    with pytest.raises(VerificationError) as caught:
        take(store, put(raw, "list.ml"), put(revoking(successor), "new.crl"))
    assert caught.value.reason is Reason.REVOKED
    assert take(store, put(raw, "list.ml")).new == 6


def test_a_large_list_with_every_defect(store: Path, put: Put, owner: lists.Publisher) -> None:
    """All are loaded, each is graded, the unusable ones say why, and the sound ones count."""
    cases = list(lists.corpus(120))
    report = take(store, put(owner.master_list(item.raw for item in cases)))
    assert report.total == len(cases)
    found = {item.fingerprint: item for item in report.items}
    stored = {item.fingerprint.hex(): item for item in list_trust(store, kinds=()).certificates}
    for case in cases:
        item = found[made.hashlib.sha256(case.raw).hexdigest()]
        graded = {(finding.code, finding.grade.value) for finding in item.findings}
        assert set(case.codes) <= graded, case.name
        assert item.usable == case.usable == stored[item.fingerprint].usable, case.name
        assert item.kind == case.kind, case.name
        assert all(finding.clause and finding.what for finding in item.findings), case.name
        assert case.usable or stored[item.fingerprint].why, case.name
    anchors = {item.raw for item in load_trust_store(store).anchors}
    assert {case.raw for case in cases if case.name.startswith("sound")} <= anchors
    assert not anchors & {case.raw for case in cases if not case.usable or case.kind != "CSCA"}


# --- LDIF


@pytest.mark.parametrize("width", [0, 20, 76])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_ldif(store: Path, put: Put, owner: lists.Publisher, content: tuple, width: int, end: str) -> None:
    key = made.ec_key()
    signer = made.ds_certificate(owner.csca_key, key)
    entries = (
        ("pkdMasterListContent", owner.master_list(content)),
        ("userCertificate;binary", signer),
        ("certificateRevocationList;binary", made.crl(made.ec_key())),
    )
    report = take(store, put(lists.ldif(entries, width=width, end=end), "pkd.ldif"))
    assert report.counts == {"CRL": 1, "CSCA": 5, "DS": 1}
    trust = load_trust_store(store)
    assert len(trust.anchors) == 6
    certificate = read_certificate(signer, [])
    assert trust.find_signers(certificate.issuer_raw, certificate.serial) == (signer,)
    assert trust.find_signers(certificate.issuer_raw, 1) == ()
    assert trust.find_signers_by_key(certificate.extensions.subject_key_identifier or b"") == (signer,)
    assert trust.find_signers_by_key(b"none") == ()


def test_more_than_a_batch(store: Path, put: Put, content: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in piece by piece is the same as what comes at once; so is what comes twice."""
    monkeypatch.setattr(imports, "BATCH", 2)
    told: list[int] = []
    file = put(lists.ldif([("cACertificate;binary", raw) for raw in (*content, content[0])]), "pkd.ldif")
    report = import_trust(store, [file], unsigned=True, now=NOW, progress=told.append)
    assert (report.counts, report.new) == ({"CSCA": 6}, 5)
    assert told == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "name", ["pkdMasterListContent;binary", "CscaMasterListData", "cscaMasterListData;binary", "someNewName"]
)
def test_renamed_attributes(
    store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...], name: str
) -> None:
    report = take(store, put(lists.ldif([(name, owner.master_list(content))]), "pkd.ldif"))
    assert report.counts == {"CSCA": 5}


def test_a_list_in_an_ldif_that_is_refused_keeps_no_other_out(
    store: Path, put: Put, owner: lists.Publisher, other: lists.Publisher, content: tuple[bytes, ...]
) -> None:
    flipped = bytearray(owner.master_list(content[:3]))
    flipped[-1] ^= 1
    entries = (
        ("pkdMasterListContent", other.master_list(content)),
        ("pkdMasterListContent", bytes(flipped)),
        ("pkdMasterListContent", b"\x30\x03\x02\x01\x00"),
        ("pkdMasterListContent", owner.master_list(content[:2])),
        ("userCertificate;binary", b"no certificate"),
        ("certificateRevocationList;binary", b"no CRL"),
    )
    report = take(store, put(lists.ldif(entries), "pkd.ldif"))
    refusals = [item.refusal for item in report.sources if item.kind == "MASTER_LIST"]
    assert [bool(item) for item in refusals] == [True, True, True, False]
    assert refusals[0].startswith("NO_CERTIFICATE_CHAIN_FOUND")
    assert refusals[1].startswith("SIG_CRYPTO_FAILURE")
    assert report.counts == {"CRL": 1, "CSCA": 2, "OTHER": 1}
    assert report.unusable == 2


def test_a_bare_authority_in_an_ldif_is_held(store: Path, put: Put, content: tuple[bytes, ...]) -> None:
    file = put(lists.ldif([("cACertificate;binary", raw) for raw in content]), "pkd.ldif")
    report = take(store, file)
    assert (report.new, report.held) == (5, 5)
    assert len(load_trust_store(store).anchors) == 1
    assert all(item.held_for == "nobody signed for it" for item in list_trust(store, states=("HELD",)).certificates)
    assert take(store, file, unsigned=True).held == 0
    assert len(load_trust_store(store).anchors) == 6


@pytest.mark.parametrize(
    "head",
    ["\ufeff", "\ufeff# SPECIMEN\n", "# a comment of many lines\n" * 9000, "# folded\n here\n\n#more\r\n", "\n\n"],
    ids=range(5),
)
def test_an_ldif_is_known_whatever_stands_before_it(
    store: Path, put: Put, content: tuple[bytes, ...], head: str
) -> None:
    """A byte order mark, comments of any length, one that is folded."""
    text = lists.ldif([("cACertificate;binary", content[0])])
    for body in (text, text.removeprefix("version: 1\n\n")):
        assert take(store, put((head + body).encode(), "pkd.ldif")).counts == {"CSCA": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\n\ndn: c=UT\nuserCertificate;binary:: !!\n", "not base64"),
        ("version: 1\n\ndn: c=UT\nuserCertificate;binary:< file:///etc/passwd\n", "not fetched"),
        ("version: 1\n\ndn: c=UT\nno colon here\n", "no attribute"),
        ("version: 1\n\ncn: x\n", "does not begin with dn"),
    ],
)
def test_a_malformed_ldif_is_refused_whole(
    store: Path, put: Put, content: tuple[bytes, ...], text: str, message: str
) -> None:
    good = lists.ldif([("cACertificate;binary", content[0])])
    with pytest.raises(DecodeError, match=message):
        take(store, put(good + text.removeprefix("version: 1\n\n"), "pkd.ldif"))
    assert len(list_trust(store).certificates) == 1


def test_deletions_take_nothing_away(store: Path, put: Put, content: tuple[bytes, ...]) -> None:
    entry = lists.ldif_entry("c=UT", "cACertificate;binary", content[0])
    report = take(store, put(entry.replace("\n", "\nchangetype: delete\n", 1), "pkd.ldif"))
    assert report.total == 0


# --- directories and bundles


def test_a_directory(tmp_path: Path, store: Path, owner: lists.Publisher, content: tuple[bytes, ...]) -> None:
    folder = tmp_path / "folder" / "below"
    folder.mkdir(parents=True)
    (folder / "a.ml").write_bytes(owner.master_list(content[:2]))
    (folder.parent / "b.cer").write_bytes(content[2])
    (folder.parent / ".hidden").write_bytes(b"junk")
    assert take(store, folder.parent).new == 3
    (folder.parent / "c.cer").write_bytes(content[3])
    (folder.parent / "d.cer").write_bytes(content[4])
    with pytest.raises(LifecycleError, match="nobody signed"):
        take(store, folder.parent)
    assert take(store, folder.parent, unsigned=True).new == 2


# --- quorum and approval


def test_quorum(tmp_path: Path, put: Put, owner: lists.Publisher, other: lists.Publisher) -> None:
    """A CSCA that one list knows waits for a second one, for its own state, for a link, or for the operator."""
    store = tmp_path / "store"
    for item in (owner, other):
        pin(store, put, item)
    (store / "trust.toml").write_text('format = "eid-trust-policy"\nversion = 1\nquorum = 2\n')
    key, rolled = made.ec_key(), made.ec_key()
    stranger, own = lists.state_csca(key, "MA"), lists.state_csca(key, "FI")
    report = take(store, put(owner.master_list([stranger, own])))
    assert (report.new, report.held) == (2, 2)
    assert all(item.is_held for item in report.items)
    held = list_trust(store, states=("HELD",)).certificates
    assert {item.held_for for item in held} == {"known to 1 of 2 signed lists"}
    assert [item.what for item in diff_imports(store).changes] == ["held", "held"]
    trust = load_trust_store(store)
    assert stranger not in {item.raw for item in trust.anchors}
    # the second list knows one of them, and is the other's own
    report = take(store, put(other.master_list([stranger, own])), days=1)
    assert (report.new, report.held) == (0, 0)
    assert {stranger, own} <= {item.raw for item in load_trust_store(store).anchors}
    # a link by an accepted key confirms itself and the root of the new key
    names = {"issuer": lists.state_name("MA"), "subject": lists.state_name("MA")}
    link = made.certificate(key, rolled, made.csca_extensions(rolled), serial=5, **names)
    root = lists.state_csca(rolled, "MA", serial=6)
    report = take(store, put(owner.master_list([stranger, own, link, root], signing_time=NOW)), days=2)
    assert report.held == 0
    shown = show_certificate(store, made.hashlib.sha256(link).hexdigest())
    assert [item.fingerprint for item in shown.issuers] == [made.hashlib.sha256(stranger).digest()]
    assert [item.fingerprint for item in shown.same_key] == [made.hashlib.sha256(root).digest()]
    # a forged link confirms nothing
    forger = made.ec_key()
    forged = made.certificate(forger, forger, made.csca_extensions(rolled), serial=7, **names)
    fake = lists.state_csca(forger, "MA", serial=8)
    again = owner.master_list([forged, fake], signing_time=NOW + timedelta(hours=1))
    assert take(store, put(again), days=3).held == 2


def test_approve_and_reject(tmp_path: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]) -> None:
    store = tmp_path / "store"
    pin(store, put, owner)
    (store / "trust.toml").write_text('format = "eid-trust-policy"\nversion = 1\nquorum = 3\n')
    report = take(store, put(owner.master_list(content)))
    assert report.held == 5
    first, second, *_ = (item.fingerprint for item in report.items)
    decisions.approve(store, [first[:9]])
    decisions.approve(store, [second], reject=True)
    assert len(load_trust_store(store).anchors) == 2
    assert [item.what for item in diff_imports(store, 0, 2).changes].count("rejected") == 1
    assert len(decisions.approve(store, (), everything=True)) == 3
    assert len(load_trust_store(store).anchors) == 5
    take(store, put(owner.master_list(content)), days=1)
    assert len(load_trust_store(store).anchors) == 5  # a rejected one stays rejected


@pytest.mark.parametrize(
    "text",
    [
        "quorum = 2",
        'format = "other"\nversion = 1',
        'format = "eid-trust-policy"\nversion = 1\nquorum = 0',
        'format = "eid-trust-policy"\nversion = 1\nquorum = true',
        'format = "eid-trust-policy"\nversion = 1\nquorums = 2',
        'format = "eid-trust-policy"\nversion = 1\nfetch = 1',
        'format = "eid-trust-policy"\nversion = 1\n[fetch]\nhosts = "a"',
        'format = "eid-trust-policy"\nversion = 1\n[fetch]\nhost = ["a"]',
        'format = "eid-trust-policy"\nversion = 1\n[fetch]\nhosts = ["a"]\nlocations = ["https://b/x"]',
        'format = "eid-trust-policy"\nversion = 1\n[fetch]\nhosts = ["a"]\nlocations = ["ftp://a/x"]',
        'format = "eid-trust-policy"\nversion = 1\n[fetch]\nhosts = ["a"]\nlocations = ["http://me@a/x"]',
        "[[[",
    ],
)
def test_a_policy_that_is_not_understood_stops_the_import(
    store: Path, put: Put, owner: lists.Publisher, text: str
) -> None:
    (store / "trust.toml").write_text(text)
    with pytest.raises(ProfileError, match=r"trust\.toml"):
        take(store, put(owner.csca))


# --- distrust


def test_distrust_and_lift(store: Path, put: Put, owner: lists.Publisher) -> None:
    first, second = lists.same_key_twice()
    take(store, put(owner.master_list([first, second])))
    fingerprint = made.hashlib.sha256(first).hexdigest()
    before = load_trust_store(store).digest
    entry = decisions.distrust(store, fingerprint, since=NOW, reason="its key leaked", now=NOW)
    assert entry.also == (made.hashlib.sha256(second).hexdigest(),)
    trust = load_trust_store(store)
    assert trust.digest != before
    sibling = read_certificate(second, [])
    trust.verify_not_distrusted([sibling], NOW - timedelta(seconds=1))
    with pytest.raises(VerificationError, match="its key leaked") as caught:
        trust.verify_not_distrusted([sibling], NOW)
    assert caught.value.reason is Reason.CSCA_DISTRUSTED
    assert show_certificate(store, fingerprint).distrusted_since == NOW
    assert decisions.lift_distrust(store, fingerprint, NOW) == 1
    assert decisions.lift_distrust(store, fingerprint, NOW) == 0
    load_trust_store(store).verify_not_distrusted([sibling], NOW)
    assert [item.lifted_at for item in decisions.list_distrusts(store)] == [NOW]
    for reason in ("", " ", "x" * 257):
        with pytest.raises(LifecycleError):
            decisions.distrust(store, fingerprint, since=NOW, reason=reason, now=NOW)


def test_a_distrusted_key_vouches_for_nothing(store: Path, put: Put, owner: lists.Publisher, content: tuple) -> None:
    """Who stole a CSCA's key could sign lists, deviation lists, and a link to a key of his own."""
    take(store, put(owner.master_list(content[:1])))
    digits = made.hashlib.sha256(owner.csca).hexdigest()
    decisions.distrust(store, digits, since=NOW, reason="its key leaked", now=NOW)
    later = owner.master_list(content, signing_time=lists.SIGNED_AT + timedelta(days=1))
    assert refused(store, put(later)) is Reason.CSCA_DISTRUSTED
    with pytest.raises(VerificationError, match="its key leaked"):
        take(store, put(later), unsigned=True)
    signer = lists.publisher("UT", csca_key=owner.csca_key, csca=owner.csca, purposes=(oid.DEVIATION_LIST_SIGNING_KEY,))
    assert refused(store, put(deviations(signer), "ut.dvl")) is Reason.CSCA_DISTRUSTED
    thief = made.ec_key()
    names = {"issuer": lists.state_name("UT"), "subject": lists.state_name("UT")}
    link = made.certificate(owner.csca_key, thief, made.csca_extensions(thief), serial=5, **names)
    root = lists.state_csca(thief, "UT", serial=6)
    stolen = put(lists.ldif([("cACertificate", link), ("cACertificate", root)]), "pkd.ldif")
    assert take(store, stolen, days=1).held == 2
    assert root not in {item.raw for item in load_trust_store(store).anchors}
    assert {item.country: item.why for item in find_gaps(store, NOW)}["UT"][0].startswith("no CSCA")
    decisions.lift_distrust(store, digits, NOW)
    assert take(store, stolen, days=2).held == 0  # a link by a key that is trusted confirms both
    # accepted before the key was known to have leaked, the link vouches for no further certificate
    decisions.distrust(store, digits, since=NOW, reason="its key leaked", now=NOW)
    again = put(lists.ldif([("cACertificate", lists.state_csca(thief, "UT", serial=7))]), "pkd.ldif")
    assert take(store, again, days=3).held == 1


def test_a_rejected_anchor_vouches_for_no_list(store: Path, put: Put, owner: lists.Publisher, content: tuple) -> None:
    digits = made.hashlib.sha256(owner.csca).hexdigest()
    decisions.approve(store, [digits], reject=True)
    assert refused(store, put(owner.master_list(content))) is Reason.NO_CERTIFICATE_CHAIN_FOUND
    with pytest.raises(LifecycleError, match="approve it first"):
        decisions.pin_anchors(store, [digits], NOW)
    decisions.approve(store, [digits])
    assert take(store, put(owner.master_list(content))).new == 5


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every signature of a certificate or CRL that is verified from now on."""
    seen: list[bytes] = []

    def count(key: object, algorithm: object, message: bytes, signature: bytes) -> None:
        seen.append(signature)
        verify_signature(key, algorithm, message, signature)

    monkeypatch.setattr(trust_store, "verify_signature", count)
    return seen


def test_links_in_circles_take_little_work(
    store: Path, put: Put, owner: lists.Publisher, content: tuple, verified: list[bytes]
) -> None:
    """Hundreds of certificates of two keys that vouch for each other, in a list that nobody has vouched for yet."""
    one, two = made.ec_key(), made.ec_key()
    names = {"issuer": lists.state_name("FI"), "subject": lists.state_name("FI")}
    pairs = ((one, two), (two, one))
    circle = [
        made.certificate(above, below, made.csca_extensions(below), serial=serial, **names)
        for serial in range(1, 33)
        for above, below in pairs
    ]
    forger = lists.publisher("FI", csca_key=one, csca=circle[0])
    raw = forger.master_list(content, certificates=(forger.certificate, *circle))
    verified.clear()
    assert refused(store, put(raw)) is Reason.NO_CERTIFICATE_CHAIN_FOUND
    assert len(verified) < 4 * MAX_TRIES  # three paths are looked for; by trial of every pair it would be thousands


def test_a_store_whose_name_is_odd(tmp_path: Path, put: Put, content: tuple[bytes, ...]) -> None:
    odd = tmp_path / "a?b#c%20 é"
    assert take(odd, put(content[0])).new == 1
    assert len(load_trust_store(odd).anchors) == 1
    assert {item.name for item in tmp_path.iterdir()} == {odd.name, "list.ml"}


def test_fingerprints(store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]) -> None:
    digits = take(store, put(content[0])).items[0].fingerprint
    for text in (digits, digits[:8], digits[:11], digits.upper(), ":".join((digits[:4], digits[4:10]))):
        assert show_certificate(store, text).certificate.fingerprint.hex() == digits
    for text in ("", "abcdefg!", digits[:7], digits + "00"):
        with pytest.raises(DecodeError):
            show_certificate(store, text)
    wrong = ("0" if digits[0] != "0" else "1") + digits[1:]
    with pytest.raises(NotStoredError):
        show_certificate(store, wrong)
    with sqlite3.connect(store / "index.db") as connection:
        connection.execute("UPDATE trust_certificate SET fingerprint = ? WHERE raw = ?", (b"A" * 32, content[0]))
        connection.execute("INSERT INTO trust_certificate SELECT * FROM trust_certificate WHERE 0")
    with pytest.raises(StoreError):
        load_trust_store(store)


def test_pins(store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]) -> None:
    digits = made.hashlib.sha256(owner.csca).hexdigest()
    assert [item.fingerprint.hex() for item in decisions.list_anchors(store)] == [digits]
    decisions.pin_anchors(store, [digits], NOW)  # again: harmless
    assert decisions.unpin_anchors(store, [digits]) == 1
    assert refused(store, put(owner.master_list(content))) is Reason.NO_CERTIFICATE_CHAIN_FOUND
    signer = take(store, put(owner.certificate)).items[0]
    with pytest.raises(LifecycleError, match="no usable self-signed"):
        decisions.pin_anchors(store, [signer.fingerprint], NOW)


# --- CRLs


def test_crl_numbers_never_go_back(store: Path, put: Put) -> None:
    key = made.ec_key()
    csca = made.csca_certificate(key)
    take(store, put(csca, "a"), put(made.crl(key, number=8), "b"))
    for number, word in ((7, "goes back behind 8"), (8, "another CRL of number 8")):
        (item,) = take(store, put(made.crl(key, number=number)), days=number).items
        assert not item.usable
        assert word in item.findings[-1].what
    (item,) = take(store, put(made.crl(key, number=9)), days=9).items
    assert item.usable
    trust = load_trust_store(store)
    anchor = next(item for item in trust.anchors if item.raw == csca)
    assert [crl.extensions.crl_number() for crl in trust.crls_of(anchor)] == [9, 8]


def test_two_crls_at_once_are_no_regress(store: Path, put: Put) -> None:
    key = made.ec_key()
    files = (put(made.csca_certificate(key), "a"), put(made.crl(key, number=8), "b"), put(made.crl(key, number=7), "c"))
    assert take(store, *files).unusable == 0


def test_a_crl_of_a_held_authority_does_not_count(store: Path, put: Put, owner: lists.Publisher) -> None:
    key = made.ec_key()
    file = put(lists.ldif([("cACertificate", made.csca_certificate(key))]), "pkd.ldif")
    report = take(store, file, put(made.crl(key), "x.crl"))
    assert (report.held, report.unusable) == (1, 1)


# --- deviation lists


def deviations(owner: lists.Publisher, **options: object) -> bytes:
    kind = DeviationKind.AA_KEY_COMPROMISED
    entry = (DeviantDocuments(document_type="P"), (Deviation(kind, KIND_OIDS[kind], "SPECIMEN"),))
    raw = encode_deviation_list(DeviationList("", "sha256", (entry,)))
    return owner.sign(raw, content_type=oid.DEVIATION_LIST, **options)


def test_a_deviation_list_takes_part(store: Path, put: Put, owner: lists.Publisher) -> None:
    signer = lists.publisher("UT", csca_key=owner.csca_key, csca=owner.csca, purposes=(oid.DEVIATION_LIST_SIGNING_KEY,))
    raw = deviations(signer)
    report = take(store, put(raw, "ut.dvl"))
    assert report.counts == {"DVL": 1}
    assert take(store, put(lists.ldif([("anyName", raw)]), "pkd.ldif"), days=1).new == 0
    trust = load_trust_store(store)
    document_signer = read_certificate(
        made.certificate(owner.csca_key, made.ec_key(), (), issuer=lists.state_name("UT")), []
    )
    (found,) = trust.deviations_of(document_signer, document_type="P")
    assert found.kind is DeviationKind.AA_KEY_COMPROMISED
    assert found.describe() == "known deviation AA_KEY_COMPROMISED: SPECIMEN"
    assert trust.deviations_of(document_signer, document_type="ID") == ()
    foreign = read_certificate(lists.state_csca(made.ec_key(), "FI"), [])
    assert trust.deviations_of(foreign, document_type="P") == ()
    # another state's list, and one whose signer signs master lists
    stranger = lists.publisher("FI", purposes=(oid.DEVIATION_LIST_SIGNING_KEY,))
    assert refused(store, put(deviations(stranger), "fi.dvl")) is Reason.NO_CERTIFICATE_CHAIN_FOUND
    assert refused(store, put(deviations(owner), "ut2.dvl")) is Reason.CHAIN_CONSTRAINTS_FAILURE


def test_signed_lists_do_not_fill_the_disk(
    store: Path, put: Put, owner: lists.Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = lists.publisher("UT", csca_key=owner.csca_key, csca=owner.csca, purposes=(oid.DEVIATION_LIST_SIGNING_KEY,))
    first, second = deviations(signer), deviations(signer, signing_time=NOW)
    monkeypatch.setattr(import_lists, "MAX_WAITING", len(first) + 10)
    report = take(store, put(lists.ldif([("anyName", first), ("anyName", second)]), "pkd.ldif"))
    assert report.counts == {"DVL": 1}
    assert [item.refusal.partition(": ")[2] for item in report.sources if item.refusal] == [
        f"over {len(first) + 10} octets of signed lists in one import"
    ]
    with pytest.raises(LifecycleError, match="octets of signed lists"):
        take(store, put(first, "1.dvl"), put(second, "2.dvl"))


# --- looking


def test_diff_and_gaps(store: Path, put: Put, owner: lists.Publisher, content: tuple[bytes, ...]) -> None:
    take(store, put(owner.master_list(content[:3])))
    later = owner.master_list(content[1:4], signing_time=lists.SIGNED_AT + timedelta(days=1))
    take(store, put(later), days=1)
    difference = diff_imports(store)
    assert (difference.before, difference.after) == (2, 3)
    assert sorted(item.what for item in difference.changes) == ["added", "gone"]
    assert all(item.publishers == ("UT",) for item in difference.changes)
    assert diff_imports(store, 3, 3).changes == ()
    # A single file, and a list of another publisher, take nothing away; what was known before is not new.
    take(store, put(content[0], "one.cer"), days=2)
    assert diff_imports(store).changes == ()
    another = lists.publisher("XB")
    pin(store, put, another)
    take(store, put(another.master_list(content)), days=3)
    assert [item.what for item in diff_imports(store).changes] == ["added"]
    assert sorted(item.what for item in diff_imports(store, 2).changes) == ["added", "added", "added", "gone"]
    with pytest.raises(NotStoredError):
        diff_imports(store, 1, 99)
    gaps = {item.country: item.why for item in find_gaps(store, NOW, ("ma", "UT"))}
    assert gaps["MA"] == ("no CSCA", "no CRL")
    assert gaps["UT"] == ("no CRL",)
    end = read_certificate(content[0], []).not_after
    soon = {item.country: item.why for item in find_gaps(store, end - timedelta(days=1))}
    assert soon["AT"][0].startswith("the last CSCA ends on")
    late = {item.country: item.why for item in find_gaps(store, end + timedelta(days=1))}
    assert late["AT"][0].startswith("no current CSCA: the last ended on")


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """Every SQL statement that is executed from now on."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def test_the_work_of_an_import_grows_with_the_list_and_no_faster(
    store: Path, put: Put, owner: lists.Publisher, verified: list[bytes], statements: list[str]
) -> None:
    """Signatures verified and statements executed; benchmarks/bench_trust.py measures the time."""
    every = tuple(lists.sound(120))
    work = []
    for days, listed in enumerate((every[:40], every[40:])):
        raw = owner.master_list(listed, signing_time=lists.SIGNED_AT + timedelta(days=days))
        verified.clear()
        statements.clear()
        assert take(store, put(raw), days=days).new == len(listed)
        work.append((len(verified), len(statements)))
    for small, large in zip(*work, strict=True):
        assert large <= 2.5 * small
