"""A registry to test with: its own keys, a clock that the test moves, and tokens for whoever is to call.

office = build_office(engine)
client = office.client()                      # httpx over ASGI; `office.headers(Role.APPROVER)` has the token
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import Engine

from api.rates import UNLIMITED
from api.registry import create_registry
from eid.enrolment.roles import Role
from eid.enrolment.rules import load_rules
from eid.keystore.service_keys import ServiceKeys
from eid.services.caller import applicants as access
from eid.services.caller.tokens import TokenIssuer
from eid.services.registry import Registry
from eid.store.database import in_transaction
from tests.builders.clock import Clock
from tests.builders.routes import share_description, share_routes

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ISSUER = "https://id.example.test"
AUDIENCE = "eid-registry"
DOCUMENTS = "memory://documents"
KEY = ECKey.generate_key("P-256", parameters={"kid": "test", "use": "sig", "alg": "ES256"}, private=True)


def issue_token(now: datetime, key: ECKey = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    seconds = int(now.timestamp())
    stated = {"iss": ISSUER, "aud": AUDIENCE, "sub": "officer-1", "iat": seconds, "exp": seconds + 600, **claims}
    kept = {name: value for name, value in stated.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": "test", "typ": "at+jwt", **(header or {})}, kept, key)


@dataclass
class Office:
    """A registry, its application and its clock."""

    registry: Registry
    clock: Clock
    app: FastAPI = field(init=False)

    def __post_init__(self) -> None:
        self.app = share_description(share_routes(create_registry(self.registry, UNLIMITED), "registry"), "registry")

    def client(self, raises: bool = True) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=raises)
        headers = {"Accept-Language": "en"}  # texts are compared in English
        return httpx.AsyncClient(transport=transport, base_url="http://registry.test", headers=headers)

    def headers(self, *roles: Role, sub: str = "officer-1", site: str | None = None, scope: str = "") -> dict[str, str]:
        """The header of staff or of a system with these roles."""
        token = issue_token(self.clock(), sub=sub, roles=[role.value for role in roles], site=site, scope=scope)
        return {"Authorization": f"Bearer {token}"}

    def applicant(self, contact: str = "+212600000001", language: str | None = None) -> dict[str, str]:
        """The header of an applicant, who has come in by a one-time code."""
        sent = access.send_code(self.registry, access.Channel.SMS, contact, language)
        message = in_transaction(self.registry.engine, lambda c: access.read_message(self.registry, c, sent.id))
        assert message is not None
        return {"Authorization": f"Bearer {access.open_session(self.registry, sent.id, message.code).token}"}


def build_office(engine: Engine, country: str = "morocco") -> Office:
    clock, loaded = Clock(NOW), load_rules(country)
    issuer = TokenIssuer(ISSUER, AUDIENCE, KeySet([KEY]))
    registry = Registry(
        engine, country, loaded.rules, loaded.digest, ServiceKeys(bytes(range(32))), issuer, clock, documents=DOCUMENTS
    )
    return Office(registry, clock)
