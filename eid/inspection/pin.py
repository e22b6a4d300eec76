"""PIN management as whole visits to a card: from EF.CardAccess to the command (TR-03110-2 2.4, TR-03110-3 B.7)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from eid.errors import PeerProtocolError, StatusWordError
from eid.inspection.access import choose_pace, decode_pace_infos, read_card_access
from eid.inspection.plan import InspectionPlan
from eid.inspection.session import PaceEntry, Session
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import Exchange
from eid.protocols.pace.core import Password
from eid.protocols.pin.core import PinStatus
from eid.protocols.pin.terminal import change_pin, unblock_pin

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class PasswordReport:
    """What a card tells of its PIN and of its PUK, before any try; None where it has none."""

    pin: PinStatus | None
    puk: PinStatus | None


@dataclass(frozen=True, slots=True)
class Authorization:
    """What the holder has given for one visit.

    Args:
        password: PIN or PUK. can: resumes a suspended PIN. use_last_try: whether the last try may be spent.
    """

    password: Password
    can: bytes | None = field(default=None, repr=False)
    use_last_try: bool = False

    def plan(self) -> InspectionPlan:
        """The plan of a session that is opened with it."""
        return InspectionPlan(self.password, resuming_can=self.can, use_last_try=self.use_last_try)


def report_passwords(random: Random = os.urandom) -> Exchange[PasswordReport]:
    """Ask for the states of PIN and PUK; no try is spent.

    Raises:
        PeerProtocolError: the chip offers no PACE that is spoken here.
    """
    session, entry = yield from _approach(Authorization(Password(PasswordId.PIN, b"")), random)
    pin = yield from _report(session, entry, PasswordId.PIN)
    return PasswordReport(pin, (yield from _report(session, entry, PasswordId.PUK)))


def use_pin(authorization: Authorization, random: Random = os.urandom) -> Exchange[None]:
    """Show the PIN, resumed by the CAN where it is suspended: the card gives it all its tries back.

    Raises:
        what `open_with_pin` raises; PeerProtocolError: the chip offers no PACE that is spoken here.
    """
    yield from _enter(authorization, random)


def change(authorization: Authorization, new_pin: bytes, random: Random = os.urandom) -> Exchange[None]:
    """Set a new PIN, 4 to 16 digits, with the old one.

    Raises:
        what `open_with_pin` and `change_pin` raise.
    """
    session = yield from _enter(authorization, random)
    yield from session.run(change_pin(new_pin))


def unblock(authorization: Authorization, random: Random = os.urandom) -> Exchange[None]:
    """Give the PIN its tries back, with the PUK.

    Raises:
        what `open_with_puk` and `unblock_pin` raise.
    """
    session = yield from _enter(authorization, random)
    yield from session.run(unblock_pin())


def _approach(authorization: Authorization, random: Random) -> Exchange[tuple[Session, PaceEntry]]:
    session = Session(authorization.plan(), random)
    entry = choose_pace(decode_pace_infos((yield from read_card_access(session))))
    if entry is None:
        raise PeerProtocolError("the chip offers no PACE that is spoken here, so it has no PIN")
    return session, entry


def _enter(authorization: Authorization, random: Random) -> Exchange[Session]:
    session, entry = yield from _approach(authorization, random)
    yield from session.open_by_pace(entry)
    return session


def _report(session: Session, entry: PaceEntry, password: PasswordId) -> Exchange[PinStatus | None]:
    try:
        return (yield from session.read_password_status(entry, password))
    except StatusWordError:
        return None
