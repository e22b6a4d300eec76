"""`eid pki`: the authority as an operator meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eid.codec.x509 import decode_certificate
from eid.keystore.pkcs11 import Pkcs11KeyStore
from tests.builders.issuing import clear_token, software_keys
from tests.conftest import SoftHsmToken

Eid = Callable[..., object]
SECRET = "open sesame"


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(SECRET + "\n")
    monkeypatch.setenv("EID_PASSPHRASE_FILE", str(path))
    return path


@pytest.fixture
def authority(eid: Eid, tmp_path: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("reader_tools.authority_options.open_software_keys", software_keys)  # the same at less scrypt
    made = eid("pki", "init", "--dir", tmp_path / "pki", "--profile", "eu-td1-id-card")
    assert (made.code, made.err) == (0, "")
    assert [line.split()[0] for line in made.out.splitlines()] == ["key", "csca-001", "ds-001", "CRL"]
    assert SECRET not in made.out
    return tmp_path / "pki"


def described(eid: Eid, authority: Path) -> dict[str, object]:
    shown = eid("pki", "show", "--dir", authority, "--json")
    assert shown.code == 0
    told: dict[str, object] = json.loads(shown.out)
    return told


def test_life_of_an_authority(eid: Eid, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = described(eid, authority)
    assert (told["format"], told["version"], told["profile"]) == ("eid-authority-description", 1, "eu-td1-id-card")
    assert eid("pki", "ds", "--dir", authority).code == 0
    assert [item["label"] for item in described(eid, authority)["certificates"]] == ["csca-001", "ds-001", "ds-002"]
    assert eid("pki", "crl", "--dir", authority).code == 0
    serial = described(eid, authority)["certificates"][1]["serial"]
    revoked = eid("pki", "crl", "--dir", authority, "--revoke", serial, "--reason", "key_compromise")
    assert revoked.code == 0
    assert "revoked" in revoked.out
    told = described(eid, authority)
    assert [item["revoked"] for item in told["certificates"]] == [False, True, False]
    assert (told["crl"]["number"], told["crl"]["revoked"]) == (3, 1)
    again = eid("pki", "crl", "--dir", authority, "--revoke", serial)
    assert (again.code, again.out) == (73, "")
    assert "revoked already" in again.err
    monkeypatch.delenv("EID_PASSPHRASE_FILE")
    assert "csca-001" in eid("pki", "show", "--dir", authority).out  # looking needs no key


def test_serials_are_checked(eid: Eid, authority: Path) -> None:
    for text in ("xyz", "", "-1", "1_0", "f" * 41, "٣"):
        assert eid("pki", "crl", "--dir", authority, f"--revoke={text}").code == 64
    assert eid("pki", "crl", "--dir", authority, "--revoke", "1").code == 73
    assert eid("pki", "crl", "--dir", authority, "--revoke", "1", "--reason", "bored").code == 64


def test_there_is_one_already(eid: Eid, authority: Path) -> None:
    again = eid("pki", "init", "--dir", authority)
    assert again.code == 73
    assert again.err.count("\n") == 1
    assert "already" in again.err


def test_nothing_is_made_where_there_is_no_authority(eid: Eid, tmp_path: Path, passphrase: Path) -> None:
    for command in (("show",), ("ds",), ("crl",)):
        outcome = eid("pki", *command, "--dir", tmp_path / "nowhere")
        assert outcome.code == 73
        assert "eid pki init" in outcome.err
        assert not (tmp_path / "nowhere").exists()
    assert eid("pki", "init", "--dir", tmp_path / "x", "--profile", "no-such").code == 65
    assert eid("pki", "init", "--dir", passphrase).code == 64


def test_the_passphrase(eid: Eid, authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("another one")
    refused = eid("pki", "ds", "--dir", authority, "--passphrase-file", wrong)
    assert refused.code == 77
    assert "another one" not in refused.err
    for content in ("", "\n", "two\nlines\n"):
        wrong.write_text(content)
        refused = eid("pki", "ds", "--dir", authority, "--passphrase-file", wrong)
        assert refused.code == 65, content
        assert refused.err.count("\n") == 1
    wrong.unlink()
    assert eid("pki", "ds", "--dir", authority, "--passphrase-file", wrong).code == 65
    monkeypatch.delenv("EID_PASSPHRASE_FILE")
    typed = iter((SECRET, SECRET))
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(typed))
    assert eid("pki", "ds", "--dir", authority).code == 0
    assert list(typed) == [SECRET]  # asked for once


def test_a_new_passphrase_is_typed_twice(eid: Eid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(("one", "other", "same", "same"))
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(typed))
    assert eid("pki", "init", "--dir", tmp_path / "pki").code == 0
    assert list(typed) == []


def test_nobody_types(eid: Eid, authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.delenv("EID_PASSPHRASE_FILE")
    monkeypatch.setattr("click.termui.hidden_prompt_func", give_up)
    outcome = eid("pki", "ds", "--dir", authority)
    assert outcome.code != 0
    assert "given up" in outcome.err


def test_keys_in_a_token(
    eid: Eid, tmp_path: Path, softhsm_token: SoftHsmToken, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Pkcs11KeyStore(str(softhsm_token.module), softhsm_token.label, softhsm_token.pin) as keys:
        clear_token(keys)
        try:
            pin = tmp_path / "pin"
            pin.write_text(softhsm_token.pin + "\n")
            token = ("--pkcs11", softhsm_token.module, "--token", softhsm_token.label)
            made = eid("pki", "init", "--dir", tmp_path / "pki", *token, "--pin-file", pin)
            assert made.code == 0, made.err
            assert not (tmp_path / "pki" / "keys").exists()
            monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: softhsm_token.pin)
            assert eid("pki", "ds", "--dir", tmp_path / "pki", *token).code == 0
            decode_certificate((tmp_path / "pki" / "ds-002.cer").read_bytes())
            other = eid("pki", "init", "--dir", tmp_path / "other", *token, "--pin-file", pin)
            assert other.code == 77
            assert "did not make it" in other.err
            assert not (tmp_path / "other" / "authority.json").exists()
        finally:
            clear_token(keys)


def test_options_of_tokens(eid: Eid, authority: Path, tmp_path: Path, softhsm_token: SoftHsmToken) -> None:
    pin = tmp_path / "pin"
    pin.write_text("")
    token = ("--pkcs11", softhsm_token.module, "--token", softhsm_token.label)
    assert eid("pki", "ds", "--dir", authority, "--pkcs11", softhsm_token.module).code == 64
    assert eid("pki", "ds", "--dir", authority, "--token", "x").code == 64
    assert eid("pki", "ds", "--dir", authority, "--pin-file", pin).code == 64
    assert eid("pki", "ds", "--dir", authority, *token, "--pin-file", pin).code == 65
    pin.write_text(softhsm_token.pin)
    assert eid("pki", "ds", "--dir", authority, "--pkcs11", "/no/such.so", "--token", "x", "--pin-file", pin).code == 77
    elsewhere = ("--pkcs11", softhsm_token.module, "--token", "no such token")
    assert eid("pki", "ds", "--dir", authority, *elsewhere, "--pin-file", pin).code == 77


def test_roll_over_lists_and_what_is_due(eid: Eid, authority: Path, tmp_path: Path) -> None:
    assert eid("pki", "status", "--dir", authority).code == 0
    assert (
        eid("pki", "csca", "--dir", authority, "--name", "SPECIMEN CSCA 2", "--operator", "SPECIMEN officer").code == 0
    )
    assert eid("pki", "crl", "--due", "--dir", authority).out == "no CRL is due\n"
    assert eid("pki", "crl", "--due", "--revoke", "1", "--dir", authority).code == 64
    assert (
        eid("pki", "master-list", "--dir", authority, "--out", tmp_path / "list.ml").out == f"{tmp_path / 'list.ml'}\n"
    )
    assert eid("pki", "master-list", "--dir", authority, "--no-own").code == 64
    (tmp_path / "junk").write_bytes(b"junk")
    assert eid("pki", "master-list", "--dir", authority, tmp_path / "junk").code == 65
    assert eid("pki", "deviation-list", "--dir", authority, tmp_path / "junk").code == 65
    told = json.loads(eid("pki", "status", "--dir", authority, "--json").out)
    assert told["format"] == "eid-authority-status"
    assert {item["subject"] for item in told["duties"]} >= {"csca-002", "ds-001", "mls-001", "crl-000003"}
    lines = eid("pki", "signatures", "csca-001", "--json", "--dir", authority).out.splitlines()
    assert "SPECIMEN officer" in {json.loads(line)["operator"] for line in lines}
    assert "link certificate" in eid("pki", "signatures", "csca-001", "--dir", authority).out
    assert eid("pki", "signatures", "../csca-001", "--dir", authority).code == 64


def test_audit_and_backup(eid: Eid, authority: Path, tmp_path: Path) -> None:
    told = json.loads(eid("pki", "audit", "--dir", authority, "--json").out)
    assert (told["format"], told["findings"]) == ("eid-authority-audit", [])
    saved = eid("pki", "backup", "--dir", authority, tmp_path / "backup.tar")
    assert saved.code == 0
    assert eid("pki", "backup", "--dir", authority, tmp_path / "backup.tar").code == 77  # never over another one
    (authority / "crl-000001.crl").unlink()
    found = eid("pki", "audit", "--dir", authority)
    assert (found.code, found.out.splitlines()[-1]) == (1, "1 findings")
    restored = eid("pki", "restore", "--dir", tmp_path / "again", tmp_path / "backup.tar")
    assert restored.code == 0
    assert "ds-001" in restored.out
    due = eid("pki", "status", "--dir", tmp_path / "again")
    assert (due.code, "due" in due.out) == (2, True)
    assert eid("pki", "restore", "--dir", tmp_path / "again", tmp_path / "backup.tar").code == 73


def test_two_custodians(eid: Eid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reader_tools.authority_options.open_software_keys", software_keys)  # the same at less scrypt
    typed = iter(("one", "one", "two", "two"))
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _: next(typed))
    assert eid("pki", "init", "--custodians", "2", "--dir", tmp_path / "pki").code == 0
    for number, part in enumerate(("one", "two")):
        (tmp_path / f"part-{number}").write_text(part)
    first, second = (("--passphrase-file", tmp_path / f"part-{number}") for number in range(2))
    assert eid("pki", "ds", *first, *second, "--dir", tmp_path / "pki").code == 0
    for alone in (first, second, (*second, *first)):
        assert eid("pki", "ds", *alone, "--dir", tmp_path / "pki").code == 77
    monkeypatch.setenv("EID_PASSPHRASE_FILE", f"{tmp_path / 'part-0'}:{tmp_path / 'part-1'}")
    assert eid("pki", "crl", "--dir", tmp_path / "pki").code == 0
