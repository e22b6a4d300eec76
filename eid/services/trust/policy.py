"""What an operator wants of a trust store: `trust.toml` in its directory. Where there is none, the defaults hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from eid.codec.toml import decode_toml
from eid.errors import DecodeError, ProfileError
from eid.services.input_file import read_input

FILE_NAME: Final = "trust.toml"
FORMAT: Final = "eid-trust-policy"
MAX_FILE: Final = 1 << 16  # octets
MAX_LOCATIONS: Final = 1024


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """How new authorities come in, and where CRLs are fetched.

    Args:
        quorum: signed lists of so many states must know a new CSCA before it counts; until then it is held.
        hosts: names of hosts that may be asked, lower case. locations: URLs of CRLs and lists, http or https.
    """

    quorum: int = 1
    hosts: tuple[str, ...] = ()
    locations: tuple[str, ...] = ()


def load_trust_policy(directory: Path) -> TrustPolicy:
    """Load the policy of a trust store.

    Raises:
        ProfileError: the file is malformed, says something unknown, or names a location of a host not in `hosts`.
    """
    place = directory / FILE_NAME
    if not place.exists():
        return TrustPolicy()
    try:
        return _build(decode_toml(read_input(place, MAX_FILE, "trust policy")))
    except DecodeError as error:
        raise ProfileError(error.what, path=str(place)) from error
    except ValueError as error:
        raise ProfileError(str(error), path=str(place)) from error


def _build(said: dict[str, Any]) -> TrustPolicy:
    _require_known(said, ("format", "version", "quorum", "fetch"))
    if said.get("format") != FORMAT or said.get("version") != 1:
        raise ValueError(f'the file does not begin with format = "{FORMAT}" and version = 1')
    quorum, fetch = said.get("quorum", 1), said.get("fetch", {})
    if type(quorum) is not int or not 1 <= quorum <= 100:
        raise ValueError("quorum is no whole number from 1 to 100")
    if not isinstance(fetch, dict):
        raise ValueError("fetch is no table")
    _require_known(fetch, ("hosts", "locations"))
    hosts = tuple(item.lower().rstrip(".") for item in _read_texts(fetch, "hosts"))
    locations = _read_texts(fetch, "locations")
    for location in locations:
        require_location(location, hosts)
    return TrustPolicy(quorum, hosts, locations)


def _require_known(said: dict[str, Any], names: tuple[str, ...]) -> None:
    unknown = sorted(set(said) - set(names))
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}")


def _read_texts(said: dict[str, Any], name: str) -> tuple[str, ...]:
    values = said.get(name, [])
    if not isinstance(values, list) or not all(isinstance(item, str) and item for item in values):
        raise ValueError(f"fetch.{name} is no list of texts")
    if len(values) > MAX_LOCATIONS:
        raise ValueError(f"fetch.{name} has over {MAX_LOCATIONS} entries")
    return tuple(values)


def require_location(location: str, hosts: tuple[str, ...]) -> tuple[str, str, int]:
    """Scheme, host and port of a URL that may be fetched.

    Raises:
        ValueError: another scheme than http and https, a user's name in it, or a host that is not configured.
    """
    parts = urlsplit(location)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError(f"{location!r} is no http or https location")
    host = parts.hostname.lower().rstrip(".")
    if host not in hosts:
        raise ValueError(f"the host of {location!r} is not among fetch.hosts")
    return parts.scheme, host, parts.port or {"http": 80, "https": 443}[parts.scheme]
