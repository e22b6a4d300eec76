"""The conversation with one card: the secure messaging session in force, and how it was entered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias, TypeVar

from eid.codec.apdu import MAX_EXTENDED_LE, MAX_SHORT_LE
from eid.codec.status_word import SW
from eid.crypto.group import compress_public_key
from eid.errors import (
    AuthenticationError,
    CardRemovedError,
    EidError,
    LocalProtocolError,
    PeerProtocolError,
    SessionLostError,
    StatusWordError,
    TransportError,
)
from eid.evidence import ProtocolOutcome, ProtocolTranscript, ReadFile
from eid.inspection.habits import ReadingHabits
from eid.inspection.plan import InspectionPlan
from eid.lds.files import ElementaryFile
from eid.lds.security_infos import PACEInfo
from eid.profile.card_image import PasswordId
from eid.protocols.bac.terminal import run_bac
from eid.protocols.exchange import Checkpoint, Exchange, Reset, in_links, through
from eid.protocols.files import FileReader, PartialFile, select_application
from eid.protocols.pace.core import PaceResult, require_parameters
from eid.protocols.pace.terminal import run_pace
from eid.protocols.pin.core import PinStatus
from eid.protocols.pin.terminal import open_with_pin, open_with_puk, read_pin_status
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.terminal_authentication.core import identify_by_document_number

T = TypeVar("T")
SENSITIVE: Final = frozenset((3, 4))
"""Data groups behind Terminal Authentication; some chips end the session when they are asked for these."""
MAX_LOSSES: Final = 3
"""How often a session that was lost is opened again; a card that is pulled about more is to be laid down properly."""
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
Proof: TypeAlias = Callable[[], Exchange[ProtocolTranscript]]
"""Chip or Terminal Authentication, to be run again in a new session."""


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
        habits = plan.habits
        self._reader = FileReader(min(plan.max_response, habits.piece or plan.max_response), is_eager=habits.is_eager)
        self._max_response = plan.max_response
        self._takes_chains_only = False
        self._losses = 0
        self._entry: Entry | None = None
        self._in_application = False
        self._proofs: list[Proof] = []

    def run(self, exchange: Exchange[T]) -> Exchange[T]:
        """Run an exchange inside the session in force."""
        if self.channel is None:
            return exchange
        if self._takes_chains_only:  # as many octets fit a short protected command as a short protected answer
            exchange = in_links(exchange, self.channel.max_response_data(MAX_SHORT_LE))
        return through(self.channel, exchange)

    def rekey(self, channel: SecureMessaging) -> None:
        """Go on under new keys; asks for as much as fits into a protected response."""
        self.channel = channel
        channel.is_patient = self.plan.unprotected_refusals
        self._reader.chunk = min(self._reader.chunk, channel.max_response_data(self._max_response))

    @property
    def is_alive(self) -> bool:
        """Whether the session in force, if any, still holds."""
        return self.channel is None or self.channel.is_alive

    def open_by_pace(self, entry: PaceEntry) -> Exchange[PaceResult]:
        """Open the chip by PACE.

        Raises:
            what `run_pace` and, for PIN and PUK, `open_with_pin` and `open_with_puk` raise.
        """
        self.channel = self.opening = self.terminal_key = None
        entry, result = yield from self._with_either_form(entry, self._run_pace)
        self.rekey(result.secure_messaging)
        self.opening = Opening(
            compress_public_key(
                require_parameters(result.info, foreign_curves=self.plan.foreign_curves).group, result.chip_public
            ),
            tuple(reference.decode("latin-1") for reference in result.references),
        )
        self._entry = entry
        return result

    def read_password_status(self, entry: PaceEntry, password: PasswordId) -> Exchange[PinStatus]:
        """Ask for the state of a password without trying it.

        Raises:
            StatusWordError: the card has no such password.
        """
        _, status = yield from self._with_either_form(
            entry, lambda form: read_pin_status(form.info, password, name_parameters=form.name_parameters)
        )
        return status

    def _with_either_form(
        self, entry: PaceEntry, run: Callable[[PaceEntry], Exchange[T]]
    ) -> Exchange[tuple[PaceEntry, T]]:
        """Some chips insist on data object 84 where it says nothing new, others refuse it wherever it stands."""
        try:
            return entry, (yield from run(entry))
        except StatusWordError as refusal:
            if refusal.sw not in _ABOUT_PARAMETERS or refusal.command != "MSE:Set AT":
                raise
            other = replace(entry, name_parameters=not entry.name_parameters)
            return other, (yield from run(other))

    def _run_pace(self, entry: PaceEntry) -> Exchange[PaceResult]:
        password, plan, named = self.plan.access_password, self.plan, entry.name_parameters
        foreign = plan.foreign_curves
        if password.id is PasswordId.PIN:
            return open_with_pin(
                entry.info,
                password.value,
                plan.resuming_can,
                self.random,
                name_parameters=named,
                use_last_try=plan.use_last_try,
                foreign_curves=foreign,
            )
        if password.id is PasswordId.PUK:
            return open_with_puk(
                entry.info,
                password.value,
                self.random,
                name_parameters=named,
                use_last_try=plan.use_last_try,
                foreign_curves=foreign,
            )
        return run_pace(entry.info, password, self.random, name_parameters=named, foreign_curves=foreign)

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
        self._in_application = True

    def resume(self) -> Exchange[None]:
        """After the session has died: reset the card and enter by the *same* protocol as before.

        What chip and terminal have proven to each other is gone.

        Raises:
            LocalProtocolError: the chip was never opened; and what opening it raises.
        """
        if self._entry is None:
            raise LocalProtocolError("there is no session to resume")
        self._proofs = []
        was_in_application, self._in_application = self._in_application, False
        yield Reset()
        if isinstance(self._entry, PaceEntry):
            yield from self.open_by_pace(self._entry)
            if was_in_application:  # EF.CardSecurity is read before, and EF.SOD has the same identifier
                yield from self.select_application()
        else:
            yield from self.open_by_bac()

    def note_proof(self, proof: Proof) -> None:
        """Chip or Terminal Authentication has succeeded; a session that is opened again after a loss needs it, too."""
        self._proofs.append(proof)

    def _reopen(self, failure: EidError) -> Exchange[None]:
        """Resume, and have everything proven again that was, in its order.

        Raises:
            the failure that made it necessary, where that does not succeed; and what resuming raises.
        """
        proofs = self._proofs
        yield from self.resume()
        for proof in proofs:
            if (yield from proof()).outcome is not ProtocolOutcome.SUCCEEDED:
                raise failure

    @property
    def habits(self) -> ReadingHabits:
        """How this card wants to be read, as far as it was found out."""
        fits = self._max_response if self.channel is None else self.channel.max_response_data(self._max_response)
        return ReadingHabits(self._reader.chunk if self._reader.chunk < fits else 0, self._reader.is_eager)

    def allow_extended(self, max_response: int) -> None:
        """Ask for so many octets at once, which the card has announced; for fewer where it is known to give fewer."""
        self._max_response = max(self._max_response, min(max_response, MAX_EXTENDED_LE))
        self._reader.chunk = self.plan.habits.piece or self._max_response

    def chain_commands(self) -> None:
        """Send what does not fit a short command as a chain: the card has announced that, and no extended length."""
        self._takes_chains_only = True

    def read(self, file: ElementaryFile) -> Exchange[ReadFile]:
        """Read a file; one that the card refuses is evidence too.

        Where the session is lost in between, as by a reset of the card, it is opened again by the same protocol, chip
        and terminal authenticate themselves again where they had, and reading goes on where it broke off; `MAX_LOSSES`
        times in all.

        Raises:
            AuthenticationError, PeerProtocolError, TransportError: the session broke, and not by a loss that can be
                made good; over a file that they do not give some chips break it, and then it is opened again.
        """
        part = PartialFile(file)
        was_lost = False
        while True:
            before = len(part.content)
            try:
                content = yield from self.run(self._reader.go_on(part))
            except StatusWordError as refusal:
                return ReadFile(file.name, None, refusal.sw)
            except (AuthenticationError, PeerProtocolError, TransportError) as failure:
                if self._is_refusal(failure, part, was_lost=was_lost):
                    self._losses -= was_lost  # that was none
                    yield from self._reopen(failure)
                    return ReadFile(file.name, None, SW.SECURITY_STATUS_NOT_SATISFIED)
                yield from self._recover(failure, has_progress=len(part.content) > before)
                was_lost = True
            else:
                return ReadFile(file.name, content)

    def _is_refusal(self, failure: EidError, part: PartialFile, *, was_lost: bool) -> bool:
        """Whether a chip has ended the session over a file that it does not give, as some do over DG3 and DG4.

        Over other files, and to a terminal that has proven its rights, it may be a loss like any other, at first.
        """
        if part.content or not isinstance(failure, AuthenticationError):
            return False
        if part.file.number in SENSITIVE:
            return was_lost or not self._proofs
        return was_lost and isinstance(failure, SessionLostError)

    def _recover(self, failure: EidError, *, has_progress: bool) -> Exchange[None]:
        """Open the chip again, if the failure is of the kind that a reset or a chip's habits bring about.

        Raises:
            the failure, where it is another one, or comes too often.
        """
        is_habit = isinstance(failure, PeerProtocolError) and self._reader.is_eager
        is_mac = isinstance(failure, AuthenticationError) and self.plan.rereads
        # A card that has left the field is another matter: nobody knows which one comes back.
        is_link = isinstance(failure, TransportError) and not isinstance(failure, CardRemovedError)
        is_loss = isinstance(failure, SessionLostError) or is_link or is_habit or is_mac
        self._losses += 1
        if not is_loss or self._entry is None or self._losses > MAX_LOSSES:
            raise failure
        self._reader.asks_for_whole_pieces |= is_mac
        if not has_progress:  # perhaps it was what we asked for: from now on with care
            self._reader.is_eager = False
            self._reader.selects_files = True
            self._reader.chunk = min(self._reader.chunk, MAX_SHORT_LE)
            self._max_response = min(self._max_response, MAX_SHORT_LE)
        try:
            yield from self._reopen(failure)
        except TransportError:
            raise failure from None


def step(name: str, exchange: Exchange[T]) -> Exchange[T]:
    """Mark where a step begins and ends, so that a driver can count APDUs, octets and time."""
    yield Checkpoint(name, "begin")
    result = yield from exchange
    yield Checkpoint(name, "end")
    return result
