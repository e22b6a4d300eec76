"""What an inspection is to do: the caller's wishes and the inspection policy, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from eid.codec.apdu import MAX_EXTENDED_LE, MAX_SHORT_LE
from eid.errors import LocalProtocolError
from eid.evidence import Origin
from eid.inspection.habits import UNKNOWN, ReadingHabits
from eid.lds.files import LDS1_AID, by_name
from eid.protocols.active_authentication.core import CHALLENGE_LENGTH
from eid.protocols.pace.core import Password
from eid.protocols.terminal_authentication.terminal import TerminalCredentials


@dataclass(frozen=True, slots=True)
class InspectionPlan:
    """One inspection.

    Args:
        access_password: what opens the chip: CAN, MRZ or PIN (BAC takes the MRZ only).
        resuming_can: the CAN, which resumes a suspended PIN. use_last_try: whether the PIN's last try may be spent.
        terminal: key and certificates of an inspection system, for DG3 and DG4 (TR-03110-1 3.5).
        data_groups: "all" that EF.SOD lists, or names such as ("DG1", "DG2").
        challenge: RND.IFD for Active Authentication, 8 octets, from whoever will judge; None lets the station draw one.
        reader, policy: names that go into the evidence.
        allow_bac: whether BAC may open a chip that offers no PACE that is spoken here.
        bac_after_pace_failure: whether BAC may follow a PACE that failed for another reason than the password; the
            failure stands in the evidence, and the verifier's policy judges it as a downgrade.
        max_response: octets of a response's data field that card and reader take, on the wire; over 256 asks with
            extended lengths.
        announced_lengths: ask with extended lengths, whatever `max_response` says, where EF.ATR/INFO announces them.
        habits: what is known of this kind of card from before.
        aid: the eMRTD application.
        unprotected_refusals: whether a chip may refuse the length of a READ BINARY without secure messaging, as some
            do; the session then goes on.
        rereads: whether a file whose answer carried a wrong MAC is asked for again, in a session of its own and in
            another way; nothing is taken from that answer.
        foreign_curves: whether PACE may run over a curve that the chip writes out and nobody knows, once it was
            validated.

    Raises:
        LocalProtocolError: a data group that does not exist, a challenge of another length, an impossible length.
    """

    access_password: Password
    data_groups: Literal["all"] | tuple[str, ...] = "all"
    challenge: bytes | None = field(default=None, repr=False)
    reader: str = ""
    policy: str = ""
    origin: Origin = Origin.STATION
    allow_bac: bool = False
    bac_after_pace_failure: bool = False
    chip_authentication: bool = True
    active_authentication: bool = True
    max_response: int = MAX_SHORT_LE
    aid: bytes = LDS1_AID
    unprotected_refusals: bool = False
    rereads: bool = False
    foreign_curves: bool = False
    resuming_can: bytes | None = field(default=None, repr=False)
    use_last_try: bool = False
    terminal: TerminalCredentials | None = None
    announced_lengths: bool = False
    habits: ReadingHabits = UNKNOWN

    def __post_init__(self) -> None:
        if self.challenge is not None and len(self.challenge) != CHALLENGE_LENGTH:
            raise LocalProtocolError("the challenge of Active Authentication has 8 octets")
        if not 64 <= self.max_response <= MAX_EXTENDED_LE:
            raise LocalProtocolError(f"a response field of {self.max_response} octets is not in 64..{MAX_EXTENDED_LE}")
        for name in () if self.data_groups == "all" else self.data_groups:
            if not _is_data_group(name):
                raise LocalProtocolError(f"there is no data group {name!r}")


def _is_data_group(name: str) -> bool:
    try:
        return by_name(name).number is not None
    except KeyError:
        return False
