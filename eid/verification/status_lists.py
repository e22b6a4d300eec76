"""The status lists that a verification may ask: verified before, looked up by what DG13 names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from eid.pki.revocation import NO_GRACE
from eid.pki.status_list import StatusType
from eid.pki.status_token import VerifiedStatusList


@dataclass(frozen=True, slots=True)
class KnownList:
    """What is at hand of one list: the youngest token; all of that time, where these contradict one another.

    The order of tokens is that of `iat` (8.3 step 4.2, 13.7). A publisher makes no two of one time; where there are
    two nonetheless, none of them is the last word, and neither becomes it for having come in later.
    """

    tokens: tuple[VerifiedStatusList, ...]

    @property
    def issued_at(self) -> datetime:
        """When its tokens were issued, UTC."""
        return self.tokens[0].claims.issued_at

    def status(self, index: int) -> int | None:
        """The status at an index from 0; None where the tokens contradict one another there.

        A card that one of them calls invalid is invalid: of the statuses only SUSPENDED is reversible (7.1).

        Raises:
            DecodeError: a list has no such index.
        """
        told = {token.claims.statuses.status(index) for token in self.tokens}
        if len(told) == 1:
            return told.pop()
        return StatusType.INVALID if StatusType.INVALID in told else None

    def is_stale(self, time: datetime, grace: timedelta = NO_GRACE) -> bool:
        """Whether it must not be relied upon any longer (13.7); grace: for how long after its end it is."""
        return any(token.is_stale(time, grace) for token in self.tokens)


@dataclass(frozen=True, slots=True)
class StatusLists:
    """Lists by URI. A URI may be claimed by signers of several states, each of which speaks for its own cards."""

    _by_uri: Mapping[tuple[str, str], KnownList] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, tokens: Iterable[VerifiedStatusList]) -> StatusLists:
        """Of those of one list and state the youngest count; the order in which they come does not."""
        kept: dict[tuple[str, str], list[VerifiedStatusList]] = {}
        for token in sorted(tokens, key=lambda token: token.claims.issued_at):
            youngest = kept.setdefault((token.claims.uri, token.country), [])
            if youngest and youngest[0].claims.issued_at < token.claims.issued_at:
                youngest.clear()
            if not any(token.agrees_with(other) for other in youngest):
                youngest.append(token)
        return cls(MappingProxyType({key: KnownList(tuple(youngest)) for key, youngest in kept.items()}))

    def find(self, uri: str, country: str) -> KnownList | None:
        """The list at a URI that a state's signer (two letters) published, or None."""
        return self._by_uri.get((uri, country))

    def claimants(self, uri: str) -> tuple[KnownList, ...]:
        """The lists at a URI, one for each state whose signer published one."""
        return tuple(self._by_uri[key] for key in sorted(self._by_uri) if key[0] == uri)

    @property
    def all(self) -> tuple[VerifiedStatusList, ...]:
        """All tokens that count, by URI."""
        return tuple(token for key in sorted(self._by_uri) for token in self._by_uri[key].tokens)

    @property
    def digest(self) -> str:
        """SHA-256 of what the lists say (hexadecimal): two sets of one digest answer alike, whatever held them."""
        told = hashlib.sha256()
        for line in sorted(map(_describe, self.all)):
            told.update(line.encode())
        return told.hexdigest()

    def __bool__(self) -> bool:
        return bool(self._by_uri)


def _describe(token: VerifiedStatusList) -> str:
    claims = token.claims
    content = hashlib.sha256(claims.statuses.octets).hexdigest()
    told = (claims.uri, token.country, claims.issued_at, claims.expires_at, claims.statuses.bits, content)
    return repr(tuple(map(str, told)))


NO_STATUS_LISTS = StatusLists()
