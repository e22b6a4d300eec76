"""Which ways to pay an office has: `payments.toml` under EID_HOME, the secrets in files of their own.

format = "eid-payments"
version = 1

[[channel]]
name = "online-card"
url = "https://pay.example/api"
secret = "secrets/pay-example"              # a file: 32 octets or more in hexadecimal on its only line
previous_secret = "secrets/pay-example.old" # while the provider still signs with it
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eid.codec.toml import decode_toml
from eid.enrolment.payment import Channel
from eid.errors import DecodeError, KeyStoreError, ProfileError
from eid.gateways.payment import CHANNELS
from eid.gateways.payment.channel import PaymentChannel
from eid.gateways.payment.link import ProviderLink, utc_now
from eid.keystore.service_keys import load_service_keys

FILE_NAME: Final = "payments.toml"
MAX_SECRET: Final = 1024  # octets of a file
SANDBOX_KEY: Final = "keys/sandbox-payments.key"  # under `home`
_SANDBOX_MARK: Final = "# Written by `eid sandbox payments`. No money moves."
Channels = Mapping[Channel, PaymentChannel]
Clock = Callable[[], datetime]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Channel
    url: str
    secret: str
    previous_secret: str | None = None
    seconds: Annotated[float, Field(gt=0, le=60)] = 10.0


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["eid-payments"]
    version: Literal[1]
    channel: tuple[_Row, ...]


def load_channels(home: Path, clock: Clock = utc_now) -> Channels:
    """The ways to pay; none where there is no file.

    Args:
        clock: by which requests to providers are signed, UTC.

    Raises:
        ProfileError: the file is malformed, or names a way twice. KeyStoreError: a secret cannot be read, is malformed,
            or can be read by others.
    """
    place = home / FILE_NAME
    try:
        raw = place.read_bytes()
    except FileNotFoundError:
        return MappingProxyType({})
    except OSError as failure:
        raise ProfileError(failure.strerror or "cannot be read", path=str(place)) from failure
    try:
        rows = _File.model_validate(decode_toml(raw)).channel
    except DecodeError as error:
        raise ProfileError(error.what, path=str(place)) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ProfileError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", path=str(place)) from None
    if len({row.name for row in rows}) != len(rows):
        raise ProfileError("a channel stands twice", path=str(place))
    return MappingProxyType({row.name: _open(row, home, clock) for row in rows})


def _open(row: _Row, home: Path, clock: Clock) -> PaymentChannel:
    named = (row.secret,) if row.previous_secret is None else (row.secret, row.previous_secret)
    link = ProviderLink(row.url, tuple(read_secret(home / name) for name in named), row.seconds, clock=clock)
    return next(kind for kind in CHANNELS if kind.name is row.name)(link)


def read_secret(path: Path) -> bytes:
    """The secret in a file.

    Raises:
        KeyStoreError: it cannot be read, is not hexadecimal, or can be read by others.
    """
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise KeyStoreError(f"{path} can be read by others: chmod 600")
            return bytes.fromhex(file.read(MAX_SECRET).decode("ascii").strip())
    except OSError as failure:
        raise KeyStoreError(f"{path} cannot be read: {failure.strerror}") from failure
    except ValueError:
        raise KeyStoreError(f"{path} does not hold a secret in hexadecimal") from None


def prepare_secret(home: Path) -> bytes:
    """The secret that is shared with a sandbox provider; made where it is missing.

    Raises:
        KeyStoreError: it cannot be read or written, or can be read by others.
    """
    return load_service_keys(home / SANDBOX_KEY).secret


def configure_sandbox(home: Path, url: str) -> bool:
    """Name a sandbox provider for every way to pay, unless a file of ways is there already; whether it was written.

    A file that this function wrote names an earlier sandbox's address, and is written anew.
    """
    place = home / FILE_NAME
    if place.exists() and not place.read_text("utf-8").startswith(_SANDBOX_MARK):
        return False
    rows = "".join(
        f'\n[[channel]]\nname = "{kind.name.value}"\nurl = "{url}"\nsecret = "{SANDBOX_KEY}"\n' for kind in CHANNELS
    )
    place.write_text(f'{_SANDBOX_MARK}\nformat = "eid-payments"\nversion = 1\n{rows}', encoding="utf-8")
    return True
