"""What has been proven in a session so far; access rules are decided on it (ISO/IEC 7816-4 9.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from eid.evidence import ProtocolName
from eid.profile.card_image import AccessCondition, PasswordId


@dataclass(frozen=True, slots=True)
class SecurityStatus:
    """The status that access control and Chip Authentication have reached.

    Args:
        access: the protocol that opened the session; None while nothing did.
        password: the password it used.
        chip_authenticated: whether Chip Authentication has re-keyed the session.
    """

    access: ProtocolName | None = None
    password: PasswordId | None = None
    chip_authenticated: bool = False

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

    def with_chip_authentication(self) -> SecurityStatus:
        """The same session after Chip Authentication."""
        return replace(self, chip_authenticated=True)


NO_SECURITY = SecurityStatus()
