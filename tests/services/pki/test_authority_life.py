"""The long life of an authority: keys roll over, names change, limits are reached; keys in files and in a token."""

from __future__ import annotations

import hashlib
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from eid.codec import oid
from eid.codec.cms import decode_signed_data
from eid.codec.crl import decode_crl
from eid.codec.x509 import Certificate, decode_certificate
from eid.crypto.public_key import load_public_key
from eid.errors import AlreadyDoneError, DecodeError, LifecycleError, StoreError, VerificationError
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.keystore.ports import KeyStore
from eid.lds.sod import build_lds_security_object, decode_ef_sod
from eid.pki.cms_signature import verify_cms_signature
from eid.pki.crl import RevocationReason
from eid.pki.examination import examine_certificate
from eid.pki.list_signer import ListKind, sign_list
from eid.pki.master_list import decode_master_list, encode_master_list
from eid.pki.path import find_path
from eid.pki.revocation import verify_not_revoked
from eid.pki.trust_store import build_trust_store
from eid.services.pki.authority import IssuingAuthority
from eid.services.pki.authority_audit import audit_authority
from eid.services.pki.authority_backup import NUMBERS_SKIPPED, restore_backup, write_backup
from eid.services.pki.authority_creation import create_authority
from eid.services.pki.authority_register import CSCA
from eid.services.pki.authority_status import DutyState, list_duties
from eid.services.trust.decisions import pin_anchors
from eid.services.trust.files import load_trust_store
from eid.services.trust.imports import import_trust
from tests.builders.issuance import NOW
from tests.builders.issuing import clear_token, make_authority, reopen, software_keys
from tests.conftest import SoftHsmToken

PROFILE = "eu-td1-id-card"
SECURITY_OBJECT = build_lds_security_object("sha256", dict.fromkeys((1, 2), bytes(32)))
DAY = timedelta(days=1)
OFFICER = "SPECIMEN officer"
Make = Callable[..., IssuingAuthority]


