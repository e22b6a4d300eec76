"""OpenSC's npa-tool against our card, over PC/SC: PACE, the PIN's life, and the eID application behind EAC version 2.

It shares libeac with the tests beside it, but its commands, secure messaging and procedure are OpenSC's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eid.card import VirtualCard
from eid.keystore.software import SoftwareSigner
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.transport.pcscd import PcscHost
from tests.builders.issuance import Authority, Issued, secrets_for
from tests.builders.machine import missing
from tests.builders.terminals import BEGIN, ECDSA, TerminalPki, build_authentication_pki
from tests.interop.cards import CountedCard, with_trust_point
from tests.interop.conftest import Control, InReader, Ledger
from tests.interop.npa.npa_tool import (
    DATA_GROUPS,
    EID_APPLICATION,
    PASSWORDS,
    PRINTED,
    PROGRAM,
    EidCard,
    NpaTool,
    WatchedCard,
    build_eid_card,
)

WHO = "npa-tool 0.26.1"
CAN, PIN, PUK = (PASSWORDS[kind] for kind in (PasswordId.CAN, PasswordId.PIN, PasswordId.PUK))
RIGHT_TO_DG4 = (1 << 11).to_bytes(5, "big")  # TR-03110-4 2.2.3.2: DG1 is bit 8
LAST_OF_NPA_TOOL = 21
READ_ALL = tuple(f"--read-dg{number}" for number in DATA_GROUPS)
AGE = "7315060904007F00070301040153083139383030313031"  # 73 { 06 id-DateOfBirth, 53 "19800101" }
EAC = (
    "Established PACE channel",
    "Performed Terminal Authentication",
    "Performed Chip Authentication",
    "Selected eID application",
)
BOTH = (Control.WORKS, Control.REFUSED)
Terminal = tuple[TerminalPki, ec.EllipticCurvePrivateKey]


@pytest.fixture
def npa_tool(pcsc_daemon: PcscHost, tmp_path: Path) -> NpaTool:
    if not PROGRAM.exists():
        missing("there is no npa-tool of OpenSC 0.26 (.ci/npa-tool builds it)")
    return NpaTool(tmp_path)


@pytest.fixture(scope="module")
def eid() -> EidCard:
    return build_eid_card(Authority(load_profile("eu-td1-id-card").profile), build_authentication_pki())


@pytest.fixture
def card(eid: EidCard, in_reader: InReader) -> Iterator[WatchedCard]:
    """A new card in the reader."""
    counted = WatchedCard(eid.new())
    with in_reader(counted):
        yield counted


@pytest.fixture(scope="module")
def terminal() -> Terminal:
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    return replace(build_authentication_pki(), terminal=SoftwareSigner("npa-tool", key, ECDSA)), key


def tries_left(card: CountedCard) -> int | None:
    held = card._card
    assert isinstance(held, VirtualCard)
    return held._card.memory.passwords[PasswordId.PIN].left


@pytest.mark.parametrize("kind", PASSWORDS, ids=lambda kind: kind.name)
def test_pace(npa_tool: NpaTool, card: WatchedCard, ledger: Ledger, kind: PasswordId) -> None:
    option, value = f"--{kind.name.lower()}", PASSWORDS[kind]
    refused = npa_tool.run(card, option, **{kind.name: value[:-1] + "4"})
    assert refused.exit_code != 0
    assert "Established" not in refused.text
    assert refused.status_words[-1] == (0x63C2 if kind is PasswordId.PIN else 0x6300)
    taken = npa_tool.run(card, option, **{kind.name: value})
    assert (taken.exit_code, taken.text.count("Established PACE channel")) == (0, 1)
    count = len(taken.status_words)
    ledger(WHO, "eID card", f"PACE with {kind.name}; a wrong one refused, then the right one taken", count, *BOTH)


def test_changes_the_pin(npa_tool: NpaTool, card: WatchedCard, ledger: Ledger) -> None:
    changed = npa_tool.run(card, "--pin", "--new-pin", PIN=PIN, NEWPIN="654321")
    assert changed.exit_code == 0
    assert "Changed PIN." in changed.text
    assert npa_tool.run(card, "--pin", PIN=PIN).status_words[-1] == 0x63C2
    assert npa_tool.run(card, "--pin", PIN="654321").exit_code == 0
    ledger(WHO, "eID card", "PIN changed; the old one refused, the new one taken", len(changed.status_words), *BOTH)


def test_resumes_a_suspended_pin(npa_tool: NpaTool, card: WatchedCard, ledger: Ledger) -> None:
    for left in (0x63C2, 0x63C1):
        assert npa_tool.run(card, "--pin", PIN="000000").status_words[-1] == left
    suspended = npa_tool.run(card, "--pin", PIN=PIN)
    assert (suspended.exit_code != 0, suspended.status_words[-1]) == (True, 0x6985)
    assert npa_tool.run(card, "--resume", "--can", "--pin", CAN="222223", PIN=PIN).status_words[-1] == 0x6300
    assert tries_left(card) == 1
    resumed = npa_tool.run(card, "--resume", "--can", "--pin", CAN=CAN, PIN=PIN)
    assert "PIN resumed." in resumed.text
    assert tries_left(card) == 3
    proven = "PIN suspended after two wrong ones, resumed by CAN and PIN; not by a wrong CAN"
    ledger(WHO, "eID card", proven, len(resumed.status_words), *BOTH)


def test_unblocks_the_pin(npa_tool: NpaTool, card: WatchedCard, ledger: Ledger) -> None:
    for _ in range(2):
        npa_tool.run(card, "--pin", PIN="000000")
    npa_tool.run(card, "--resume", "--can", "--pin", CAN=CAN, PIN="000000")
    blocked = npa_tool.run(card, "--pin", PIN=PIN)
    assert (tries_left(card), blocked.exit_code != 0) == (0, True)
    assert npa_tool.run(card, "--unblock", "--puk", PUK="3333333334").status_words[-1] == 0x6300
    assert tries_left(card) == 0
    unblocked = npa_tool.run(card, "--unblock", "--puk", PUK=PUK)
    assert "Unblocked PIN." in unblocked.text
    assert npa_tool.run(card, "--pin", PIN=PIN).exit_code == 0
    ledger(WHO, "eID card", "PIN blocked, unblocked by PUK; not by a wrong PUK", len(unblocked.status_words), *BOTH)


def test_reads_the_eid_application(npa_tool: NpaTool, card: WatchedCard, ledger: Ledger, terminal: Terminal) -> None:
    """EAC version 2: TA with our CVCA's chain, the key of EF.CardSecurity, CA; then the data groups."""
    said = npa_tool.run_eac(card, "--pin", *npa_tool.credentials(*terminal), *READ_ALL, PIN=PIN)
    assert said.exit_code == 0
    assert [step for step in EAC if step in said.text] == list(EAC)
    assert said.read == tuple(DATA_GROUPS.values()), said
    ledger(WHO, "eID card", f"PACE (PIN), TA 2, CA 2, {len(said.read)} data groups alike", len(said.status_words))


