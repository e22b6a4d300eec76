"""Torn sessions and second attempts: the card is asked, never guessed, and not operational before it is whole."""

from __future__ import annotations

import pytest

from eid.card import VirtualCard
from eid.card.memory import LifeCycle
from eid.codec.apdu import CommandAPDU, decode_command
from eid.errors import AuthenticationError, CardRemovedError, LifecycleError, StatusWordError
from eid.inspection.plan import InspectionPlan
from eid.inspection.procedure import inspect
from eid.personalization.apply import Progress
from eid.profile.card_image import PasswordId
from eid.profile.loader import load_profile
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.transport.loopback import LoopbackConnection
from eid.verification.policy import load_policy
from eid.verification.report import Verdict
from eid.verification.verify import verify
from tests.builders.issuance import CAN, NOW, Authority, Issued, Journal, blank_card, issue, open_for_writing
from tests.builders.sweep import places

PROFILE = "ma-cnie"


class Pulled(LoopbackConnection):
    """The card leaves the reader at command `at`: before it sees it, or when it has obeyed and before it answers."""

    def __init__(self, card: VirtualCard, at: int, *, obeyed: bool) -> None:
        super().__init__(card)
        self.left = at
        self.obeyed = obeyed
        self.card = card

    def transmit(self, command: bytes) -> bytes:
        if self.left == 0:
            if self.obeyed:
                super().transmit(command)
            self.card.power_off()
            raise CardRemovedError("the card was pulled out")
        self.left -= 1
        return super().transmit(command)


class Counting(LoopbackConnection):
    sent = 0
    octets = 0
    commands: list[bytes]

    def transmit(self, command: bytes) -> bytes:
        self.sent += 1
        self.octets += len(command)
        self.__dict__.setdefault("commands", []).append(command)
        return super().transmit(command)


def verifies(issued: Issued) -> bool:
    plan = InspectionPlan(Password(PasswordId.CAN, CAN.encode()), challenge=bytes(8), max_response=65000)
    evidence = drive(inspect(plan, NOW), LoopbackConnection(issued.card))
    trust = issued.authority.trust
    report = verify(evidence, trust, load_policy("strict"), time=NOW, expected_challenge=bytes(8))
    return report.verdict is Verdict.TOTAL_PASSED


def test_number_of_commands_and_octets() -> None:
    card = blank_card(load_profile(PROFILE).profile)
    link = Counting(card)
    issued = issue(PROFILE, connection=link, card=card)
    written = [raw for raw in link.commands if decode_command(raw).ins in (0xE0, 0xD6, 0xA4)]
    overhead = sum(map(len, written)) / issued.plan.payload
    assert overhead <= 1.30  # a small portrait; the benchmark shows 30 KB


@pytest.mark.sweep
@pytest.mark.parametrize("obeyed", [False, True], ids=["before", "after"])
def test_pulled_out_anywhere_then_resumed(obeyed: bool) -> None:
    """At each command of the whole personalisation: never operational in between, and the second attempt ends well."""
    profile = load_profile(PROFILE).profile
    authority = Authority(profile)
    card = blank_card(profile)
    counted = Counting(card)
    issue(PROFILE, connection=counted, card=card, authority=authority)
    for at in places(range(counted.sent), 5):
        card = blank_card(profile)
        journal = Journal()
        with pytest.raises(CardRemovedError):
            issue(PROFILE, connection=Pulled(card, at, obeyed=obeyed), card=card, sink=journal, authority=authority)
        locked = obeyed and at == counted.sent - 1
        assert (card.life_cycle is LifeCycle.OPERATIONAL) == locked
        if locked:
            with pytest.raises(LifecycleError):
                issue(PROFILE, card=card, sink=journal, progress=journal.progress, authority=authority)
            continue
        again = issue(PROFILE, card=card, sink=journal, progress=journal.progress, authority=authority)
        assert again.card.life_cycle is LifeCycle.OPERATIONAL
        if at % 15 == 0:
            assert verifies(again)


