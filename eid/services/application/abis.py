"""The biometric system that the settings name."""

from __future__ import annotations

from urllib.parse import urlsplit

from eid.gateways.abis import Abis
from eid.gateways.abis.osia import OsiaAbis
from eid.gateways.address import require_secure_address
from eid.gateways.http import Location
from eid.services.durable.workshop import read_secret
from eid.services.settings import Settings

CALLBACK = "/v1/abis/answers"


def open_abis(settings: Settings) -> Abis | None:
    """The biometric system; None where none is set up: then adjudicators compare by hand.

    Raises:
        ProfileError: its address is neither https nor http to this machine. GatewayError: its token cannot be read.
    """
    if not settings.abis:
        return None
    parts = urlsplit(require_secure_address(settings.abis, "the ABIS"))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    place = Location(parts.scheme, parts.hostname or "", port, parts.path)
    callback = settings.abis_callback.rstrip("/") + CALLBACK if settings.abis_callback else ""
    return OsiaAbis(place, read_secret(settings.abis_token_file), callback)