def test_reads_the_shipped_profile(
    npa_tool: NpaTool,
    in_reader: InReader,
    issued: Callable[[str], Issued],
    ledger: Ledger,
    terminal: Terminal,
) -> None:
    """As it was personalised, but for the CVCA that it trusts."""
    genuine, (pki, _) = issued("eid-application"), terminal
    card = with_trust_point(genuine, pki.cvca_certificate(), BEGIN)
    files = card._card.memory.applications[EID_APPLICATION].files.values()
    held = {file.fid & 0xFF: bytes(file.content) for file in files if file.fid & 0xFF <= LAST_OF_NPA_TOOL}
    options = [f"--read-dg{number}" for number in sorted(held)]
    counted = WatchedCard(card)
    with in_reader(counted):
        pin = secrets_for(genuine.profile).pin
        said = npa_tool.run_eac(counted, "--pin", *npa_tool.credentials(*terminal), *options, PIN=pin)
    assert [step for step in EAC if step in said.text] == list(EAC)
    assert "Could not read" not in said.text
    assert said.read == tuple(held[number] for number in sorted(held) if len(held[number]) <= PRINTED)
    told = f"PACE (PIN), TA 2, CA 2, {len(said.read)} data groups alike"
    ledger(WHO, "eid-application", told, len(said.status_words))


