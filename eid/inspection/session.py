"""The conversation with one card: the secure messaging session in force, and how it was entered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, TypeVar

from eid.codec.status_word import SW
from eid.crypto.group import compress_public_key
from eid.errors import AuthenticationError, LocalProtocolError, StatusWordError
from eid.evidence import ReadFile
from eid.inspection.plan import InspectionPlan
from eid.lds.files import ElementaryFile
from eid.lds.security_infos import PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import Checkpoint, Exchange, Reset, through
from eid.protocols.files import FileReader, select_application
from eid.protocols.pace.core import PaceResult, require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.pin.terminal import open_with_pin
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication.core import identify_by_document_number

T = TypeVar("T")
SENSITIVE: Final = frozenset((3, 4))
"""Data groups behind Terminal Authentication; some chips end the session when they are asked for these."""
_ABOUT_PARAMETERS: Final = frozenset(
    (SW.WRONG_DATA, SW.WRONG_P1P2, SW.NC_INCONSISTENT_WITH_P1P2, SW.REFERENCED_DATA_NOT_FOUND)
)


@dataclass(frozen=True, slots=True)
class PaceEntry:
    """Entry by PACE; `name_parameters` where several PACEInfos share the protocol."""

    info: PACEInfo
    name_parameters: bool


@dataclass(frozen=True, slots=True)
class BacEntry:
    """Entry by BAC with the MRZ."""


Entry: TypeAlias = PaceEntry | BacEntry


@dataclass(frozen=True, slots=True)
class Opening:
    """What the session in force was opened with, as Terminal Authentication wants to know it.

    Args:
        id_picc: ID_PICC (TR-03110-1 3.5). references: names of the trust points, where PACE has told them.
    """

    id_picc: bytes = field(repr=False)
    references: tuple[str, ...] = ()


class Session:
    """Runs exchanges inside the session in force, plain while there is none."""

    def __init__(self, plan: InspectionPlan, random: Callable[[int], bytes]) -> None:
        self.plan = plan
        self.random = random
        self.channel: SecureMessaging | None = None
        self.opening: Opening | None = None
        self.terminal_key: bytes | None = None  # Comp(PK_PCD), once Chip Authentication was run
        self._reader = FileReader(plan.max_response)
        self._entry: Entry | None = None

    def run(self, exchange: Exchange[T]) -> Exchange[T]:
        """Run an exchange inside the session in force."""
        return exchange if self.channel is None else through(self.channel, exchange)

    def rekey(self, channel: SecureMessaging) -> None:
        """Go on under new keys; asks for as much as fits into a protected response."""
        self.channel = channel
        channel.is_patient = self.plan.unprotected_refusals
        self._reader.chunk = min(self._reader.chunk, channel.max_response_data(self.plan.max_response))

    @property
    def is_alive(self) -> bool:
        """Whether the session in force, if any, still holds."""
        return self.channel is None or self.channel.is_alive

    def open_by_pace(self, entry: PaceEntry) -> Exchange[PaceResult]:
        """Open the chip by PACE.

        Raises:
            what `run_pace` and, for a PIN, `open_with_pin` raise.
        """
        self.channel = self.opening = self.terminal_key = None
        try:
            result = yield from self._run_pace(entry)
        except StatusWordError as refusal:
            if refusal.sw not in _ABOUT_PARAMETERS or refusal.command != "MSE:Set AT":
                raise
            # Some chips insist on data object 84 where it says nothing new, others refuse it wherever it stands.
            entry = replace(entry, name_parameters=not entry.name_parameters)
            result = yield from self._run_pace(entry)
        self.rekey(result.secure_messaging)
        self.opening = Opening(
            compress_public_key(require_parameters(result.info).group, result.chip_public),
            tuple(reference.decode("latin-1") for reference in result.references),
        )
        self._entry = entry
        return result

    def _run_pace(self, entry: PaceEntry) -> Exchange[PaceResult]:
        password = self.plan.access_password
        if password.id is PasswordId.PIN:
            return open_with_pin(
                entry.info,
                password.value,
                self.plan.resuming_can,
                self.random,
                name_parameters=entry.name_parameters,
                use_last_try=self.plan.use_last_try,
            )
        return run_pace(entry.info, password, self.random, name_parameters=entry.name_parameters)

    def open_by_bac(self) -> Exchange[None]:
        """Select the eMRTD application and open it by BAC.

        Raises:
            what `run_bac` raises; StatusWordError where there is no such application.
        """
        self.channel = self.opening = self.terminal_key = None
        yield from self.select_application()
        information = self.plan.access_password.value.decode("latin-1")
        self.rekey((yield from run_bac(information, self.random)))
        self.opening = Opening(identify_by_document_number(self.plan.access_password.value))
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
        """Read a file; one that the card refuses is evidence too.

        Raises:
            AuthenticationError: the session broke; over DG3 and DG4 some chips break it, and then it is opened again.
        """
        try:
            content = yield from self.run(self._reader.read(file))
        except StatusWordError as refusal:
            return ReadFile(file.name, None, refusal.sw)
        except AuthenticationError:
            if file.number not in SENSITIVE:
                raise
            yield from self.resume()
            return ReadFile(file.name, None, SW.SECURITY_STATUS_NOT_SATISFIED)
        return ReadFile(file.name, content)


def step(name: str, exchange: Exchange[T]) -> Exchange[T]:
    """Mark where a step begins and ends, so that a driver can count APDUs, octets and time."""
    yield Checkpoint(name, "begin")
    result = yield from exchange
    yield Checkpoint(name, "end")
    return result
