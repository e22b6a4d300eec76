from __future__ import annotations

import pytest

from eid.errors import WrongPasswordError
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.inspection import InspectionPlan
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Checkpoint
from eid.protocols.pace.core import Password
from eid.services.reading.inspection import inspect_card
from eid.transport.loopback import LoopbackConnection
from eid.transport.metered import TraceEntry
from tests.builders.issuance import CAN, NOW, Issued, issue


@pytest.fixture(scope="module")
def issued() -> Issued:
    return issue("ma-cnie")


class Steps:
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def record(self, checkpoint: Checkpoint) -> None:
        self.seen.append((checkpoint.step, checkpoint.phase))


def plan(can: str = CAN) -> InspectionPlan:
    return InspectionPlan(Password(PasswordId.CAN, can.encode()), challenge=bytes(8))


def test_gathers_counts_and_tells(issued):
    connection = LoopbackConnection(issued.card)
    steps, seen = Steps(), []
    inspected = inspect_card(connection, plan(), now=NOW, progress=steps, observe=seen.append)
    assert inspected.evidence.content("DG1") is not None
    transcript = inspected.evidence.transcript(ProtocolName.ACTIVE_AUTHENTICATION)
    assert transcript is not None
    assert transcript.outcome is ProtocolOutcome.SUCCEEDED
    names = [item.step for item in inspected.steps]
    assert names[:3] == ["read EF.CardAccess", "open chip", "read EF.SOD"]
    assert names[-2:] == ["Chip Authentication", "Active Authentication"]
    assert [name for name, phase in steps.seen if phase == "end"] == names
    assert sum(item.commands for item in inspected.steps) == len(inspected.trace) == len(seen)
    assert [entry.number for entry in inspected.trace] == list(range(1, len(seen) + 1))
    assert all(isinstance(entry, TraceEntry) for entry in seen)
    assert connection.transmit(bytes.fromhex("00A4000C023F00")) == b"\x90\x00"  # still open


def test_wrong_password(issued):
    with pytest.raises(WrongPasswordError):
        inspect_card(LoopbackConnection(issued.card), plan("000000"), now=NOW)
