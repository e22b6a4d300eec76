"""The conversation with one card: the secure messaging session in force, and how it was entered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from eid.errors import LocalProtocolError, StatusWordError
from eid.evidence import ReadFile
from eid.inspection.plan import InspectionPlan
from eid.lds.files import ElementaryFile
from eid.lds.security_infos import PACEInfo
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import Checkpoint, Exchange, Reset, through
from eid.protocols.files import FileReader, select_application
from eid.protocols.pace.terminal import run_pace
from eid.protocols.secure_messaging import SecureMessaging

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PaceEntry:
    """Entry by PACE; `name_parameters` where several PACEInfos share the protocol."""

    info: PACEInfo
    name_parameters: bool


@dataclass(frozen=True, slots=True)
class BacEntry:
    """Entry by BAC with the MRZ."""


Entry: TypeAlias = PaceEntry | BacEntry


class Session:
    """Runs exchanges inside the session in force, plain while there is none."""

    def __init__(self, plan: InspectionPlan, random: Callable[[int], bytes]) -> None:
        self.plan = plan
        self.random = random
        self.channel: SecureMessaging | None = None
        self._reader = FileReader(plan.max_response)
        self._entry: Entry | None = None

    def run(self, exchange: Exchange[T]) -> Exchange[T]:
        """Run an exchange inside the session in force."""
        return exchange if self.channel is None else through(self.channel, exchange)

    def rekey(self, channel: SecureMessaging) -> None:
        """Go on under new keys; asks for as much as fits into a protected response."""
        self.channel = channel
        self._reader.chunk = min(self._reader.chunk, channel.max_response_data(self.plan.max_response))

    def open_by_pace(self, entry: PaceEntry) -> Exchange[None]:
        """Open the chip by PACE.

        Raises:
            what `run_pace` raises.
        """
        self.channel = None
        password = self.plan.access_password
        pace = run_pace(entry.info, password, self.random, name_parameters=entry.name_parameters)
        self.rekey((yield from pace).secure_messaging)
        self._entry = entry

    def open_by_bac(self) -> Exchange[None]:
        """Select the eMRTD application and open it by BAC.

        Raises:
            what `run_bac` raises; StatusWordError where there is no such application.
        """
        self.channel = None
        yield from self.select_application()
        information = self.plan.access_password.value.decode("latin-1")
        self.rekey((yield from run_bac(information, self.random)))
        self._entry = BacEntry()

    def select_application(self) -> Exchange[None]:
        """Select the eMRTD application, inside the session if there is one.

        Raises:
            StatusWordError: there is no such application.
        """
        yield from self.run(select_application(self.plan.aid))

    def resume(self) -> Exchange[None]:
        """After the session has died: reset the card and enter by the *same* protocol as before.

        Raises:
            LocalProtocolError: the chip was never opened; and what opening it raises.
        """
        if self._entry is None:
            raise LocalProtocolError("there is no session to resume")
        yield Reset()
        if isinstance(self._entry, PaceEntry):
            yield from self.open_by_pace(self._entry)
            yield from self.select_application()
        else:
            yield from self.open_by_bac()

    def read(self, file: ElementaryFile) -> Exchange[ReadFile]:
        """Read a file; one that the card refuses is evidence too."""
        try:
            content = yield from self.run(self._reader.read(file))
        except StatusWordError as refusal:
            return ReadFile(file.name, None, refusal.sw)
        return ReadFile(file.name, content)


def step(name: str, exchange: Exchange[T]) -> Exchange[T]:
    """Mark where a step begins and ends, so that a driver can count APDUs, octets and time."""
    yield Checkpoint(name, "begin")
    result = yield from exchange
    yield Checkpoint(name, "end")
    return result
