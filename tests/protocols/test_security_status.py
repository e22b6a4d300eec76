"""Access rules against what a session has proven."""

from __future__ import annotations

import pytest

from eid.evidence import ProtocolName
from eid.profile.card_image import AccessCondition, PasswordId
from eid.protocols.security_status import NO_SECURITY, SecurityStatus

BAC = SecurityStatus(ProtocolName.BAC, PasswordId.MRZ)
PACE = SecurityStatus(ProtocolName.PACE, PasswordId.CAN)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        (AccessCondition.ALWAYS, (True, True, True)),
        (AccessCondition.NEVER, (False, False, False)),
        (AccessCondition.BAC_OR_PACE, (False, True, True)),
        (AccessCondition.PACE, (False, False, True)),
    ],
)
def test_conditions(condition: AccessCondition, allowed: tuple[bool, bool, bool]) -> None:
    assert tuple(status.satisfies(condition) for status in (NO_SECURITY, BAC, PACE)) == allowed


def test_chip_authentication_is_added() -> None:
    assert PACE.with_chip_authentication() == SecurityStatus(ProtocolName.PACE, PasswordId.CAN, True)
