"""The status lists that a relying party has at hand: files in a directory, fetched by a command of its own.

A file is believed for its signature, not for where it lies. A verification reads them, and never fetches.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from eid.errors import DecodeError, EidError, LifecycleError, VerificationError
from eid.gateways.http import fetch
from eid.pki.status_token import MAX_TOKEN, VerifiedStatusList, decode_status_token, verify_status_token
from eid.pki.trust_store import TrustStore
from eid.services.input_file import read_input
from eid.services.trust.fetch import Fetch, build_location
from eid.services.trust.policy import load_trust_policy
from eid.store.files import store_file
from eid.verification.status_lists import StatusLists

FOLDER: Final = "status"  # inside of the trust store's directory
SUFFIX: Final = ".status"
LOOK: Final = timedelta(seconds=10)  # how often a service looks whether files have changed
CONTRADICTION: Final = "it contradicts another one of the same time; both are kept until a younger one comes"
AGAIN: Final = timedelta(hours=1)  # after that a signer may have expired, or been revoked


@dataclass(frozen=True, slots=True)
class RefusedList:
    """A file that holds no status list that counts, and why."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class KeptList:
    """A list that lies on the shelf. contradicts: whether another of the same time, which says something else, does."""

    found: VerifiedStatusList
    contradicts: bool


@dataclass(frozen=True, slots=True)
class FetchedList:
    """One list that was to be fetched. failure: what is wrong, "" where nothing is."""

    uri: str
    octets: int
    failure: str = ""


def shelf_of(trust_directory: Path) -> Path:
    """Where the lists of a trust store lie."""
    return trust_directory / FOLDER


def load_status_lists(
    files: Iterable[Path], trust: TrustStore, now: datetime
) -> tuple[StatusLists, tuple[RefusedList, ...]]:
    """Verify files, each a token of either form; of those of one list the youngest count."""
    found: list[VerifiedStatusList] = []
    refused = []
    for path in files:
        try:
            found.append(verify_status_token(read_input(path, MAX_TOKEN, "status list"), trust, now=now))
        except (DecodeError, VerificationError) as failure:
            refused.append(RefusedList(path, str(failure)))
    return StatusLists.of(found), tuple(refused)


def find_files(directory: Path) -> tuple[Path, ...]:
    """The files of a shelf; none where there is no such directory."""
    return tuple(sorted(directory.glob(f"*{SUFFIX}")))


@dataclass(slots=True)
class StatusShelf:
    """The lists of a directory for a service that runs on: verified anew when files have changed, and every hour."""

    directory: Path
    trust: TrustStore
    _seen: tuple[tuple[str, int, int], ...] = ()
    _looked_at: datetime | None = None
    _verified_at: datetime | None = None
    _lists: StatusLists = field(default_factory=StatusLists)

    def lists(self, now: datetime) -> StatusLists:
        """What is at hand; the directory is looked at every ten seconds at most."""
        if self._looked_at is not None and timedelta() <= now - self._looked_at < LOOK:
            return self._lists
        self._looked_at = now
        files = find_files(self.directory)
        seen = tuple((path.name, stated.st_mtime_ns, stated.st_size) for path in files if (stated := _stat(path)))
        if seen != self._seen or self._verified_at is None or not timedelta() <= now - self._verified_at < AGAIN:
            self._lists, refused = load_status_lists(files, self.trust, now)
            self._seen, self._verified_at = seen, None if refused else now  # what is refused may count in a moment
        return self._lists


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # replaced at this very moment
        return None


# --- fetching


def fetch_status_lists(
    trust_directory: Path,
    uris: Sequence[str],
    trust: TrustStore,
    now: datetime,
    *,
    fetch_file: Fetch = fetch,
) -> tuple[FetchedList, ...]:
    """Fetch lists of hosts that the trust store's policy names, verify them, and put them on the shelf.

    Args:
        uris: of lists; none: those on the shelf anew.

    Raises:
        LifecycleError: nothing is named and nothing is on the shelf, or a host is not configured.
    """
    shelf = shelf_of(trust_directory)
    wanted = tuple(uris) or tuple(sorted(known_uris(shelf)))
    if not wanted:
        raise LifecycleError("name the status lists to fetch: none is at hand yet")
    hosts = load_trust_policy(trust_directory).hosts
    try:
        places = [(uri, build_location(uri, hosts)) for uri in wanted]
    except ValueError as refusal:
        raise LifecycleError(str(refusal)) from refusal
    results = []
    for uri, place in places:
        try:
            raw = fetch_file(place)
            kept = keep_list(shelf, raw, trust, now, uri=uri)
            results.append(FetchedList(uri, len(raw), CONTRADICTION if kept.contradicts else ""))
        except EidError as failure:  # one that fails does not keep the others from coming in
            results.append(FetchedList(uri, 0, str(failure)))
    return tuple(results)


def keep_list(shelf: Path, raw: bytes, trust: TrustStore, now: datetime, *, uri: str | None = None) -> KeptList:
    """Verify a token, and put it on the shelf in the place of older ones of the same list and state.

    A list never goes back, whoever serves an old one. Two of one time that contradict each other are both kept until a
    younger one comes: which of them was meant is not for the order to decide in which they came in (`KnownList`).

    Args:
        uri: what was asked for; None: whatever list it is.

    Raises:
        DecodeError, VerificationError: as `verify_status_token`. LifecycleError: a younger one is at hand. StoreError.
    """
    found = verify_status_token(raw, trust, now=now, uri=uri)
    time, held = found.claims.issued_at, _find_kept(shelf, found, trust, now)
    rivals = [known for known in held.values() if known is not None and known.claims.issued_at >= time]
    for known in rivals:
        if known.claims.issued_at > time:
            raise LifecycleError(f"a younger status list, of {known.claims.issued_at:%Y-%m-%d %H:%M:%S}, is at hand")
    if not any(known.agrees_with(found) for known in rivals):
        shelf.mkdir(parents=True, exist_ok=True)
        store_file(shelf / f"{_stem(found.claims.uri)}-{hashlib.sha256(raw).hexdigest()[:16]}{SUFFIX}", raw)
        for path, kept in held.items():
            if kept is None or kept.claims.issued_at < time:
                path.unlink(missing_ok=True)
    return KeptList(found, any(not known.agrees_with(found) for known in rivals))


def _find_kept(
    shelf: Path, found: VerifiedStatusList, trust: TrustStore, now: datetime
) -> dict[Path, VerifiedStatusList | None]:
    """The files of the same list and state; None for one that counts no longer."""
    held = {path: _verify_kept(path, trust, now) for path in shelf.glob(f"{_stem(found.claims.uri)}*{SUFFIX}")}
    return {path: known for path, known in held.items() if known is None or known.country == found.country}


def _stem(uri: str) -> str:
    """How the names of a list's files begin."""
    return hashlib.sha256(uri.encode()).hexdigest()[:32]


def _verify_kept(path: Path, trust: TrustStore, now: datetime) -> VerifiedStatusList | None:
    try:
        return verify_status_token(read_input(path, MAX_TOKEN, "status list"), trust, now=now)
    except (DecodeError, VerificationError):
        return None


def known_uris(shelf: Path) -> frozenset[str]:
    """URIs of the lists on a shelf, verified or not."""
    found = set()
    for path in find_files(shelf):
        try:
            found.add(decode_status_token(read_input(path, MAX_TOKEN, "status list")).claims.uri)
        except DecodeError:
            continue
    return frozenset(found)
