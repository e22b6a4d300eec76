"""What a card forgets when its power goes: selection, secure channel, security status, protocols under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from eid.card.memory import Directory, LifeCycle, Memory, TransparentFile
from eid.codec.apdu import MAX_SHORT_LE, CommandAPDU
from eid.codec.cv import Chat
from eid.protocols.bac.card import BacCard
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.pace.card import PaceCard
from eid.protocols.restricted_identification.card import RestrictedIdentificationCard
from eid.protocols.scp03.card import Scp03Card
from eid.protocols.scp03.channel import Scp03Channel, response_overhead
from eid.protocols.scp03.key_set import StaticKeySet
from eid.protocols.secure_messaging import SecureMessaging
from eid.protocols.security_status import NO_SECURITY, SecurityStatus
from eid.protocols.terminal_authentication.card import TerminalAuthenticationCard
from eid.protocols.terminal_authentication.core import AuthenticatedTerminal


@dataclass(slots=True)
class Selection:
    """Current DF and EF. `directory` is None while the issuer security domain is selected."""

    directory: Directory | None
    file: TransparentFile | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """How the session was opened, as Terminal Authentication wants to know it.

    Args:
        id_picc: ID_PICC. chat: what the terminal let itself be restricted to in PACE.
    """

    id_picc: bytes
    chat: Chat | None = None


@dataclass(slots=True)
class Session:
    """One power-on session.

    Args:
        scp03: the SCP03 channel, if open, and the key set it was opened with.
        terminal: what Terminal Authentication has told of a terminal; `status` says what it may do.
        terminal_key: Comp(PK_PCD), of Chip Authentication 1 or of Terminal Authentication 2.
        secure_messaging: the ISO session, if open. next_secure_messaging: the one that begins after this response.
    """

    selection: Selection
    handshake: Scp03Card
    scp03: Scp03Channel | None = None
    scp03_keys: StaticKeySet | None = field(default=None, repr=False)
    secure_messaging: SecureMessaging | None = None
    next_secure_messaging: SecureMessaging | None = None
    status: SecurityStatus = NO_SECURITY
    bac: BacCard | None = None
    pace: PaceCard | None = None
    chip_authentication: ChipAuthenticationCard | None = None
    terminal_authentication: TerminalAuthenticationCard | None = None
    restricted_identification: RestrictedIdentificationCard | None = None
    terminal: AuthenticatedTerminal | None = None
    opening: Opening | None = None
    terminal_key: bytes | None = None

    @property
    def is_protected(self) -> bool:
        """Whether a secure channel is open."""
        return self.scp03 is not None or self.secure_messaging is not None

    def end_channel(self) -> None:
        """Forget channel, status and protocols; the selection stays (Doc 9303-11 9.8.3)."""
        if self.scp03 is not None:
            self.scp03.close()
        if self.secure_messaging is not None:
            self.secure_messaging.close()
        self.scp03 = self.scp03_keys = self.secure_messaging = self.next_secure_messaging = None
        self.status = NO_SECURITY
        self.bac = self.pace = self.chip_authentication = self.terminal_authentication = None
        self.restricted_identification = None
        self.opening = self.terminal_key = self.terminal = None


@dataclass(slots=True)
class Card:
    """What command handlers work on.

    Args:
        changes: counts every change of `memory`, so that its owner knows when to store it.
    """

    memory: Memory
    session: Session
    random: Callable[[int], bytes] = field(repr=False)
    changes: int = 0

    def changed(self) -> None:
        """Note a change of the persistent state."""
        self.changes += 1

    def largest_response(self, outer: CommandAPDU) -> int:
        """How many plain octets the response to the command on the wire can carry."""
        chip = self.memory.chip
        room = chip.max_response_data if outer.is_extended else min(MAX_SHORT_LE, chip.max_response_data)
        session = self.session
        if session.secure_messaging is not None:
            return session.secure_messaging.max_response_data(room)
        if session.scp03 is not None:
            return room - response_overhead(session.scp03.level)
        return room


def new_session(memory: Memory, random: Callable[[int], bytes]) -> Session:
    """The session after a reset: the MF is current, nothing proven (ISO/IEC 7816-4 8.2.1.1)."""
    selection = Selection(memory.master) if memory.life_cycle is not LifeCycle.BLANK else Selection(None)
    return Session(selection, Scp03Card(memory.domain, random))
