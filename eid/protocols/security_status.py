"""What has been proven in a session so far; access rules are decided on it (ISO/IEC 7816-4 9.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from eid.codec.cv import Chat
from eid.codec.oid import ID_IS
from eid.evidence import ProtocolName
from eid.profile.card_image import AccessCondition, PasswordId

READ_DG3: Final = 0
READ_DG4: Final = 1
PIN_MANAGEMENT: Final = 5  # of an authentication terminal


@dataclass(frozen=True, slots=True)
class SecurityStatus:
    """The status that access control and Chip Authentication have reached.

    Args:
        access: the protocol that opened the session; None while nothing did.
        password: the password it used.
        chip_authenticated: whether Chip Authentication has re-keyed the session.
        terminal: type and effective authorization that Terminal Authentication has proven; they count once Chip
            Authentication was run too, before it in version 1, after it in version 2 (TR-03110-2 3.4).
    """

    access: ProtocolName | None = None
    password: PasswordId | None = None
    chip_authenticated: bool = False
    terminal: Chat | None = None

    def satisfies(self, condition: AccessCondition) -> bool:
        """Whether an access rule is met (Doc 9303-11 4.1)."""
        match condition:
            case AccessCondition.ALWAYS:
                return True
            case AccessCondition.NEVER:
                return False
            case AccessCondition.PACE:
                return self.access is ProtocolName.PACE
            case AccessCondition.BAC_OR_PACE:
                return self.access in (ProtocolName.BAC, ProtocolName.PACE)
            case AccessCondition.TA_DG3:
                return self.has_right(ID_IS, READ_DG3)
            case AccessCondition.TA_DG4:
                return self.has_right(ID_IS, READ_DG4)

    def has_right(self, terminal_type: str, bit: int) -> bool:
        """Whether a terminal of this type has authenticated itself with this right.

        Args:
            bit: of the authorization, 0 the lowest (TR-03110-1 A.2, TR-03110-2 B.1).
        """
        if self.terminal is None or not self.chip_authenticated or self.terminal.oid != terminal_type:
            return False
        return bool(int.from_bytes(self.terminal.authorization, "big") >> bit & 1)

    def with_chip_authentication(self) -> SecurityStatus:
        """The same session after Chip Authentication; running version 1 anew takes back what a terminal has proven."""
        return replace(self, chip_authenticated=True, terminal=None if self.chip_authenticated else self.terminal)

    def with_terminal(self, terminal: Chat) -> SecurityStatus:
        """The same session after Terminal Authentication."""
        return replace(self, terminal=terminal)


NO_SECURITY = SecurityStatus()
