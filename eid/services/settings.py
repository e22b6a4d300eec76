"""Settings: what the command line says, then EID_... in the environment, then a TOML file, then defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from eid.errors import ProfileError

PREFIX: Final = "EID_"
FILE_NAME: Final = "eid.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how the service behaves.

    Args:
        home: where state lives. database: SQLAlchemy URL; empty means SQLite under `home`.
        trust: directory of the trust store; empty means `home`/trust.
        stations: directory of the public keys (PEM) of the inspection stations whose word counts; empty: none counts.
        challenge_seconds: how long a verification waits for its evidence.
    """

    home: Path = Path("var/eid")
    database: str = ""
    trust: str = ""
    stations: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    challenge_seconds: int = 300

    @property
    def database_url(self) -> str:
        """The database's URL."""
        return self.database or f"sqlite:///{self.home / 'eid.db'}"

    @property
    def trust_directory(self) -> Path:
        """The trust store's directory."""
        return Path(self.trust) if self.trust else self.home / "trust"

    @property
    def stations_directory(self) -> Path | None:
        """Where the known stations' keys are, or None where no station is known."""
        return Path(self.stations) if self.stations else None


def load_settings(environment: Mapping[str, str], **given: Any) -> Settings:
    """Settle every setting.

    Args:
        environment: usually `os.environ`. given: what the command line said; None means that it said nothing.

    Raises:
        ProfileError: the TOML file is malformed, or a value has the wrong type or an unknown name.
    """
    said = {name: value for name, value in given.items() if value is not None}
    environ = {
        item.name: environment[PREFIX + item.name.upper()]
        for item in fields(Settings)
        if PREFIX + item.name.upper() in environment
    }
    home = Path(said.get("home") or environ.get("home") or Settings().home)
    place = Path(environment.get("EID_CONFIG", home / FILE_NAME))
    stated = _read_file(place)
    merged = {**stated, **environ, **said, "home": home}
    return replace(Settings(), **{name: _typed(name, value, str(place)) for name, value in merged.items()})


def _read_file(place: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ProfileError(str(error), path=str(place)) from error


def _typed(name: str, value: Any, source: str) -> Any:
    default = getattr(Settings(), name, None)
    if default is None:
        raise ProfileError(f"unknown setting {name!r}", path=source)
    try:
        return type(default)(value) if not isinstance(default, Path) else Path(value)
    except (TypeError, ValueError) as error:
        raise ProfileError(f"setting {name!r} is not a {type(default).__name__}", path=source) from error
