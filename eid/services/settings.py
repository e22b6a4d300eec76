"""Settings: what the command line says, then EID_... in the environment, then a TOML file, then defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from eid.codec.toml import decode_toml
from eid.errors import DecodeError, ProfileError

PREFIX: Final = "EID_"
FILE_NAME: Final = "eid.toml"
MAX_FILE: Final = 1 << 16  # octets
BOUNDS: Final = {"port": (0, 65535), "challenge_seconds": (1, 86_400), "development": (0, 1)}


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and how the service behaves.

    Args:
        home: where state lives. database: SQLAlchemy URL; empty means SQLite under `home`.
        trust: directory of the trust store; empty means `home`/trust.
        stations: directory of the public keys (PEM) of the inspection stations whose word counts; empty: none counts.
        challenge_seconds: how long a verification waits for its evidence.
        country: whose enrolment rules hold. issuer: the `iss` of the access tokens that count; audience: their `aud`.
        jwks: file or https address of the issuer's public keys. roles_claim: where a token has the roles.
        number_claim: where a token of staff has the holder's own personal number.
        proxy: address of the reverse proxy whose X-Forwarded-For counts.
        development: 1 lets the development issuer's tokens count.
        audit_origin: the audit log's name in its signed heads, for ever. heads: where those are written to; empty means
            `home`/heads.
        sms: URL of the SMS gateway; sms_token_file: what it knows us by. mail: URL of the SMTP server, such as
            smtp+starttls://user@host; mail_password_file: the user's password; mail_from: the sender's address. Where
            there is no gateway, messages are laid into `home`/messages, and reach nobody.
        documents: where papers and images lie, a directory or an address that fsspec knows, such as
            s3://bucket/documents; empty means `home`/documents.
        abis: URL of the biometric identification system; abis_token_file: what it knows us by; abis_callback: our own
            URL as it reaches us, where it is to answer later. Without one, adjudicators compare by hand.
    """

    home: Path = Path("var/eid")
    database: str = ""
    trust: str = ""
    stations: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    challenge_seconds: int = 300
    country: str = "morocco"
    issuer: str = ""
    audience: str = "eid-registry"
    jwks: str = ""
    roles_claim: str = "roles"
    number_claim: str = "personal_number"
    proxy: str = ""
    development: int = 0
    audit_origin: str = "eid.invalid/audit"
    heads: str = ""
    sms: str = ""
    sms_token_file: str = ""
    mail: str = ""
    mail_password_file: str = ""
    mail_from: str = "no-reply@eid.invalid"
    documents: str = ""
    abis: str = ""
    abis_token_file: str = ""
    abis_callback: str = ""

    @property
    def database_url(self) -> str:
        """The database's URL."""
        if self.database:
            return self.database
        from eid.store.database import locate_file  # and with it SQLAlchemy, which takes as long as all else at start

        return locate_file(self.home / "eid.db").render_as_string()

    @property
    def trust_directory(self) -> Path:
        """The trust store's directory."""
        return Path(self.trust) if self.trust else self.home / "trust"

    @property
    def heads_directory(self) -> Path:
        """Where signed heads of the audit log are written to."""
        return Path(self.heads) if self.heads else self.home / "heads"

    @property
    def documents_address(self) -> str:
        """Where papers and images lie."""
        return self.documents or str(self.home.absolute() / "documents")

    @property
    def stations_directory(self) -> Path | None:
        """Where the known stations' keys are, or None where no station is known."""
        return Path(self.stations) if self.stations else None


def load_settings(environment: Mapping[str, str], **given: Any) -> Settings:
    """Settle every setting.

    Args:
        environment: usually `os.environ`. given: what the command line said; None means that it said nothing.

    Raises:
        ProfileError: the TOML file is malformed, or was named and is missing; a value has the wrong type or is out of
            bounds; a name is unknown. The text names the place.
    """
    said = {name: value for name, value in given.items() if value is not None}
    environ = {
        item.name: environment[PREFIX + item.name.upper()]
        for item in fields(Settings)
        if PREFIX + item.name.upper() in environment
    }
    home = Path(said.get("home") or environ.get("home") or Settings().home)
    named = environment.get(PREFIX + "CONFIG")
    place = Path(named) if named else home / FILE_NAME
    settled = {name: _check(name, value, str(place)) for name, value in _read_file(place, bool(named)).items()}
    settled |= {name: _convert(name, value) for name, value in environ.items()}
    settled |= {name: _check(name, value, "command line") for name, value in said.items()}
    return replace(Settings(), **{**settled, "home": home})


def _read_file(place: Path, named: bool) -> dict[str, Any]:
    """What the TOML file says; one that nobody named may be missing."""
    try:
        with place.open("rb") as file:
            raw = file.read(MAX_FILE + 1)
        if len(raw) > MAX_FILE:
            raise ProfileError(f"larger than {MAX_FILE} octets", path=str(place))
        return decode_toml(raw)
    except FileNotFoundError as error:
        if not named:
            return {}
        raise ProfileError("there is no such file", path=str(place)) from error
    except OSError as error:
        raise ProfileError(error.strerror or "cannot be read", path=str(place)) from error
    except DecodeError as error:
        raise ProfileError(error.what, path=str(place)) from error


def _convert(name: str, text: str) -> Any:
    """A setting of the environment, where everything is text."""
    source = PREFIX + name.upper()
    if not isinstance(_DEFAULTS[name], int):
        return _check(name, text, source)
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise ProfileError("not a number", path=source)
    return _check(name, int(text), source)


def _check(name: str, value: Any, source: str) -> Any:
    """Insist on a known name, the right type and, for numbers, the bounds."""
    if name not in _DEFAULTS:
        raise ProfileError(f"unknown setting {name!r}", path=source)
    if isinstance(_DEFAULTS[name], int):
        lowest, highest = BOUNDS[name]
        if type(value) is not int or not lowest <= value <= highest:
            raise ProfileError(f"{name} is not a whole number from {lowest} to {highest}", path=source)
        return value
    if not isinstance(value, str | Path):
        raise ProfileError(f"{name} is not a text", path=source)
    return Path(value) if isinstance(_DEFAULTS[name], Path) else str(value)


_DEFAULTS: Final = {item.name: item.default for item in fields(Settings)}