def test_reads_no_more_than_its_right(npa_tool: NpaTool, card: WatchedCard, ledger: Ledger, terminal: Terminal) -> None:
    pki, key = terminal
    narrow = replace(pki, terminal_rights=RIGHT_TO_DG4)
    said = npa_tool.run_eac(card, "--pin", *npa_tool.credentials(narrow, key), *READ_ALL, PIN=PIN)
    assert said.read == (DATA_GROUPS[4],)
    assert said.text.count("Could not read DG") == len(DATA_GROUPS) - 1
    assert said.status_words.count(0x6982) == len(DATA_GROUPS) - 1
    ledger(
        WHO, "eID card", "a terminal that may read DG4 reads DG4 and no other", len(said.status_words), Control.REFUSED
    )


@pytest.mark.parametrize("what", ["certificate", "validity", "CVCA"])
def test_wrong_terminal_is_refused(
    npa_tool: NpaTool, card: WatchedCard, ledger: Ledger, terminal: Terminal, what: str
) -> None:
    pki, key = terminal
    if what == "validity":
        pki = replace(pki, begin=date(2025, 1, 1), end=date(2025, 12, 31))
    if what == "CVCA":
        pki = replace(pki, cvca=SoftwareSigner("other", ec.generate_private_key(ec.BrainpoolP256R1()), ECDSA))
    options = npa_tool.credentials(pki, key)
    if what == "certificate":
        raw = pki.dv_certificate()
        npa_tool.file("dv", raw[:-1] + bytes((raw[-1] ^ 1,)))
    said = npa_tool.run_eac(card, "--pin", *options, "--disable-ta-checks", *READ_ALL, PIN=PIN)
    assert said.exit_code != 0
    assert said.status_words[-1] == 0x6300
    assert EAC[0] in said.text
    assert EAC[1] not in said.text
    assert said.read == ()
    ledger(WHO, f"eID card, wrong {what}", "the card refuses TA: 6300", len(said.status_words), Control.REFUSED)


def test_foreign_chip_key_is_noticed(
    npa_tool: NpaTool, eid: EidCard, in_reader: InReader, ledger: Ledger, terminal: Terminal
) -> None:
    card = WatchedCard(eid.with_foreign_key())
    with in_reader(card):
        said = npa_tool.run_eac(card, "--pin", *npa_tool.credentials(*terminal), *READ_ALL, PIN=PIN)
    assert said.exit_code != 0
    assert [step for step in EAC if step in said.text] == list(EAC[:2])
    assert said.read == ()
    ledger(WHO, "eID card, foreign CA key", "noticed: CA 2", len(said.status_words), Control.NOTICED)


@pytest.mark.proves(WHO, "eID card, EF.CardSecurity altered", "habit: it does not judge its signature")
def test_it_does_not_judge_card_security(
    npa_tool: NpaTool, eid: EidCard, in_reader: InReader, terminal: Terminal
) -> None:
    """Asked for passive authentication it goes on with a signature that is wrong; the chip's key is all it looks at."""
    access, security = eid.image.master_files
    altered = replace(security, content=security.content[:-1] + bytes((security.content[-1] ^ 1,)))
    card = WatchedCard(eid.new(master_files=(access, altered)))
    with in_reader(card):
        said = npa_tool.run_eac(card, "--pin", *npa_tool.credentials(*terminal), *READ_ALL, PIN=PIN)
    assert said.read == tuple(DATA_GROUPS.values()), said


@pytest.mark.proves(WHO, "eID card", "habit: its auxiliary data are malformed, and refused", Control.REFUSED)
def test_its_auxiliary_data_are_not_those_of_the_specification(
    npa_tool: NpaTool, card: WatchedCard, terminal: Terminal
) -> None:
    """It wraps data object 67 in another 67; given the content alone it leaves 67 out of what it signs."""
    options = [*npa_tool.credentials(*terminal)]
    nested = npa_tool.run_eac(card, "--pin", *options, "--older-than=19800101", PIN=PIN)
    assert 0x6A80 in nested.status_words
    alone = npa_tool.run_eac(card, "--pin", *options, f"--auxiliary-data={AGE}", PIN=PIN)
    assert (0x6A80 in alone.status_words, alone.status_words[-1]) == (False, 0x6300)
