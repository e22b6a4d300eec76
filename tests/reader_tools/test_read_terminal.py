"""`eid read` by a terminal with rights: from files, from a token, and over PC/SC."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from eid.card.trust import load_trust
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.evidence.codec import decode_evidence
from eid.keystore.pkcs8 import ScryptCost, encrypt_private_key_info
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.services.emulator.virtual_cards import open_card
from eid.store.card_file import open_card_file
from eid.testing.specimen import issue_specimen
from reader_tools.issued_card import write_issued_card
from tests.builders.inspected import NOW
from tests.builders.terminals import ECDSA, TERMINAL, TerminalPki, build_terminal_pki, ec_signer

PROFILE = "eu-passport-eac"
TA = ProtocolName.TERMINAL_AUTHENTICATION


@pytest.fixture(scope="module")
def issued_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card, and beside it all that `eid card new` writes; the tests change nothing of it but its counters."""
    path = tmp_path_factory.mktemp("card") / "card.bin"
    write_issued_card(path, PROFILE, None, b"SPECIMEN01", datetime.now(UTC).replace(microsecond=0))
    return path


def beside(card: Path, *suffixes: str) -> list[Path]:
    return [card.with_name(f"{card.name}.{suffix}") for suffix in suffixes]


def terminal_of(card: Path, key: object | None = None) -> tuple[object, ...]:
    """Options in an order that is not the chain's, the CVCA's own certificate among them."""
    certificates = beside(card, "terminal.cvcert", "cvca.cvcert", "dv.cvcert")
    chain = [item for path in certificates for item in ("--terminal-chain", path)]
    return (*chain, "--terminal-key", key or beside(card, "terminal.key")[0])


def test_fingers_by_right_and_closed_without(eid, issued_files, tmp_path):
    (can,), out = beside(issued_files, "can"), tmp_path / "evidence"
    given = ("read", "--card-file", issued_files, "--can-file", can, "--unsigned", "--out", out)
    closed = eid(*given)
    assert closed.code == 0
    assert "closed to this terminal: DG3" in closed.out
    assert decode_evidence(out.read_bytes()).content("DG3") is None
    opened = eid(*given, *terminal_of(issued_files))
    assert opened.code == 0, opened.err
    assert "terminal_authentication: succeeded (terminal UTSPECIS00001)" in opened.out
    assert "closed" not in opened.out
    evidence = decode_evidence(out.read_bytes())
    with open_card(issued_files) as card:
        files = card.card._card.memory.applications[bytes.fromhex("A0000002471001")].files
        assert evidence.content("DG3") == bytes(files[0x0103].content)


def test_a_terminal_that_the_card_does_not_trust(eid, issued_files, tmp_path):
    pki = replace(build_terminal_pki(), end=datetime.now(UTC).date() + timedelta(days=30))
    for name, raw in (("dv", pki.dv_certificate()), ("is", pki.terminal_certificate())):
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "key").write_bytes(pki_key(pki.terminal))
    chain = (
        "--terminal-chain",
        tmp_path / "dv",
        "--terminal-chain",
        tmp_path / "is",
        "--terminal-key",
        tmp_path / "key",
    )
    told = eid("read", "--card-file", issued_files, "--can-file", *beside(issued_files, "can"), *chain)
    assert told.code == 0
    assert "terminal_authentication: not_attempted" in told.out
    assert "no certificate is by what the card trusts" in told.out
    assert "closed to this terminal: DG3" in told.out


