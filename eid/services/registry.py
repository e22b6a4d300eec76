"""What every use case of the registry works on: database, a country's rules, keys, clock, and who issues tokens."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Engine

from eid.enrolment.rules import EnrolmentRules, load_rules
from eid.errors import ProfileError
from eid.gateways.blobs import BlobStore
from eid.keystore.service_keys import FILE_NAME, ServiceKeys, load_service_keys
from eid.services.caller.tokens import TokenIssuer, load_issuer
from eid.services.database import open_store
from eid.services.payment.channels import Channels, load_channels
from eid.services.settings import Settings
from eid.store.schema_version import require_ready

KEYS: Final = "keys"  # under `home`


def utc_now() -> datetime:
    """The clock of the machine, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Registry:
    """One office's registry, whatever serves it.

    Args:
        country: the name of its rules. keys: for keyed hashes and what is sealed. issuer: whose access tokens count.
        clock: answers the moment, UTC. random: octets that nobody can foresee.
        documents: where papers and images lie, a directory or an address of fsspec.
        channels: the ways to pay.
    """

    engine: Engine = field(repr=False)
    country: str
    rules: EnrolmentRules = field(repr=False)
    rules_digest: bytes = field(repr=False)
    keys: ServiceKeys = field(repr=False)
    issuer: TokenIssuer
    clock: Callable[[], datetime] = field(default=utc_now, repr=False)
    random: Callable[[int], bytes] = field(default=os.urandom, repr=False)
    documents: str = ""
    channels: Channels = field(default_factory=dict, repr=False)

    def now(self) -> datetime:
        """The registry's clock, UTC."""
        return self.clock()

    @property
    def blobs(self) -> BlobStore:
        """Where papers and images lie, encrypted."""
        return BlobStore(self.documents, self.keys, self.random)


def load_keys(settings: Settings) -> ServiceKeys:
    """The service's keys, which lie under `home`.

    Raises:
        KeyStoreError: their file is malformed, or others may read it.
    """
    return load_service_keys(settings.home / KEYS / FILE_NAME)


def open_registry(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Registry:
    """The registry that the settings describe.

    Raises:
        StoreError: the database or the rules cannot be used. KeyStoreError: the keys cannot.
        ProfileError: nobody is named whose tokens count, or the ways to pay are malformed.
        GatewayError: his keys cannot be fetched.
    """
    if not settings.issuer or not settings.jwks:
        raise ProfileError("nobody is named whose access tokens count: say --issuer and --jwks, or --development")
    loaded = load_rules(settings.country)
    issuer = load_issuer(settings)
    documents = settings.documents_address
    keys = load_keys(settings)
    channels = load_channels(settings.home, clock)
    engine = open_store(settings)
    country, rules = settings.country, loaded.rules
    return Registry(engine, country, rules, loaded.digest, keys, issuer, clock, documents=documents, channels=channels)


def require_answer(registry: Registry) -> None:
    """Insist that the database answers and is of this program's version.

    Raises:
        StoreError: it does not, or is not.
    """
    require_ready(registry.engine)
