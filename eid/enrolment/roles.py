"""Who acts. What each role may do stands with the transitions and operations themselves."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum, unique
from typing import Final

from eid.errors import EnrolmentError, Refusal


@unique
class Role(StrEnum):
    """The actors of the service; names are those of the access tokens' `roles` claim."""

    APPLICANT = "applicant"  # or the guardian of a minor
    ENROLMENT_OFFICER = "enrolment-officer"  # at a centre, a consulate, a mobile unit
    VALIDATING_OFFICER = "validating-officer"
    ADJUDICATOR = "adjudicator"
    APPROVER = "approver"  # the second officer
    PRODUCTION_OPERATOR = "production-operator"
    DELIVERY_OPERATOR = "delivery-operator"
    CALL_CENTRE_AGENT = "call-centre-agent"
    CASHIER = "cashier"
    PAYMENT_PROVIDER = "payment-provider"  # a system
    RELYING_PARTY = "relying-party"  # a system
    KEY_OPERATOR = "key-operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    SYSTEM = "system"  # this service's own timers and workers


AT_A_SITE: Final = frozenset((Role.ENROLMENT_OFFICER, Role.VALIDATING_OFFICER, Role.DELIVERY_OPERATOR))
"""Roles that are held at one centre, consulate or mobile unit; the others that see files are the central office's."""


@dataclass(frozen=True, slots=True)
class OwnNumber:
    """Somebody's own personal number, only to be compared: HMAC-SHA-256 of it under a key drawn for this object."""

    key: bytes = field(repr=False)
    tag: bytes = field(repr=False)

    def is_of(self, number: str | None) -> bool:
        """Whether it is this number; blanks, hyphens and case do not count."""
        return number is not None and hmac.compare_digest(self.tag, _tag(self.key, number))


def keep_number(number: str, random: Callable[[int], bytes] = os.urandom) -> OwnNumber:
    """A personal number in the form in which an actor bears it."""
    key = random(32)
    return OwnNumber(key, _tag(key, number))


def _tag(key: bytes, number: str) -> bytes:
    return hmac.digest(key, "".join(filter(str.isalnum, number)).upper().encode(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts.

    Args:
        id: identifier from the token, no name. roles: all that he holds. site: where he works, None for those who work
            nowhere in particular (applicants, systems). own: his own personal number, where his token tells it.
    """

    id: str
    roles: frozenset[Role]
    site: str | None = None
    own: OwnNumber | None = field(default=None, repr=False, compare=False)

    def acting_as(self, allowed: frozenset[Role]) -> Role | None:
        """The role of his that the act is allowed to, None where there is none."""
        return min(self.roles & allowed, default=None)

    def require(self, allowed: frozenset[Role], why: str = "this is for other roles") -> Role:
        """The role of his that the act is allowed to.

        Args:
            why: told to him who has none; it says whose the act is.

        Raises:
            EnrolmentError: FORBIDDEN, he has none.
        """
        role = self.acting_as(allowed)
        if role is None:
            raise EnrolmentError(Refusal.FORBIDDEN, why)
        return role

    def tag(self, role: Role) -> str:
        """How the audit log names him."""
        return f"{role.value}:{self.id}"

    def is_watched_by(self, witness: str | None) -> bool:
        """Whether a witness, whom he names by identifier, is somebody else, however that is written."""
        named = (witness or "").strip().casefold()
        return named not in ("", self.id.casefold())

    def placed(self, allowed: frozenset[Role]) -> Actor:
        """Him with the roles that count for an act: those held at a site do not where nobody knows at which.

        Raises:
            EnrolmentError: FORBIDDEN, none of the roles that the act is allowed to counts.
        """
        if self.site is not None:
            return self
        placed = replace(self, roles=self.roles - AT_A_SITE)
        if placed.acting_as(allowed) is None:
            raise EnrolmentError(Refusal.FORBIDDEN, "the token names no office of the officer", guard="workplace")
        return placed