def test_finished_steps_are_not_repeated() -> None:
    profile = load_profile(PROFILE).profile
    authority = Authority(profile)
    card, journal = blank_card(profile), Journal()
    with pytest.raises(CardRemovedError):
        issue(PROFILE, connection=Pulled(card, 30, obeyed=True), card=card, sink=journal, authority=authority)
    done = {name for name, state in journal.progress.items() if state is Progress.DONE}
    first = len(journal.entries)
    issue(PROFILE, card=card, sink=journal, progress=journal.progress, authority=authority)
    repeated = {entry.step for entry in journal.entries[first:] if entry.phase == "intent"}
    # The files are signed anew with each attempt, so EF.SOD alone may differ; keys and containers stand.
    assert not {name for name in done & repeated if name.startswith(("create", "make key", "replace"))}


def test_journal_holds_no_secret() -> None:
    journal = Journal()
    issued = issue(PROFILE, sink=journal)
    text = " ".join(f"{entry.step} {entry.detail}" for entry in journal.entries)
    for password in issued.data.image.passwords:
        assert password.value.decode() not in text
    assert issued.data.mrz.document_number not in text
    assert issued.data.mrz.primary_identifier not in text
    assert CAN not in repr(issued.data)


WRITING = [
    CommandAPDU(0x00, 0xE0, 0, 0, bytes.fromhex("620C800200108201018302FFFF88008C0303FF00"[:28])),
    CommandAPDU(0x00, 0xD6, 0x81, 0, b"x"),
    CommandAPDU(0x00, 0x24, 0x01, 0x02, b"999999"),
    CommandAPDU(0x00, 0x47, 0x80, 0, bytes.fromhex("AC03840101")),
    CommandAPDU(0x00, 0xDB, 0x3F, 0xFF, bytes.fromhex("FF2100")),
    CommandAPDU(0x00, 0x44, 0, 0),
    CommandAPDU(0x80, 0xD8, 0xFF, 0x81, b"x"),
]


@pytest.mark.parametrize("command", WRITING, ids=lambda command: f"{command.ins:02X}")
def test_after_the_lock_every_writing_command_is_refused(command: CommandAPDU) -> None:
    issued = issue(PROFILE)
    files = issued.card.state().count(b"SPECIMEN")
    issued.card.process(CommandAPDU(0, 0xA4, 4, 0x0C, issued.profile.application.aid).encode())
    assert issued.card.process(command.encode())[-2:].hex() in ("6985", "6982", "6d00", "6e00")
    link = LoopbackConnection(issued.card)
    with pytest.raises(LifecycleError, match="SECURED"):
        open_for_writing(issued.profile, link)
    assert issued.card.life_cycle is LifeCycle.OPERATIONAL
    assert issued.card.state().count(b"SPECIMEN") == files


def test_reading_needs_an_opened_chip() -> None:
    issued = issue(PROFILE)
    aid = issued.profile.application.aid
    assert issued.card.process(CommandAPDU(0, 0xA4, 4, 0x0C, aid).encode()) == b"\x90\x00"
    for sfi in (0x01, 0x02, 0x1E, 0x1D):
        assert issued.card.process(CommandAPDU(0, 0xB0, 0x80 | sfi, 0, le=8).encode()) == b"\x69\x82"
    issued.card.reset()
    assert issued.card.process(CommandAPDU(0, 0xB0, 0x9C, 0, le=8).encode())[-2:] == b"\x90\x00"  # EF.CardAccess


def test_foreign_keys_do_not_open_a_card() -> None:
    """A blank card of another issuer's key set is not written."""
    profile = load_profile(PROFILE).profile
    card = blank_card(profile)
    open_for_writing(profile, LoopbackConnection(card))
    other = load_profile("icao-td3-passport").profile
    domain = profile.security_domain.model_copy(update={"key_version": 9})
    foreign = other.model_copy(update={"security_domain": domain})
    with pytest.raises((LifecycleError, StatusWordError, AuthenticationError)):
        open_for_writing(foreign, LoopbackConnection(card))
