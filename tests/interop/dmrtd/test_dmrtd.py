"""dmrtd, a reader in Rust that shares no line with JMRTD, reads our cards over PC/SC and judges chip and documents.

What it cannot do is told beside each test, so that a later version which can makes the test fail: no Chip
Authentication, no Active Authentication on brainpool curves, no GET RESPONSE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from eid.profile.card_image import KeyPurpose
from eid.transport.pcscd import PcscHost
from tests.builders.issuance import Authority, Issued, issue
from tests.builders.machine import missing
from tests.interop.cards import contents, twin, with_altered_dg1, with_foreign_key
from tests.interop.conftest import Control, InReader, Ledger
from tests.interop.dmrtd.driver import PROGRAM, build
from tests.interop.terminals import Driver, Reading, Terminal, Unavailable, password, wrong

WHO = "dmrtd 0.3.5"
PASSPORT = "icao-td3-passport"
PROFILES = Path(__file__).parents[3] / "card_profiles"
RSA_2048 = 'kind = "rsa"\nbits = 2048'
VARIANTS = {  # of the passport, with Active Authentication within dmrtd's reach
    "RSA-1536": {RSA_2048: 'kind = "rsa"\nbits = 1536'},
    "P-256": {RSA_2048: 'kind = "ec"\ncurve = "P-256"', 'ec_parameters = "explicit"': 'ec_parameters = "named"'},
}
BEYOND_IT = {
    "ma-cnie": "EF.DG15 does not hold a usable public key",  # brainpool, parameters written out
    PASSPORT: "Invalid data DO",  # the protected signature is longer than 256 octets, so it comes in two parts
}


@pytest.fixture(scope="session")
def driver(require_tool: Callable[[str], Path], pcsc_daemon: PcscHost) -> Iterator[Driver]:
    try:
        build(require_tool("cargo"))
    except Unavailable as failure:
        missing(f"dmrtd cannot be had: {failure}")
    with Driver([PROGRAM]) as running:
        yield running


@pytest.fixture
def dmrtd(driver: Driver, in_reader: InReader) -> Terminal:
    return Terminal(driver, in_reader)


@pytest.fixture(scope="session")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Issued]:
    """``variant("P-256")``: the passport with another Active Authentication key."""
    folder = tmp_path_factory.mktemp("profiles")

    @cache
    def make(name: str) -> Issued:
        text = (PROFILES / f"{PASSPORT}.toml").read_text(encoding="utf-8")
        for old, new in VARIANTS[name].items():
            assert old in text
            text = text.replace(old, new)
        path = folder / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return issue(str(path))

    return make


def failures(reading: Reading, profile: str) -> list[str]:
    """The steps that failed, less the one that is beyond dmrtd with this card."""
    failed = dict(reading.failed)
    assert BEYOND_IT.get(profile, "") in failed.pop("active authentication", "")
    return list(failed)


@pytest.mark.parametrize(
    ("profile", "access"),
    [
        ("ma-cnie", "bac"),
        ("ma-cnie", "pace-mrz"),
        ("ma-cnie", "pace-can"),
        (PASSPORT, "bac"),
        (PASSPORT, "pace-mrz"),
        ("eu-td1-id-card", "pace-mrz"),
        ("eu-td1-id-card", "pace-can"),
    ],
)
def test_reads_the_card(
    dmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, profile: str, access: str
) -> None:
    genuine = issued(profile)
    reading, counted = dmrtd.read(genuine, twin(genuine), access)
    assert failures(reading, profile) == []
    assert reading.outcomes["passive authentication"] == "passed"
    if profile == PASSPORT:
        assert counted.status_words[-1] >> 8 == 0x61
    held = contents(genuine.card)
    del held["EF.CardAccess"]  # dmrtd keeps what it has understood of it, not the octets
    assert reading.files == held
    protocol = "BAC" if access == "bac" else f"PACE GM ({access[5:].upper()})"
    ledger(WHO, profile, f"{protocol}, {len(held)} files alike, PA", counted.commands)


@pytest.mark.parametrize("name", VARIANTS)
def test_active_authentication(dmrtd: Terminal, variant: Callable[[str], Issued], ledger: Ledger, name: str) -> None:
    genuine = variant(name)
    reading, counted = dmrtd.read(genuine, twin(genuine), "pace-mrz")
    assert reading.failed == {}
    assert reading.outcomes["active authentication"] == "passed"
    ledger(WHO, f"{PASSPORT}, AA with {name}", "PACE GM (MRZ), AA, PA", counted.commands)


@pytest.mark.parametrize("name", VARIANTS)
def test_foreign_active_authentication_key_is_noticed(
    dmrtd: Terminal, variant: Callable[[str], Issued], ledger: Ledger, name: str
) -> None:
    genuine = variant(name)
    copy = with_foreign_key(genuine, KeyPurpose.ACTIVE_AUTHENTICATION)
    reading, counted = dmrtd.read(genuine, copy, "pace-mrz")
    assert list(reading.failed) == ["active authentication"]
    ledger(
        WHO,
        f"{PASSPORT}, foreign AA key {name}",
        "noticed: signature over the challenge",
        counted.commands,
        Control.NOTICED,
    )


@pytest.mark.parametrize("access", ["bac", "pace-mrz", "pace-can"])
def test_wrong_password_is_refused(
    dmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger, access: str
) -> None:
    genuine = issued("ma-cnie")
    card = twin(genuine)
    value = password(genuine, access)["value"]
    reading, counted = dmrtd.read(genuine, card, access, value=wrong(value))
    assert list(reading.failed) == list(reading.outcomes) == ["access"]
    assert counted.status_words[-1] == 0x6300
    assert reading.files == {}
    reading, _ = dmrtd.read(genuine, card, access)
    assert reading.outcomes["passive authentication"] == "passed"
    ledger(
        WHO,
        "ma-cnie",
        f"wrong password refused ({access}), then the right one taken",
        counted.commands,
        Control.REFUSED,
    )


def test_altered_dg1_is_noticed(dmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    genuine = issued("ma-cnie")
    reading, counted = dmrtd.read(genuine, with_altered_dg1(genuine), "pace-mrz")
    assert failures(reading, "ma-cnie") == ["passive authentication"]
    assert reading.failed["passive authentication"].startswith("failed: data group 1 does not match")
    ledger(WHO, "ma-cnie, one octet of DG1 altered", "noticed: hash of DG1", counted.commands, Control.NOTICED)


def test_foreign_authority_is_refused(dmrtd: Terminal, issued: Callable[[str], Issued], ledger: Ledger) -> None:
    genuine = issued("ma-cnie")
    stranger = Authority(genuine.profile)
    reading, counted = dmrtd.read(genuine, twin(genuine), "bac", csca=stranger.csca_certificate.hex())
    assert failures(reading, "ma-cnie") == ["passive authentication"]
    assert "does not lead to this CSCA" in reading.failed["passive authentication"]
    ledger(WHO, "ma-cnie, CSCA of another key", "noticed: certificate path", counted.commands, Control.NOTICED)
