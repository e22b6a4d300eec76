"""Fetching what the policy of a trust store names: a command of its own, never a part of a verification.

What comes is imported as any file is: believed for its signature, not for where it came from.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from eid.errors import EidError, LifecycleError
from eid.gateways.http import Location, fetch
from eid.services.trust.import_objects import ImportReport
from eid.services.trust.imports import import_trust
from eid.services.trust.policy import load_trust_policy, require_location

Fetch = Callable[[Location], bytes]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One location. report: of its import, None where it failed; failure: why."""

    location: str
    octets: int
    report: ImportReport | None
    failure: str = ""


def fetch_trust(
    directory: Path, locations: Sequence[str] = (), *, now: datetime, fetch_file: Fetch = fetch
) -> tuple[Fetched, ...]:
    """Fetch and import files; one that fails does not keep the others from coming in.

    Args:
        locations: some of those that are configured, or others of configured hosts; none: all that are configured.

    Raises:
        LifecycleError: nothing is configured, or a location's host is not.
        StoreError, ProfileError: the store cannot be used.
    """
    policy = load_trust_policy(directory)
    wanted = tuple(locations) or policy.locations
    if not wanted:
        raise LifecycleError(f"{directory / 'trust.toml'} names no location to fetch")
    places = []
    for item in wanted:
        try:
            places.append((item, build_location(item, policy.hosts)))
        except ValueError as refusal:
            raise LifecycleError(str(refusal)) from refusal
    return tuple(_fetch_one(directory, text, place, now, fetch_file) for text, place in places)


def build_location(text: str, hosts: tuple[str, ...]) -> Location:
    """Where a URL of a configured host leads.

    Raises:
        ValueError: its host is not configured, or it is malformed.
    """
    scheme, host, port = require_location(text, hosts)
    parts = urlsplit(text)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(letter <= " " for letter in target):
        raise ValueError(f"{text!r} has characters that no location has")
    return Location(scheme, host, port, target)


def _fetch_one(directory: Path, text: str, place: Location, now: datetime, fetch_file: Fetch) -> Fetched:
    octets = 0
    try:
        raw = fetch_file(place)
        octets = len(raw)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"{place.host}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
            file.write_bytes(raw)
            return Fetched(text, octets, import_trust(directory, [file], unsigned=False, vouched=False, now=now))
    except EidError as failure:
        return Fetched(text, octets, None, str(failure))
