"""Every case can fail: against a card that says yes to everything, one that says no, and data that are cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest

from eid.conformance import CASES, Case, Outcome, Subject
from eid.conformance.driving import interrupt, record, refuses
from eid.conformance.survey import survey
from eid.conformance.units.access_rules import UNIT as EAC
from eid.errors import AuthenticationError, EidError, LocalProtocolError, PeerProtocolError, WrongPasswordError
from eid.lds.card_access import CardAccess
from eid.lds.dg14 import DG14, decode_dg14
from eid.lds.files import LDS1_AID
from eid.lds.security_infos import ChipAuthenticationPublicKeyInfo, PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import Connection, drive, transmit
from eid.protocols.files import select_application
from eid.protocols.pace.core import Password
from eid.transport.loopback import LoopbackConnection
from tests.builders.exchanges import play
from tests.conformance.defects import sound_with_dg3
from tests.conformance.specimens import passwords, specimen

MECHANISMS = ("0.4.0.127.0.7.2.2.4.2.2", "0.4.0.127.0.7.2.2.4.4.2", "0.4.0.127.0.7.2.2.4.6.2")  # GM, IM, CAM
ATR_INFO = bytes.fromhex("470300 00C0 7F66080202100002021000".replace(" ", ""))
ANSWERS = (b"\x90\x00", b"\x6f\x00", bytes(8) + b"\x90\x00", b"\x63\x00")


class Puppet:
    """Answers every command with the same octets."""

    atr = b"\x3b\x00\x00"

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def transmit(self, command: bytes) -> bytes:
        return self._answer

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def sound() -> Subject:
    """What a survey finds on a card with nearly everything, and some more that such a card might announce."""
    card = specimen("pace")
    found = drive(survey(LDS1_AID, passwords(card), os.urandom), LoopbackConnection(sound_with_dg3(card)))
    known = (*passwords(card), *(Password(PasswordId(number), b"123456") for number in (2, 3, 4)))
    entry = found.entries[0]
    more = [
        replace(entry, info=PACEInfo(mechanism, 2, 12), password=password)
        for mechanism in MECHANISMS
        for password in known
    ]
    files = {"EF.CardSecurity": b"0\x00", "EF.DIR": b"\x61\x00", "EF.ATR/INFO": ATR_INFO}
    return replace(found, entries=(*found.entries, *more), passwords=known, files={**found.files, **files})


def run(case: Case, subject: Subject, card: Connection) -> Outcome:
    try:
        drive(case.run(subject), card)
    except LocalProtocolError:
        return Outcome.ERROR
    except EidError:
        return Outcome.FAIL
    return Outcome.PASS


def attempts(case: Case, subject: Subject) -> Iterator[Outcome]:
    lists = ("EF.SOD", "EF.COM")
    cut = {name: content[:-1] for name, content in subject.files.items()}
    data = (
        subject,
        replace(subject, files={**cut, **{name: subject.files[name] for name in lists}}),
        replace(subject, files={**subject.files, **{name: cut[name] for name in lists}}),
        replace(subject, files={**subject.files, "DG14": DG14(()).encode()}),
        replace(subject, files={}, refusals={"DG1": "6982"}),
    )
    for variant in data:
        if case.applies(variant) is None:
            yield from (run(case, variant, Puppet(answer)) for answer in ANSWERS)


NEEDS_A_CARD = {"PACE_02", "CA_11", "EAC_07", "LIFE_18"}  # below, or in test_defects.py


@pytest.mark.parametrize("case", [case for case in CASES if case.id not in NEEDS_A_CARD], ids=lambda case: case.id)
def test_a_case_can_fail(case: Case, sound: Subject) -> None:
    outcomes = list(attempts(case, sound)) or [run(case, sound, Puppet(answer)) for answer in ANSWERS]
    assert Outcome.FAIL in outcomes


def case_of(number: str) -> Case:
    return next(case for case in CASES if case.id == number)


def test_two_infos_that_say_the_same(sound: Subject) -> None:
    info = PACEInfo(MECHANISMS[0], 2, 12)
    twice = CardAccess((info, info)).encode()
    assert run(case_of("PACE_02"), replace(sound, files={"EF.CardAccess": twice}), Puppet(b"\x90\x00")) is Outcome.FAIL


def test_keys_that_cannot_be_told_apart(sound: Subject) -> None:
    infos = decode_dg14(sound.files["DG14"]).security_infos
    bare = [replace(info, key_id=None) for info in infos if isinstance(info, ChipAuthenticationPublicKeyInfo)]
    raw = DG14((*bare, *bare)).encode()
    assert run(case_of("CA_11"), replace(sound, files={"DG14": raw}), Puppet(b"\x90\x00")) is Outcome.FAIL


def test_preconditions_name_what_is_missing() -> None:
    nothing = Subject(b"", LDS1_AID, (), os.urandom)
    reasons = [reason for case in CASES if (reason := case.applies(nothing)) is not None]
    assert len(reasons) > 150
    assert all((reason and reason[0].islower()) or reason[:2].isupper() for reason in reasons)
    assert all(case.applies(nothing) is not None for case in EAC.cases)


def test_an_exchange_is_cut_short() -> None:
    with pytest.raises(LocalProtocolError):
        drive(interrupt(select_application(LDS1_AID), 1, lambda command: command), Puppet(b"\x90\x00"))
    with pytest.raises(PeerProtocolError):
        drive(interrupt(run_bac("L898902C<369080619406236"), 1, lambda command: command), Puppet(b"\x90\x00"))


def test_a_refusal_is_not_a_failed_proof() -> None:
    def proves_wrongly():
        yield from transmit(next(select_application(LDS1_AID)))  # type: ignore[arg-type]  # its first request is a command
        raise AuthenticationError("the card did not prove itself")

    def refuses_password():
        yield from transmit(next(select_application(LDS1_AID)))  # type: ignore[arg-type]  # its first request is a command
        raise WrongPasswordError("MRZ")

    with pytest.raises(AuthenticationError):
        drive(refuses(proves_wrongly(), "it"), Puppet(b"\x90\x00"))
    with pytest.raises(PeerProtocolError, match="it was accepted"):
        drive(refuses(select_application(LDS1_AID), "it"), Puppet(b"\x90\x00"))
    assert "MRZ" in drive(refuses(refuses_password(), "it"), Puppet(b"\x90\x00"))
    assert "6A82" in drive(refuses(select_application(LDS1_AID), "it"), Puppet(b"\x6a\x82"))


def test_answers_are_joined_as_they_are_recorded() -> None:
    answers: list = []
    exchange = record(transmit(next(select_application(LDS1_AID))), answers)  # type: ignore[arg-type]  # its first request is a command
    play(exchange, [b"\x01\x61\x02", b"\x02\x03\x90\x00"])
    assert [answer.encode() for answer in answers] == [b"\x01\x02\x03\x90\x00"]
