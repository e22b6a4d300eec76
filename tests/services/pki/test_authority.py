"""The issuing authority on disk: made, rolled, revoked, torn between its files, and believed by openssl."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from eid.codec.crl import decode_crl
from eid.codec.x509 import decode_certificate
from eid.errors import AlreadyDoneError, KeyStoreError, LifecycleError, NotStoredError, ProfileError, StoreError
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.keystore.software import SoftwareKeyStore
from eid.lds.sod import LdsVersion, build_lds_security_object, decode_ef_sod
from eid.pki.crl import RevocationReason
from eid.services.pki import authority as issuing
from eid.services.pki import authority_keys, authority_lists, authority_revocation
from eid.services.pki.authority import IssuingAuthority, open_authority, open_software_keys, require_authority
from eid.services.pki.authority_creation import create_authority
from eid.services.pki.authority_register import CSCA, MASTER_KEY, Register, decode_register
from eid.store.files import store_file
from tests.builders.issuance import NOW
from tests.builders.issuing import PASSPHRASE, clear_token, make_authority, reopen, software_keys
from tests.conftest import SoftHsmToken, find_tool

PROFILE = "eu-td1-id-card"  # named curves, so that openssl can judge
SECURITY_OBJECT = build_lds_security_object("sha256", dict.fromkeys((1, 2), bytes(32)), LdsVersion("0108", "150000"))


def test_what_is_made(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    csca = decode_certificate(authority.csca_certificate)
    (label, signer), *others = authority.signers()
    assert (label, others) == ("ds-001", [])
    assert signer.issuer_raw == csca.subject_raw
    assert csca.not_after > signer.not_after
    assert authority.register == Register(PROFILE, ("ds-001",), 1, cscas=(CSCA,), crls=((CSCA, 1),))
    assert decode_crl(authority.crl).extensions.crl_number() == 1
    assert authority.master_key.card_keys(bytes(10), 1).key_length == authority.profile.security_domain.key_length
    again = reopen(tmp_path / "pki")
    assert again.register == authority.register
    assert again.master_key.card_keys(bytes(10), 1) == authority.master_key.card_keys(bytes(10), 1)
    assert oct((tmp_path / "pki" / "keys").stat().st_mode)[-3:] == "700"


def test_rolling_signs_with_the_newest(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    raw = authority.add_signer(NOW + timedelta(days=60))
    assert authority.signer_label == "ds-002"
    assert authority.signer_certificate == raw
    sod = decode_ef_sod(authority.sign_sod(SECURITY_OBJECT, NOW + timedelta(days=61)))
    assert sod.certificates == (raw,)
    (_, first), _ = authority.signers()  # whose time is not over before the other's has come
    assert decode_ef_sod(authority.sign_sod(SECURITY_OBJECT, NOW)).certificates == (first.raw,)
    assert {item.serial for _, item in authority.signers()} == {
        item.serial for _, item in reopen(tmp_path / "pki").signers()
    }


def test_revoking(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    serial = decode_certificate(authority.signer_certificate).serial
    crl = decode_crl(authority.revoke(serial, RevocationReason.KEY_COMPROMISE, NOW))
    assert crl.revoked[serial].reason == RevocationReason.KEY_COMPROMISE
    assert crl.extensions.crl_number() == 2
    with pytest.raises(AlreadyDoneError, match="revoked already"):
        authority.revoke(serial, None, NOW)
    with pytest.raises(LifecycleError, match="no document signer has the serial number 1"):
        authority.revoke(1, None, NOW)
    other = decode_certificate(authority.add_signer(NOW)).serial
    crl = decode_crl(authority.revoke(other, None, NOW + timedelta(days=1)))
    assert set(crl.revoked) == {serial, other}
    assert crl.revoked[other].reason is None
    assert reopen(tmp_path / "pki").is_revoked(serial)


def test_each_crl_has_a_number_of_its_own(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    (tmp_path / "pki" / "crl-000002.crl").write_bytes(b"of an attempt that broke off")
    assert decode_crl(authority.issue_crl(NOW)).extensions.crl_number() == 3
    assert reopen(tmp_path / "pki").register.crl_number == 3


def test_there_is_one_authority_in_a_directory(tmp_path: Path) -> None:
    make_authority(tmp_path / "pki", PROFILE)
    before = {path: path.read_bytes() for path in (tmp_path / "pki").rglob("*") if path.is_file()}
    with pytest.raises(AlreadyDoneError, match="already"):
        make_authority(tmp_path / "pki", PROFILE)
    assert before == {path: path.read_bytes() for path in (tmp_path / "pki").rglob("*") if path.is_file()}


# --- keys


def test_wrong_passphrase(tmp_path: Path) -> None:
    make_authority(tmp_path / "pki", PROFILE)
    wrong = reopen(tmp_path / "pki", b"wrong")
    files = sorted(path.name for path in (tmp_path / "pki").rglob("*"))
    serial = decode_certificate(wrong.signer_certificate).serial
    attempts: tuple[Callable[[], object], ...] = (
        lambda: wrong.add_signer(NOW),
        lambda: wrong.issue_crl(NOW),
        lambda: wrong.revoke(serial, None, NOW),
        lambda: wrong.master_key,
        lambda: wrong.sign_sod(SECURITY_OBJECT, NOW),
    )
    for attempt in attempts:
        with pytest.raises(KeyStoreError):
            attempt()
    assert sorted(path.name for path in (tmp_path / "pki").rglob("*")) == files  # no key under a wrong passphrase
    right = reopen(tmp_path / "pki")
    assert not right.is_revoked(serial)
    right.add_signer(NOW)


def test_looking_needs_no_key(tmp_path: Path) -> None:
    made = make_authority(tmp_path / "pki", PROFILE)
    shown = open_authority(tmp_path / "pki")
    assert shown.csca_certificate == made.csca_certificate
    assert shown.crl == made.crl
    attempts: tuple[Callable[[], object], ...] = (
        lambda: shown.add_signer(NOW),
        lambda: shown.issue_crl(NOW),
        lambda: shown.master_key,
        lambda: shown.sign_sod(SECURITY_OBJECT, NOW),
        lambda: shown.keys,
    )
    for attempt in attempts:
        with pytest.raises(KeyStoreError, match="without its keys"):
            attempt()


def test_nowhere(tmp_path: Path) -> None:
    with pytest.raises(NotStoredError, match="eid pki init"):
        open_authority(tmp_path / "nowhere")
    with pytest.raises(NotStoredError):
        require_authority(tmp_path)
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        open_software_keys(tmp_path / "file" / "below", b"x")
    with pytest.raises(StoreError):
        create_authority(tmp_path / "file" / "below", PROFILE, software_keys(tmp_path / "keys"), NOW)
    with pytest.raises(ProfileError):
        make_authority(tmp_path / "pki", "no-such-profile")
    assert open_software_keys(tmp_path / "new", b"x").labels() == ()


def test_a_profile_by_path_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(__file__).parents[3] / "card_profiles" / f"{PROFILE}.toml"
    text = source.read_text()
    (tmp_path / "mine.toml").write_text("\n".join(line for line in text.splitlines() if not line.startswith("layout")))
    monkeypatch.chdir(tmp_path)
    make_authority(tmp_path / "pki", "mine.toml")
    monkeypatch.chdir("/")
    assert reopen(tmp_path / "pki").profile.name == PROFILE


def test_pkcs11_token(tmp_path: Path, softhsm_token: SoftHsmToken) -> None:
    with Pkcs11KeyStore(str(softhsm_token.module), softhsm_token.label, softhsm_token.pin) as keys:
        clear_token(keys)
        authority = create_authority(tmp_path / "pki", PROFILE, keys, NOW)
        assert not (tmp_path / "pki" / "keys").exists()
        authority.add_signer(NOW)
        serial = decode_certificate(authority.signer_certificate).serial
        authority.sign_sod(SECURITY_OBJECT, NOW)
        assert serial in decode_crl(authority.revoke(serial, None, NOW)).revoked
        again = open_authority(tmp_path / "pki", keys)
        assert again.register.signers == ("ds-001", "ds-002")
        assert again.master_key.card_keys(bytes(10), 1) == authority.master_key.card_keys(bytes(10), 1)
        verify_with_openssl(again, tmp_path, signer=1, revoked=True)
        verify_with_openssl(again, tmp_path, signer=0, revoked=False)
        # The token serves one authority: another one must not take its keys for its own.
        with pytest.raises(KeyStoreError, match="did not make it"):
            create_authority(tmp_path / "other", PROFILE, keys, NOW)
        with pytest.raises(KeyStoreError, match="did not make it"):
            create_authority(tmp_path / "other", PROFILE, keys, NOW)
        clear_token(keys)


def test_a_foreign_master_key_is_not_taken(tmp_path: Path) -> None:
    keys = software_keys(tmp_path / "pki")
    keys.generate_master_key(MASTER_KEY)
    for _ in range(2):
        with pytest.raises(KeyStoreError, match=f"{MASTER_KEY}.*did not make it"):
            create_authority(tmp_path / "pki", PROFILE, keys, NOW)


# --- torn between files


class PowerCutError(Exception):
    """The machine loses power."""


def cut(monkeypatch: pytest.MonkeyPatch, at: int, before: bool) -> None:
    """Lose power at the `at`-th change of the disk: a file or a key."""
    left = [at]

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0 and before:
                raise PowerCutError
            result = original(*arguments, **named)
            if left[0] == 0:
                raise PowerCutError
            return result

        return call

    for module in (issuing, authority_keys, authority_lists, authority_revocation):
        monkeypatch.setattr(module, "store_file", wrap(store_file))
    for name in ("generate_ec", "generate_master_key"):
        original = getattr(SoftwareKeyStore, name)
        monkeypatch.setattr(SoftwareKeyStore, name, wrap(original))


def is_whole(authority: IssuingAuthority) -> None:
    """It signs, and what it signs verifies under its own certificates."""
    certificate = decode_certificate(authority.signer_certificate)
    assert decode_ef_sod(authority.sign_sod(SECURITY_OBJECT, NOW)).certificates == (certificate.raw,)
    number = decode_crl(authority.issue_crl(NOW)).extensions.crl_number()
    assert number == authority.register.crl_number
    assert authority.register.unfinished == ""
    assert authority.master_key.card_keys(bytes(10), 1)
    numbers = [label for label, _ in authority.signers()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_torn_while_it_is_made(tmp_path: Path, before: bool) -> None:
    finished = False
    at = 0
    while not finished:
        at += 1
        place = tmp_path / str(at)
        with pytest.MonkeyPatch.context() as monkeypatch:
            cut(monkeypatch, at, before)
            try:
                make_authority(place, PROFILE)
                finished = True
            except PowerCutError:
                pass
        if not finished:
            if (place / "authority.json").exists() and not decode_register(
                (place / "authority.json").read_bytes()
            ).crl_number:
                with pytest.raises(StoreError, match="not finished"):
                    reopen(place)
            try:
                authority = make_authority(place, PROFILE)
            except AlreadyDoneError:  # only the last file's answer was lost
                authority = reopen(place)
            is_whole(authority)
    assert at > 8


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_torn_while_it_rolls_and_revokes(tmp_path: Path, before: bool) -> None:
    def work(authority: IssuingAuthority) -> None:
        authority.add_signer(NOW)
        authority.revoke(authority.signers()[0][1].serial, RevocationReason.SUPERSEDED, NOW)

    finished = False
    at = 0
    while not finished:
        at += 1
        place = tmp_path / str(at)
        make_authority(place, PROFILE)
        with pytest.MonkeyPatch.context() as monkeypatch:
            cut(monkeypatch, at, before)
            try:
                work(reopen(place))
                finished = True
            except PowerCutError:
                pass
        authority = reopen(place)
        known = authority.register.revocations
        authority.add_signer(NOW)
        is_whole(authority)
        assert set(decode_crl(authority.crl).revoked) == {serial for serial, _, _ in known}
    assert at > 5


def test_another_profile_does_not_go_on_with_it(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        cut(monkeypatch, 3, before=True)
        with pytest.raises(PowerCutError):
            make_authority(tmp_path / "pki", PROFILE)
    with pytest.raises(LifecycleError, match=f"for profile {PROFILE}"):
        make_authority(tmp_path / "pki", "ma-cnie")


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    make_authority(tmp_path / "pki", PROFILE)
    for _ in range(3):
        reopen(tmp_path / "pki").add_signer(NOW)
    serials = [item.serial for _, item in reopen(tmp_path / "pki").signers()]
    # Each has opened the authority before the others write.
    writers = [threading.Thread(target=reopen(tmp_path / "pki").revoke, args=(serial, None, NOW)) for serial in serials]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    authority = reopen(tmp_path / "pki")
    assert set(decode_crl(authority.crl).revoked) == set(serials)
    assert authority.register.crl_number == 1 + len(serials)


# --- the register


def damaged(register: Register, **changes: Any) -> bytes:
    return json.dumps(json.loads(register.encode()) | changes).encode()


def test_register_round_trip() -> None:
    for register in (
        Register("x"),
        Register("x", ("ds-001",), 4, ((255, NOW.isoformat(), "KEY_COMPROMISE"), (1, NOW.isoformat(), ""))),
        Register("x", unfinished=CSCA),
        Register("x", unfinished=MASTER_KEY),
        Register("x", ("ds-001",), unfinished="ds-002"),
        Register("x", cscas=("csca-001", "csca-002"), list_signers=("mls-001",), retired=("ds-001",), name="SPECIMEN"),
        Register("x", crls=(("csca-001", 4), ("csca-002", 5))),
    ):
        assert decode_register(register.encode()) == register


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        damaged(Register("x"), version=2),
        damaged(Register("x"), format="other"),
        damaged(Register("x"), signers=["../../etc/passwd"]),
        damaged(Register("x"), signers=[1]),
        damaged(Register("x"), signers=None),
        damaged(Register("x"), unfinished="../x"),
        damaged(Register("x"), crl_number="1"),
        damaged(Register("x"), crl_number=-1),
        damaged(Register("x"), crl_number=True),
        damaged(Register("x"), profile=None),
        damaged(Register("x"), name=1),
        damaged(Register("x"), cscas=["csca-1"]),
        damaged(Register("x"), retired=[None]),
        damaged(Register("x"), list_signers=["mls-001/.."]),
        damaged(Register("x"), crls={"csca-001": "1"}),
        damaged(Register("x"), crls={"../csca": 1}),
        damaged(Register("x"), crls=[1]),
        damaged(Register("x"), revocations=[{"serial": "zz", "at": NOW.isoformat(), "reason": ""}]),
        damaged(Register("x"), revocations=[{"serial": "1", "at": "yesterday", "reason": ""}]),
        damaged(Register("x"), revocations=[{"serial": "1", "at": "2026-01-01", "reason": ""}]),
        damaged(Register("x"), revocations=[{"serial": "1", "at": NOW.isoformat(), "reason": "BORED"}]),
    ],
    ids=range(27),
)
def test_damaged_registers(raw: bytes) -> None:
    with pytest.raises(StoreError, match=r"authority\.json is"):
        decode_register(raw)


def test_missing_files(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", PROFILE)
    (tmp_path / "pki" / "csca-001.cer").unlink()
    with pytest.raises(StoreError, match=r"csca-001\.cer"):
        _ = authority.csca_certificate
    authority.register = replace(authority.register, signers=())
    with pytest.raises(LifecycleError, match="no document signer yet"):
        _ = authority.signer_certificate


# --- what others say


def openssl(tool: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(tool), *map(str, arguments)], capture_output=True, text=True, check=False)


def verify_with_openssl(authority: IssuingAuthority, folder: Path, *, signer: int, revoked: bool) -> None:
    tool = find_tool("openssl")
    label, certificate = authority.signers()[signer]
    files = {"csca": authority.csca_certificate, "ds": certificate.raw, "crl": authority.crl}
    for name, raw in files.items():
        (folder / f"{name}.der").write_bytes(raw)
        kind = "crl" if name == "crl" else "x509"
        made = openssl(tool, kind, "-inform", "DER", "-in", folder / f"{name}.der", "-out", folder / f"{name}.pem")
        assert made.returncode == 0, made.stderr
    at = int((NOW + timedelta(days=1)).timestamp())
    said = openssl(
        tool, "verify", "-attime", at, "-x509_strict", "-crl_check", "-CAfile", folder / "csca.pem",
        "-CRLfile", folder / "crl.pem", folder / "ds.pem",
    )  # fmt: skip
    assert (said.returncode == 0) != revoked, (label, said.stdout, said.stderr)
    if revoked:
        assert "certificate revoked" in said.stderr


def test_openssl_verifies_the_chain_of_named_curves(tmp_path: Path, require_tool: Callable[[str], Path]) -> None:
    tool = require_tool("openssl")
    authority = make_authority(tmp_path / "pki", PROFILE)
    assert authority.profile.authority.ec_parameters == "named"
    verify_with_openssl(authority, tmp_path, signer=0, revoked=False)
    said = openssl(
        tool, "crl", "-inform", "DER", "-in", tmp_path / "crl.der", "-noout", "-CAfile", tmp_path / "csca.pem"
    )
    assert "verify OK" in said.stderr
    sod = decode_ef_sod(authority.sign_sod(SECURITY_OBJECT, NOW))
    (tmp_path / "sod.der").write_bytes(sod.raw[4:] if sod.raw[1] == 0x82 else sod.raw[3:])
    said = openssl(
        tool, "cms", "-verify", "-inform", "DER", "-in", tmp_path / "sod.der", "-attime", int(NOW.timestamp()),
        "-CAfile", tmp_path / "csca.pem", "-purpose", "any", "-out", tmp_path / "content",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert (tmp_path / "content").read_bytes() == SECURITY_OBJECT
    serial = decode_certificate(authority.signer_certificate).serial
    authority.revoke(serial, RevocationReason.KEY_COMPROMISE, NOW)
    verify_with_openssl(authority, tmp_path, signer=0, revoked=True)
    authority.add_signer(NOW)
    verify_with_openssl(authority, tmp_path, signer=1, revoked=False)


def test_openssl_reads_the_explicit_parameters(tmp_path: Path, require_tool: Callable[[str], Path]) -> None:
    authority = make_authority(tmp_path / "pki", "ma-cnie")
    (tmp_path / "csca.der").write_bytes(authority.csca_certificate)
    said = openssl(require_tool("openssl"), "x509", "-inform", "DER", "-in", tmp_path / "csca.der", "-noout", "-text")
    assert said.returncode == 0, said.stderr
    text = said.stdout.replace(" ", "").replace("\n", "").lower()
    assert "8c:b9:1e:82:a3:38:6d:28" in text  # p of brainpoolP384r1 (RFC 5639 3.6)
    assert PASSPHRASE.decode() not in said.stdout


@pytest.mark.parametrize("name", ["", " ", "x" * 65, "a\nb", "a\0b", "\udcff"])
def test_names_that_no_certificate_can_carry(tmp_path: Path, name: str) -> None:
    with pytest.raises(LifecycleError, match="common name"):
        create_authority(tmp_path / "pki", PROFILE, software_keys(tmp_path / "pki"), NOW, name=name)
    authority = make_authority(tmp_path / "pki", PROFILE)
    with pytest.raises(LifecycleError, match="common name"):
        authority.certify_csca("csca-002", name, NOW)
    assert authority.keys.labels() == ("csca-001", "ds-001")
