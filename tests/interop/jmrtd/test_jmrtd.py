"""JMRTD reads our cards over PC/SC (javax.smartcardio): access, every file, chip, active and passive authentication.

Bouncy Castle judges the signatures, so what is accepted here is accepted by software that shares nothing with ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eid.profile.card_image import KeyPurpose
from eid.transport.pcscd import PcscHost
from tests.builders.issuance import Authority, Issued
from tests.builders.machine import missing
from tests.interop.cards import contents, twin, with_altered_dg1, with_foreign_key
from tests.interop.conftest import InReader, Ledger
from tests.interop.jmrtd.driver import build, command
from tests.interop.terminals import Driver, Terminal, Unavailable, password, wrong

WHO = "JMRTD 0.8.6"
EXTENDED = {"extended": "yes"}


@pytest.fixture(scope="session")
def driver(require_tool: Callable[[str], Path], pcsc_daemon: PcscHost) -> Iterator[Driver]:
    java, maven = require_tool("java"), require_tool("mvn")
    require_tool("javac")
    try:
        build(maven)
    except Unavailable as failure:
        missing(f"JMRTD cannot be had: {failure}")
    with Driver(command(java)) as running:
        yield running


@pytest.fixture
def jmrtd(driver: Driver, in_reader: InReader) -> Terminal:
    return Terminal(driver, in_reader)


READINGS = [
    ("ma-cnie", "bac", {}, "BAC"),
    ("ma-cnie", "pace-mrz", {}, "PACE GM ECDH AES-"),
    ("ma-cnie", "pace-can", {}, "PACE GM ECDH AES-"),
    ("ma-cnie", "pace-can", {"sfi": "yes"}, "PACE GM ECDH AES-"),
    ("ma-cnie", "pace-can", EXTENDED, "PACE GM ECDH AES-"),
    ("icao-td3-passport", "bac", {}, "BAC"),
    ("icao-td3-passport", "pace-mrz", EXTENDED, "PACE GM ECDH AES-128"),
    ("eu-td1-id-card", "pace-mrz", EXTENDED, "PACE GM ECDH AES-192"),
    ("eu-td1-id-card", "pace-can", {}, "PACE GM ECDH AES-192"),
]


@pytest.mark.parametrize(("profile", "access", "options", "protocol"), READINGS)
def test_reads_the_card(
    jmrtd: Terminal,
    issued: Callable[[str], Issued],
    ledger: Ledger,
    profile: str,
    access: str,
    options: dict[str, str],
    protocol: str,
) -> None:
    genuine = issued(profile)
    reading, counted = jmrtd.read(genuine, twin(genuine), access, **options)
    assert reading.failed == {}
    assert reading.outcomes["access"].startswith(protocol)
    held = contents(genuine.card)
    if access == "bac":
        del held["EF.CardAccess"]  # JMRTD has no reason to read it
    assert reading.files == held
    assert reading.hashes == {name: True for name in held if name.startswith("DG")}
    chip = [name for name, file in (("CA", "DG14"), ("AA", "DG15")) if file in held]
    steps = {"CA": "chip authentication", "AA": "active authentication"}
    passed = [*(steps[name] for name in chip), "EF.SOD signature", "certificate path"]
    assert [reading.outcomes[step] for step in passed] == ["passed"] * len(passed)
    proven = f"{reading.outcomes['access']} ({access}{''.join(f', {name}' for name in options)}), "
    ledger(WHO, profile, f"{proven}{len(held)} files alike, {', '.join(chip)}, PA with CRL", counted.commands)


@pytest.mark.parametrize("access", ["bac", "pace-mrz", "pace-can"])
def test_wrong_password_is_refused(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, access: str
) -> None:
    genuine = issued("ma-cnie")
    card = twin(genuine)
    value = password(genuine, access)["value"]
    reading, counted = jmrtd.read(genuine, card, access, value=wrong(value))
    assert list(reading.outcomes) == ["access"]
    # After a failed BAC, JMRTD tries the same cryptogram once more, with a greater Le: the challenge is gone by then.
    assert counted.status_words[-1] == (0x6985 if access == "bac" else 0x6300)
    assert 0x6300 in counted.status_words
    assert set(reading.files) <= {"EF.CardAccess"}
    reading, _ = jmrtd.read(genuine, card, access)
    assert reading.failed == {}
    ledger(WHO, "ma-cnie", f"wrong password refused ({access}), then the right one taken", counted.commands)


def test_altered_dg1_is_noticed(jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    genuine = issued("ma-cnie")
    reading, counted = jmrtd.read(genuine, with_altered_dg1(genuine), "pace-can")
    assert reading.failed == {}
    assert [name for name, alike in reading.hashes.items() if not alike] == ["DG1"]
    ledger(WHO, "ma-cnie, one octet of DG1 altered", "noticed: hash of DG1, and of no other", counted.commands)


@pytest.mark.parametrize("profile", ["ma-cnie", "icao-td3-passport"])
def test_foreign_active_authentication_key_is_noticed(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, profile: str
) -> None:
    genuine = issued(profile)
    copy = with_foreign_key(genuine, KeyPurpose.ACTIVE_AUTHENTICATION)
    reading, counted = jmrtd.read(genuine, copy, "pace-mrz")
    assert list(reading.failed) == ["active authentication"]
    assert "not that of DG15's key" in reading.failed["active authentication"]
    ledger(WHO, f"{profile}, foreign AA key", "noticed: signature over the challenge", counted.commands)


def test_foreign_chip_authentication_key_is_noticed(
    jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger
) -> None:
    genuine = issued("ma-cnie")
    copy = with_foreign_key(genuine, KeyPurpose.CHIP_AUTHENTICATION)
    reading, counted = jmrtd.read(genuine, copy, "pace-mrz")
    assert list(reading.failed) == ["chip authentication"]
    ledger(WHO, "ma-cnie, foreign CA key", "noticed: no answer under the new keys", counted.commands)


def test_foreign_authority_is_refused(jmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    genuine = issued("ma-cnie")
    stranger = Authority(genuine.profile)
    reading, counted = jmrtd.read(
        genuine, twin(genuine), "pace-can", csca=stranger.csca_certificate.hex(), crl=stranger.crl.hex()
    )
    assert list(reading.failed) == ["certificate path"]
    ledger(WHO, "ma-cnie, CSCA of another key", "noticed: certificate path", counted.commands)
