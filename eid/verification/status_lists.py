"""The status lists that a verification may ask: verified before, looked up by what DG13 names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from eid.pki.status_token import VerifiedStatusList


@dataclass(frozen=True, slots=True)
class StatusLists:
    """Lists by URI. A URI may be claimed by signers of several states, each of which speaks for its own cards."""

    _by_uri: Mapping[tuple[str, str], VerifiedStatusList] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, lists: Iterable[VerifiedStatusList]) -> StatusLists:
        """Of two of one list and state the younger counts."""
        kept: dict[tuple[str, str], VerifiedStatusList] = {}
        for item in sorted(lists, key=lambda item: item.claims.issued_at):
            kept[item.claims.uri, item.country] = item
        return cls(MappingProxyType(kept))

    def find(self, uri: str, country: str) -> VerifiedStatusList | None:
        """The list at a URI that a state's signer (two letters) published, or None."""
        return self._by_uri.get((uri, country))

    @property
    def all(self) -> tuple[VerifiedStatusList, ...]:
        """All of them, by URI."""
        return tuple(self._by_uri[key] for key in sorted(self._by_uri))

    @property
    def digest(self) -> str:
        """SHA-256 of what the lists say (hexadecimal): two sets of one digest answer alike, whatever held them."""
        told = hashlib.sha256()
        for (uri, country), item in sorted(self._by_uri.items()):
            claims = item.claims
            content = hashlib.sha256(claims.statuses.octets).hexdigest()
            line = (uri, country, claims.issued_at, claims.expires_at, claims.statuses.bits, content)
            told.update(repr(tuple(map(str, line))).encode())
        return told.hexdigest()

    def __bool__(self) -> bool:
        return bool(self._by_uri)


NO_STATUS_LISTS = StatusLists()
