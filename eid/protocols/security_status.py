"""What has been proven in a session so far; access rules are decided on it (ISO/IEC 7816-4 9.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from eid.codec.cv import Chat
from eid.codec.oid import ID_AT, ID_IS
from eid.evidence import ProtocolName
from eid.profile.card_image import AccessCondition, PasswordId

READ_DG3: Final = 0
READ_DG4: Final = 1
# Rights of an authentication terminal (TR-03110-4 2.2.3.2)
AGE_VERIFICATION: Final = 0
COMMUNITY_ID_VERIFICATION: Final = 1
RESTRICTED_IDENTIFICATION: Final = 2
PRIVILEGED_TERMINAL: Final = 3
CAN_ALLOWED: Final = 4
PIN_MANAGEMENT: Final = 5
INSTALL_CERTIFICATE: Final = 6
INSTALL_QUALIFIED_CERTIFICATE: Final = 7
GENERAL_AUTHENTICATION: Final = 2  # version of Terminal Authentication that the General Authentication Procedure runs


def read_right(group: int) -> int:
    """The bit that lets an authentication terminal read DG1..DG22 of the eID application: 8 to 29."""
    return 7 + group


def write_right(group: int) -> int:
    """The bit that lets an authentication terminal write DG17..DG22 of the eID application: 37 down to 32."""
    return 54 - group


EID_READABLE: Final = range(1, 23)  # data groups of the eID application
EID_WRITABLE: Final = range(17, 23)


@dataclass(frozen=True, slots=True)
class SecurityStatus:
    """The status that access control and Chip Authentication have reached.

    Args:
        access: the protocol that opened the session; None while nothing did.
        password: the password it used.
        chip_authenticated: whether Chip Authentication has re-keyed the session.
        terminal: type and effective authorization that Terminal Authentication has proven; they count once Chip
            Authentication was run too, before it in version 1, after it in version 2 (TR-03110-2 3.4).
        terminal_version: of Terminal Authentication; 0 while there was none.
    """

    access: ProtocolName | None = None
    password: PasswordId | None = None
    chip_authenticated: bool = False
    terminal: Chat | None = None
    terminal_version: int = 0

    def satisfies(self, condition: AccessCondition, group: int = 0) -> bool:
        """Whether an access rule is met (Doc 9303-11 4.1).

        Args:
            group: number of the data group that the rule protects; the rules of the eID application ask for it.
        """
        match condition:
            case AccessCondition.ALWAYS:
                return True
            case AccessCondition.NEVER:
                return False
            case AccessCondition.PACE:
                return self.access is ProtocolName.PACE and self._may_read
            case AccessCondition.BAC_OR_PACE:
                return self.access in (ProtocolName.BAC, ProtocolName.PACE) and self._may_read
            case AccessCondition.TA_DG3:
                return self.has_right(ID_IS, READ_DG3)
            case AccessCondition.TA_DG4:
                return self.has_right(ID_IS, READ_DG4)
            case AccessCondition.EID_READ:
                return self._may_read_group(group)
            case AccessCondition.EID_WRITE:
                return group in EID_WRITABLE and self.has_right(ID_AT, write_right(group))

    @property
    def _may_read(self) -> bool:
        """The PUK unblocks the PIN and opens nothing else (TR-03110-2 2.4.1)."""
        return self.password is not PasswordId.PUK

    def has_right(self, terminal_type: str, bit: int) -> bool:
        """Whether a terminal of this type has authenticated itself with this right.

        Args:
            bit: of the authorization, 0 the lowest (TR-03110-1 A.2, TR-03110-2 B.1).
        """
        if bit == PIN_MANAGEMENT and terminal_type == ID_AT:
            # The authority that manages PINs needs none, which may be blocked or unknown (TR-03110-2 2.4.2).
            return self._is_authenticated(ID_AT) and self._has_bit(bit)
        return self.is_terminal(terminal_type) and self._has_bit(bit)

    def is_terminal(self, terminal_type: str) -> bool:
        """Whether a terminal of this type has authenticated itself, and the chip too, over a password that it may use.

        For an authentication terminal that is the PIN, or the CAN where it has the right to (TR-03110-2 2.3.2.1); for
        none of them the PUK (2.3).
        """
        if not self._is_authenticated(terminal_type) or not self._may_read:
            return False
        if terminal_type != ID_AT or self.password is PasswordId.PIN:
            return True
        return self.password is PasswordId.CAN and self._has_bit(CAN_ALLOWED)

    def _is_authenticated(self, terminal_type: str) -> bool:
        return self.terminal is not None and self.chip_authenticated and self.terminal.oid == terminal_type

    def _has_bit(self, bit: int) -> bool:
        return self.terminal is not None and bool(int.from_bytes(self.terminal.authorization, "big") >> bit & 1)

    def _may_read_group(self, group: int) -> bool:
        """An inspection system reads every group, an authentication terminal by right (TR-03110-4 2.2.2)."""
        if self.terminal_version != GENERAL_AUTHENTICATION:
            return False
        return self.is_terminal(ID_IS) or (group in EID_READABLE and self.has_right(ID_AT, read_right(group)))

    def with_chip_authentication(self) -> SecurityStatus:
        """The same session after Chip Authentication; running version 1 anew takes back what a terminal has proven."""
        if self.chip_authenticated:
            return replace(self, terminal=None, terminal_version=0)
        return replace(self, chip_authenticated=True)

    def with_terminal(self, terminal: Chat, version: int) -> SecurityStatus:
        """The same session after Terminal Authentication of this version."""
        return replace(self, terminal=terminal, terminal_version=version)


NO_SECURITY = SecurityStatus()