@pytest.fixture(params=["software", "pkcs11"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes an authority with keys in files or in a token; words after the profile change its `[authority]`."""
    token: Pkcs11KeyStore | None = None
    if request.param == "pkcs11":
        found: SoftHsmToken = request.getfixturevalue("softhsm_token")
        token = Pkcs11KeyStore(str(found.module), found.label, found.pin)
        clear_token(token)
    store: KeyStore = token or software_keys(tmp_path / "pki")
    yield lambda **stated: create_authority(
        tmp_path / "pki", write_profile(tmp_path, **stated), store, NOW, operator=OFFICER
    )
    if token is not None:
        clear_token(token)
        token.close()


def write_profile(folder: Path, **stated: Any) -> str:
    """The profile as a file, with other words under `[authority]`."""
    source = Path(__file__).parents[3] / "card_profiles" / f"{PROFILE}.toml"
    lines = [line for line in source.read_text().splitlines() if not line.startswith("layout")]
    lines = [line for line in lines if line.partition(" ")[0] not in stated]
    at = (
        lines.index("[authority]") + 1
        if "[authority]" in lines
        else next(number + 1 for number, line in enumerate(lines) if line.startswith("[authority]"))
    )
    lines[at:at] = [f"{name} = {value!r}".replace("'", '"') for name, value in stated.items()]
    (folder / "changed.toml").write_text("\n".join(lines))
    return str(folder / "changed.toml")


def signer_of(authority: IssuingAuthority, now: datetime) -> Certificate:
    """Who signs a document now; the path to it verifies, and no CRL lists it."""
    sod = decode_ef_sod(authority.sign_sod(SECURITY_OBJECT, now))
    (raw,) = sod.certificates
    certificate = decode_certificate(raw)
    trust = build_trust_store(authority.csca_certificates, authority.crls)
    verify_not_revoked(find_path(certificate, trust), trust, now)
    return certificate


# --- document signers


def test_issuing_goes_on_when_a_keys_signatures_are_used_up(make: Make) -> None:
    authority = make(signer_signatures=3)
    signers = [signer_of(authority, NOW).serial for _ in range(8)]
    assert [signers.count(serial) for serial in dict.fromkeys(signers)] == [3, 3, 2]
    assert authority.register.signers == ("ds-001", "ds-002", "ds-003")
    assert [authority.record.count(label) for label in authority.register.signers] == [3, 3, 2]
    (entry, *_) = authority.record.entries("ds-003")
    assert (entry.purpose, entry.operator, entry.at) == ("EF.SOD", OFFICER, NOW)
    assert not audit_authority(authority).findings


def test_issuing_goes_on_when_a_keys_time_is_over(make: Make) -> None:
    authority = make(signer_key_days=30)
    first = signer_of(authority, NOW + 29 * DAY)
    authority.issue_crl(NOW + 30 * DAY)
    second = signer_of(authority, NOW + 31 * DAY)
    assert first.serial != second.serial
    assert second.extensions.document_types() == first.extensions.document_types()
    authority.require_ready(NOW + 31 * DAY)
    assert authority.register.signers == ("ds-001", "ds-002")


def test_a_revoked_signer_is_not_replaced_in_silence(make: Make) -> None:
    authority = make()
    serial = authority.signers()[0][1].serial
    authority.revoke(serial, RevocationReason.KEY_COMPROMISE, NOW)
    for attempt in (lambda: authority.sign_sod(SECURITY_OBJECT, NOW), lambda: authority.require_ready(NOW)):
        with pytest.raises(LifecycleError, match="eid pki ds"):
            attempt()
    duty = next(item for item in list_duties(authority, NOW) if item.subject == "ds-001")
    assert (duty.state, duty.action) == (DutyState.OVERDUE, "eid pki ds")
    authority.add_signer(NOW)
    assert signer_of(authority, NOW).serial != serial


def test_rsa_keys(make: Make) -> None:
    authority = make(csca_curve="RSA-3072", signer_curve="RSA-2048", rsa_scheme="pss")
    certificate = signer_of(authority, NOW)
    assert certificate.signature_algorithm.oid == oid.RSASSA_PSS
    authority.add_csca(NOW)
    assert signer_of(authority, NOW).serial == certificate.serial


def sign_some(directory: str, count: int) -> None:
    authority = reopen(Path(directory))
    for _ in range(count):
        authority.sign_sod(SECURITY_OBJECT, NOW)


def test_processes_do_not_exceed_the_limit_together(tmp_path: Path) -> None:
    create_authority(
        tmp_path / "pki", write_profile(tmp_path, signer_signatures=5), software_keys(tmp_path / "pki"), NOW
    )
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=sign_some, args=(str(tmp_path / "pki"), 6)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    authority = reopen(tmp_path / "pki")
    counts = [authority.record.count(label) for label in authority.register.signers]
    assert (sum(counts), max(counts)) == (12, 5)


# --- CSCA


@pytest.mark.parametrize("name", [None, "SPECIMEN CSCA of Utopia"])
def test_the_next_csca(make: Make, name: str | None) -> None:
    authority = make()
    old = signer_of(authority, NOW)
    later = NOW + DAY
    new = decode_certificate(authority.add_csca(later, name=name))
    first = decode_certificate(authority.csca_certificates[0])
    ((label, link),) = authority.links
    assert label == "link-002"
    assert link.extensions.name_change is (name is not None)
    assert (link.issuer_raw, link.subject_raw, link.spki_raw) == (first.subject_raw, new.subject_raw, new.spki_raw)
    assert (new.subject_raw == first.subject_raw) is (name is None)
    assert new.spki_raw != first.spki_raw
    # The document signer in hand goes on; the next one stands below the new key.
    assert signer_of(authority, later).serial == old.serial
    authority.add_signer(later)
    newer = signer_of(authority, later)
    assert newer.issuer_raw == new.subject_raw
    # Who knows the first key alone gets to the new signer by the link; its CRLs are there, too.
    trust = build_trust_store((first.raw, link.raw), authority.crls)
    path = find_path(newer, trust)
    assert [item.raw for item in path.authorities] == [link.raw, first.raw]
    verify_not_revoked(path, trust, later)
    # What one revokes under one name says nothing under the other.
    authority.revoke(old.serial, None, later)
    listed = [old.serial in decode_crl(raw).revoked for raw in authority.crls]
    assert listed == ([True, True] if name is None else [True, False])
    assert not audit_authority(authority).findings


def test_a_link_can_be_revoked(make: Make) -> None:
    authority = make()
    authority.add_csca(NOW)
    (_, link), *_ = authority.links
    authority.revoke(link.serial, RevocationReason.SUPERSEDED, NOW)
    assert all(link.serial in decode_crl(raw).revoked for raw in authority.crls)


def test_a_csca_whose_time_is_over_signs_crls_and_nothing_else(make: Make) -> None:
    authority = make(csca_key_days=100)
    late = NOW + 101 * DAY
    for attempt in (lambda: authority.add_signer(late), lambda: authority.add_csca(late)):
        with pytest.raises(LifecycleError, match="eid pki csca"):
            attempt()
    authority.issue_crl(late)
    authority.add_csca(late, with_link=False)
    assert authority.links == ()
    authority.add_signer(late)
    assert signer_of(authority, late).issuer_raw == decode_certificate(authority.csca_certificate).subject_raw


def test_a_destroyed_key_signs_no_crl(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    authority.add_csca(NOW)
    (key,) = (tmp_path / "pki" / "keys").glob(f"{CSCA}.*")
    key.unlink()
    assert authority.crl_issuers(NOW) == ("csca-002",)
    authority.issue_crl(NOW + DAY)
    assert dict(authority.register.crls) == {CSCA: 2, "csca-002": 4}


# --- CRLs


def test_a_revocation_that_no_crl_can_say_is_refused(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    authority.add_csca(NOW, name="SPECIMEN CSCA of Utopia")
    (key,) = (tmp_path / "pki" / "keys").glob(f"{CSCA}*")
    key.unlink()
    serial = authority.signers()[0][1].serial
    with pytest.raises(LifecycleError, match="signs CRLs any more"):
        authority.revoke(serial, RevocationReason.KEY_COMPROMISE, NOW)
    assert not reopen(tmp_path / "pki").is_revoked(serial)


def test_a_crl_is_issued_when_it_is_due(make: Make) -> None:
    authority = make()
    days = authority.profile.authority.crl_days
    assert authority.crl_due(NOW + DAY) is None
    due = NOW + timedelta(days=days * 2 / 3)
    assert authority.crl_due(due + timedelta(hours=1)) == due
    authority.issue_crl(due)
    assert authority.crl_due(due + DAY) is None


def test_a_crl_that_an_attempt_left_behind_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The register is written before the CRL that says the same: whoever asks what is due hears of what is missing."""
    authority = make_authority(tmp_path / "pki", PROFILE)
    held = authority.signers()[0][1].serial
    steps: tuple[Callable[[], object], ...] = (
        lambda: authority.revoke(held, RevocationReason.CERTIFICATE_HOLD, NOW + DAY),
        lambda: authority.release(held, NOW + 2 * DAY),
        lambda: authority.add_csca(NOW + 3 * DAY),
    )
    for day, step in enumerate(steps, 1):
        with monkeypatch.context() as torn:
            torn.setattr(IssuingAuthority, "_issue_crl", lambda *_: (_ for _ in ()).throw(StoreError("torn")))
            with pytest.raises(StoreError, match="torn"):
                step()
        now = NOW + day * DAY
        authority = reopen(tmp_path / "pki")
        assert authority.crl_due(now) == now
        assert states(authority, now)["crl"] == "OVERDUE"
        authority.issue_crl(now)
        assert authority.crl_due(now) is None
        assert "crl" not in states(authority, now)


def test_a_signer_that_another_process_revoked_signs_no_more(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    authority.sign_sod(SECURITY_OBJECT, NOW)
    reopen(tmp_path / "pki").revoke(authority.signers()[0][1].serial, RevocationReason.KEY_COMPROMISE, NOW)
    with pytest.raises(LifecycleError, match="is revoked"):
        authority.sign_sod(SECURITY_OBJECT, NOW)


def test_a_certificate_on_hold_is_released(make: Make) -> None:
    authority = make()
    serial = authority.signers()[0][1].serial
    authority.revoke(serial, RevocationReason.CERTIFICATE_HOLD, NOW)
    assert decode_crl(authority.crl).revoked[serial].reason == RevocationReason.CERTIFICATE_HOLD
    authority.release(serial, NOW)
    assert serial not in decode_crl(authority.crl).revoked
    assert decode_crl(authority.crl).extensions.crl_number() == 3
    authority.revoke(serial, RevocationReason.SUPERSEDED, NOW)
    with pytest.raises(LifecycleError, match="on hold"):
        authority.release(serial, NOW)


# --- lists


def test_a_master_list(make: Make) -> None:
    authority = make()
    authority.add_csca(NOW, name="SPECIMEN CSCA of Utopia")
    content = encode_master_list(authority.csca_certificates)
    path, raw = authority.sign_list(ListKind.MASTER, content, NOW)
    assert path.read_bytes() == raw
    assert path.name == "masterlist-000001.ml"
    ((label, signer),) = authority.list_signers()
    assert label == "mls-001"
    assert signer.extensions.extended_key_usage == (oid.CSCA_MASTER_LIST_SIGNING_KEY,)
    signed = decode_signed_data(raw)
    verify_cms_signature(signed, load_public_key(signer.spki_raw))
    assert signed.content_type == oid.CSCA_MASTER_LIST
    assert set(signed.certificates) == {signer.raw, authority.csca_certificate}
    assert set(decode_master_list(signed.content)) == set(authority.csca_certificates)
    again, _ = authority.sign_list(ListKind.MASTER, content, NOW + DAY)
    assert (again.name, len(authority.list_signers())) == ("masterlist-000002.ml", 1)
    # A year later another signer is made by itself.
    authority.sign_list(ListKind.MASTER, content, NOW + 400 * DAY)
    assert authority.register.list_signers == ("mls-001", "mls-002")
    assert not audit_authority(authority).findings


def test_a_revoked_list_signer_is_not_replaced_in_silence(make: Make) -> None:
    """As of document signers: whatever made the key suspect may have reached the next one, too."""
    authority = make()
    content = encode_master_list(authority.csca_certificates)
    authority.sign_list(ListKind.MASTER, content, NOW)
    authority.status_signer(NOW)
    for label, signer in authority.list_signers():
        authority.revoke(signer.serial, None, NOW)
        duty = next(item for item in list_duties(authority, NOW) if item.subject == label)
        assert (duty.state, duty.action[:20]) == (DutyState.OVERDUE, "eid pki list-signer ")
    with pytest.raises(LifecycleError, match="eid pki list-signer master"):
        authority.sign_list(ListKind.MASTER, content, NOW)
    with pytest.raises(LifecycleError, match="eid pki list-signer status"):
        authority.status_signer(NOW)
    authority.sign_list(ListKind.DEVIATION, b"\x30\x00", NOW)
    authority.add_list_signer(ListKind.MASTER, NOW)
    authority.sign_list(ListKind.MASTER, content, NOW)
    assert authority.register.list_signers == ("mls-001", "sls-001", "dls-001", "mls-002")
    assert not audit_authority(authority).findings


def test_each_list_has_its_own_signer(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    authority.sign_list(ListKind.MASTER, encode_master_list(authority.csca_certificates), NOW)
    authority.sign_list(ListKind.DEVIATION, b"\x30\x00", NOW)
    (_, master), (_, deviation) = authority.list_signers()
    assert deviation.extensions.extended_key_usage == (oid.DEVIATION_LIST_SIGNING_KEY,)
    key = authority.keys.load("mls-001")
    with pytest.raises(LifecycleError, match="deviation list signer"):
        sign_list(ListKind.DEVIATION, b"", key, master.raw, authority.csca_certificate, signing_time=NOW)


# --- what is due


def states(authority: IssuingAuthority, now: datetime) -> dict[str, str]:
    return {item.subject: item.state.name for item in list_duties(authority, now)}


def test_duties(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    assert set(states(authority, NOW).values()) == {"OK"}
    assert states(authority, NOW + 21 * DAY)["crl-000001"] == "DUE"
    assert states(authority, NOW + 31 * DAY)["crl-000001"] == "OVERDUE"
    assert states(authority, NOW + 84 * DAY)["ds-001"] == "DUE"
    assert states(authority, NOW + 91 * DAY)["ds-001"] == "DUE"  # it rolls over by itself
    stated = authority.profile.authority
    assert states(authority, NOW + (stated.csca_key_days - 80) * DAY)[CSCA] == "DUE"
    assert states(authority, NOW + (stated.csca_key_days + 1) * DAY)[CSCA] == "OVERDUE"
    authority.add_csca(NOW)
    authority.sign_list(ListKind.MASTER, encode_master_list(authority.csca_certificates), NOW)
    assert set(states(authority, NOW)) == {CSCA, "csca-002", "ds-001", "mls-001", "crl-000002", "crl-000003"}
    far = NOW + (stated.csca_key_days + stated.document_days + stated.signer_key_days + 2) * DAY
    assert states(authority, far)["crl-000002"] == "OK"  # its CSCA's certificate has expired
    authority._keep(replace(authority.register, unfinished="ds-002"))
    assert states(authority, NOW)["ds-002"] == "OVERDUE"


# --- audit


def test_what_an_audit_finds(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    authority.add_csca(NOW)
    assert audit_authority(authority).findings == ()
    assert [(item.label, item.count) for item in audit_authority(authority).accounts] == [(CSCA, 5), ("csca-002", 2)]
    crl = authority.crl_path(1)
    raw = crl.read_bytes()
    crl.unlink()
    assert audit_authority(authority).findings == (f"{CSCA} made a signature (CRL 1) whose object is not here",)
    crl.write_bytes(raw)
    other = make_authority(tmp_path / "other", PROFILE)
    (tmp_path / "pki" / "ds-009.cer").write_bytes(other.signer_certificate)
    assert audit_authority(authority).findings == (
        "ds-009.cer is not in the register",
        "ds-009.cer was issued by a key that is not the authority's",
    )
    (tmp_path / "pki" / "ds-009.cer").write_bytes(b"\x30\x00")
    assert audit_authority(authority).findings[0].startswith("ds-009.cer: ")
    (tmp_path / "pki" / "ds-009.cer").unlink()
    record = tmp_path / "pki" / "signatures" / f"{CSCA}.signatures"
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:1] + lines[2:]))  # one signature hidden
    assert "broken at number 2" in audit_authority(authority).findings[0]
    record.write_bytes(b"".join(lines[:1]))  # cut: what is there tells of it
    assert any("is not in the record" in finding for finding in audit_authority(authority).findings)


# --- backup


def test_backup_and_restoration(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    archive = tmp_path / "backup.tar"
    write_backup(tmp_path / "pki", archive)
    assert oct(archive.stat().st_mode)[-3:] == "600"
    serial = authority.signers()[0][1].serial
    for _ in range(3):
        authority.issue_crl(NOW)
    published = authority.revoke(serial, RevocationReason.KEY_COMPROMISE, NOW)
    told = restore_backup(archive, tmp_path / "again", published)
    assert (told.crl_number, told.revocations, told.retired) == (5, 1, ("ds-001",))
    again = reopen(tmp_path / "again")
    assert again.is_revoked(serial)
    assert decode_crl(again.issue_crl(NOW)).extensions.crl_number() == 6
    again.add_signer(NOW)
    assert signer_of(again, NOW).serial != serial
    assert again.master_key.card_keys(bytes(10), 1) == authority.master_key.card_keys(bytes(10), 1)
    assert oct((tmp_path / "again" / "keys").stat().st_mode)[-3:] == "700"
    without = restore_backup(archive, tmp_path / "third")
    assert without.crl_number == 1 + NUMBERS_SKIPPED
    third = reopen(tmp_path / "third")
    assert signer_of(third, NOW).serial != serial  # nobody knows what the old key has signed since
    assert third.register.signers == ("ds-001", "ds-002")
    with pytest.raises(AlreadyDoneError, match="not empty"):
        restore_backup(archive, tmp_path / "third")


def test_a_restoration_takes_no_strange_crl(tmp_path: Path) -> None:
    make_authority(tmp_path / "pki", PROFILE)
    other = make_authority(tmp_path / "other", PROFILE)  # of the same name
    write_backup(tmp_path / "pki", tmp_path / "backup.tar")
    with pytest.raises(LifecycleError, match="not signed by this authority"):
        restore_backup(tmp_path / "backup.tar", tmp_path / "again", other.crl)
    with pytest.raises(DecodeError):
        restore_backup(tmp_path / "backup.tar", tmp_path / "again", b"\x30\x00")
    assert not (tmp_path / "again").exists()


def test_damaged_backups(tmp_path: Path) -> None:
    make_authority(tmp_path / "pki", PROFILE)
    archive = tmp_path / "backup.tar"
    write_backup(tmp_path / "pki", archive)
    raw = archive.read_bytes()
    for at in (100, 600, len(raw) // 2, 1 << 12):
        archive.write_bytes(raw[:at] + bytes((raw[at] ^ 1,)) + raw[at + 1 :])
        try:
            restore_backup(archive, tmp_path / f"at-{at}")
        except StoreError:
            assert not (tmp_path / f"at-{at}").exists()
            continue
        kept = {path.name: path.read_bytes() for path in (tmp_path / f"at-{at}").glob("*.cer")}
        assert kept == {path.name: path.read_bytes() for path in (tmp_path / "pki").glob("*.cer")}  # a bit of padding
    archive.write_bytes(raw)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AlreadyDoneError):
        restore_backup(archive, tmp_path / "file")
    for content in (b"", b"x" * 2000, raw[: len(raw) // 2]):
        archive.write_bytes(content)
        with pytest.raises(StoreError):
            restore_backup(archive, tmp_path / "again")
    with pytest.raises(StoreError):
        write_backup(tmp_path / "nowhere", tmp_path / "x.tar")
    with pytest.raises(StoreError):
        restore_backup(tmp_path / "nowhere.tar", tmp_path / "again")


# --- what the relying party's side says


def test_an_own_master_list_is_imported_by_who_pinned_the_authority(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    authority.add_csca(NOW, name="SPECIMEN CSCA of Utopia")
    links = (item.raw for _, item in authority.links)
    content = encode_master_list((*authority.csca_certificates, *links))
    path, _ = authority.sign_list(ListKind.MASTER, content, NOW)
    store, anchor = tmp_path / "trust", authority.directory / "csca-002.cer"
    import_trust(store, (anchor,), unsigned=True, now=NOW)
    with pytest.raises(VerificationError):
        import_trust(store, (path,), unsigned=False, now=NOW)
    pin_anchors(store, (hashlib.sha256(anchor.read_bytes()).hexdigest(),), NOW)
    import_trust(store, (path,), unsigned=False, now=NOW)
    trust = load_trust_store(store)
    assert {item.certificate.raw for item in trust.authorities} >= set(authority.csca_certificates)


@pytest.mark.parametrize("profile", ["ma-cnie", PROFILE])
def test_the_lint_finds_nothing_in_what_is_made(tmp_path: Path, profile: str) -> None:
    """Explicit parameters are as Doc 9303-12 wants them; named ones, which the other profile has, are noticed."""
    authority = make_authority(tmp_path / "pki", profile)
    authority.add_csca(NOW, name="SPECIMEN CSCA of Utopia")
    authority.sign_list(ListKind.MASTER, encode_master_list(authority.csca_certificates), NOW)
    made = (*authority.csca_certificates, *(item.raw for _, item in authority.issued()))
    kinds = [examine_certificate(raw).kind.value for raw in made]
    assert kinds == ["CSCA", "CSCA", "LINK", "DS", "ML_SIGNER"]
    found = {item.code for raw in made for item in examine_certificate(raw).findings}
    assert found == ({"NAMED_CURVE"} if profile == PROFILE else set())