def pki_key(signer) -> bytes:
    return signer._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_a_key_under_a_passphrase(eid, issued_files, tmp_path, monkeypatch):
    (plain,) = beside(issued_files, "terminal.key")
    key = load_pem_private_key(plain.read_bytes(), None)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(encrypt_private_key_info(der, b"SPECIMEN", ScryptCost(n=16)))
    (tmp_path / "passphrase").write_text("SPECIMEN\n")
    monkeypatch.setenv("EID_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    given = ("read", "--card-file", issued_files, "--can-file", *beside(issued_files, "can"), "--dg", "3")
    assert "closed" not in eid(*given, *terminal_of(issued_files, tmp_path / "key.pem")).out
    (tmp_path / "passphrase").write_text("another\n")
    assert eid(*given, *terminal_of(issued_files, tmp_path / "key.pem")).code == 77


def test_a_terminals_key_in_a_token(eid, tmp_path, softhsm_token):
    """The key never leaves the token; the chain is issued for its public half, and a card trusts its CVCA."""
    with Pkcs11KeyStore(str(softhsm_token.module), softhsm_token.label, softhsm_token.pin) as store:
        above = (ec_signer(name, curve="P-384") for name in ("cvca-384", "dv-384"))
        pki = TerminalPki(*above, store.generate_ec("terminal-ta", "P-384", ECDSA))
        for name, raw in (("dv", pki.dv_certificate()), ("is", pki.terminal_certificate())):
            (tmp_path / name).write_bytes(raw)
    path = tmp_path / "card.bin"
    specimen = issue_specimen(PROFILE, NOW)
    specimen.card._card.memory.trust = load_trust((pki.cvca_certificate(),), None)
    with open_card_file(path) as file:
        file.store(specimen.card.state())
    (tmp_path / "can").write_text(specimen.can + "\n")
    (tmp_path / "pin").write_text(softhsm_token.pin + "\n")
    token = ("--pkcs11", softhsm_token.module, "--token", softhsm_token.label, "--token-pin-file", tmp_path / "pin")
    chain = ("--terminal-chain", tmp_path / "dv", "--terminal-chain", tmp_path / "is", "--terminal-key", "terminal-ta")
    told = eid("read", "--card-file", path, "--can-file", tmp_path / "can", "--dg", "3", *chain, *token)
    assert told.code == 0, told.err
    assert f"terminal_authentication: succeeded (terminal {TERMINAL})" in told.out
    assert "closed" not in told.out
    absent = (*chain[:-1], "no-such-key", *token)
    assert eid("read", "--card-file", path, "--can-file", tmp_path / "can", *absent).code == 77


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--terminal-key", "x"), 64),
        (("--terminal-chain", "x"), 64),
        (("--pkcs11", "x"), 64),
        (("--pkcs11", "x", "--token", "y"), 64),
        (("--terminal-chain", "none", "--terminal-key", "none"), 65),
    ],
)
def test_wrong_usage(eid, issued_files, options, code):
    given = ("read", "--card-file", issued_files, "--can-file", *beside(issued_files, "can"))
    assert eid(*given, *options).code == code


def test_a_foreign_key_and_a_broken_chain_are_told_before_the_card_is_touched(eid, issued_files, tmp_path):
    given = ("read", "--card-file", issued_files, "--can-file", *beside(issued_files, "can"))
    (tmp_path / "key").write_bytes(pki_key(build_terminal_pki().terminal))
    foreign = eid(*given, *terminal_of(issued_files, tmp_path / "key"))
    assert (foreign.code, foreign.err) == (77, "eid: not the key of the certificate of UTSPECIS00001\n")
    only, key = beside(issued_files, "dv.cvcert", "terminal.key")
    assert "0 certificates of terminals" in eid(*given, "--terminal-chain", only, "--terminal-key", key).err
    (tmp_path / "other").write_bytes(build_terminal_pki().dv_certificate())
    (terminal,) = beside(issued_files, "terminal.cvcert")
    broken = ("--terminal-chain", terminal, "--terminal-chain", tmp_path / "other", "--terminal-key", key)
    assert "no chain" in eid(*given, *broken).err


def test_over_pcsc(eid, issued_files, pcsc_daemon, tmp_path):
    """The same over a PC/SC reader, BAC-like MRZ entry by PACE, fingers by right."""
    reader, out = pcsc_daemon.readers[0], tmp_path / "evidence"
    (mrz,) = beside(issued_files, "mrz")
    with open_card(issued_files) as card:
        reader.insert(card)
        try:
            given = ("read", "--reader", reader.name, "--mrz-file", mrz, "--unsigned", "--out", out)
            told = eid(*given, *terminal_of(issued_files))
            assert told.code == 0, told.err
        finally:
            reader.remove()
    evidence = decode_evidence(out.read_bytes())
    assert evidence.transcript(TA).outcome is ProtocolOutcome.SUCCEEDED
    assert evidence.content("DG3") is not None
