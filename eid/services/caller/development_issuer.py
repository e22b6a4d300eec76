"""An OpenID provider for a developer's machine: it gives every role to everybody who asks.

NOT FOR PRODUCTION, and loud about it: its name and the name of its key say so, a registry refuses its keys unless it
was told `development`, and it listens on the loopback interface only.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters

from eid.enrolment.roles import Actor, Role
from eid.errors import KeyStoreError, RecordError, TransportError
from eid.gateways.local_server import HOST, LocalServer
from eid.services.caller.tokens import DEVELOPMENT, SITE, TOKEN_ROLES
from eid.services.registry import utc_now

NAME: Final = f"https://dev-issuer.invalid/{DEVELOPMENT}"
FOLDER: Final = "dev-issuer"  # under `home`
KEY_FILE: Final = "key.json"
JWKS_FILE: Final = "jwks.json"
LIFETIME: Final = timedelta(hours=1)
MAX_FORM: Final = 8 << 10  # octets
_LOOPBACK: Final = frozenset((HOST, "localhost"))
_WARNING: Final = ("X-Development", "NOT FOR PRODUCTION: every role for everybody")


@dataclass(frozen=True, slots=True)
class DevelopmentIssuer:
    """Signs access tokens with a key of its own."""

    key: ECKey = field(repr=False)

    def issue(
        self,
        actor: Actor,
        audience: str,
        now: datetime,
        *,
        scope: str = "",
        lifetime: timedelta = LIFETIME,
        number: str = "",
    ) -> str:
        """An access token (RFC 9068 2) that says of the actor whatever is asked for."""
        seconds = int(now.timestamp())
        claims = {
            "iss": NAME,
            "aud": audience,
            "sub": actor.id,
            "client_id": actor.id,
            "iat": seconds,
            "exp": seconds + int(lifetime.total_seconds()),
            "jti": secrets.token_hex(16),
            "roles": sorted(role.value for role in actor.roles),
            "scope": scope,
        }
        if actor.site is not None:
            claims["site"] = actor.site
        if number:
            claims["personal_number"] = number
        return jwt.encode({"alg": "ES256", "kid": self.key.kid, "typ": "at+jwt"}, claims, self.key)

    def jwks(self) -> dict[str, Any]:
        """Its public key."""
        return {"keys": [self.key.as_dict(private=False)]}


def jwks_path(home: Path) -> Path:
    """Where the public key of the issuer of a `home` lies."""
    return home / FOLDER / JWKS_FILE


def open_development_issuer(home: Path) -> DevelopmentIssuer:
    """The issuer of a `home`, with a new key where there is none.

    Raises:
        KeyStoreError: its files cannot be read or written.
    """
    folder = home / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / KEY_FILE).exists():
            _make_key(folder)
        issuer = DevelopmentIssuer(ECKey.import_key(json.loads((folder / KEY_FILE).read_bytes())))
        jwks_path(home).write_text(json.dumps(issuer.jwks(), indent=1) + "\n", "utf-8")
        return issuer
    except OSError as failure:
        raise KeyStoreError(f"{folder} cannot be used: {failure.strerror}") from failure
    except (JoseError, ValueError, TypeError, KeyError):
        raise KeyStoreError(f"{folder / KEY_FILE} holds no key") from None


def _make_key(folder: Path) -> None:
    parameters: KeyParameters = {"kid": f"{DEVELOPMENT}-{secrets.token_hex(4)}", "use": "sig", "alg": "ES256"}
    key = ECKey.generate_key("P-256", parameters)
    temporary = folder / f".{KEY_FILE}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(key.as_dict(private=True), file)
        with suppress(FileExistsError):  # of two processes one wins
            os.link(temporary, folder / KEY_FILE)
    finally:
        temporary.unlink()


def parse_actor(subject: str, roles: list[str], site: str | None) -> Actor:
    """Whom a token is to be for.

    Raises:
        RecordError: there is no such role, or it is none that a token gives; the site is no code.
    """
    unknown = [name for name in roles if name not in TOKEN_ROLES]
    if unknown:
        raise RecordError(f"no role that a token gives; there are {', '.join(TOKEN_ROLES)}")
    if site is not None and not SITE.fullmatch(site):
        raise RecordError("a site is 1 to 64 letters, digits and . _ -")
    return Actor(subject, frozenset(Role(name) for name in roles), site)


class IssuerServer(LocalServer):
    """Serves metadata, keys and tokens on the loopback interface.

    Raises:
        TransportError: the port is taken.
    """

    def __init__(self, issuer: DevelopmentIssuer, audience: str, port: int) -> None:
        self.issuer = issuer
        self.audience = audience
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as failure:
            raise TransportError(f"cannot listen on {HOST} port {port}: {failure.strerror}") from failure


class _Handler(BaseHTTPRequestHandler):
    server: IssuerServer
    timeout = 30.0
    server_version = "eid"
    sys_version = ""

    def log_message(self, format: str, *args: object) -> None:
        """Who asks for tokens is not told."""

    def do_GET(self) -> None:
        if not self._is_for_us():
            return
        path = urlsplit(self.path).path
        if path in ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"):
            self._send(HTTPStatus.OK, self._metadata())
        elif path == "/jwks":
            self._send(HTTPStatus.OK, self.server.issuer.jwks())
        else:
            self._send(HTTPStatus.NOT_FOUND, {"error": "not_found"})

    def do_POST(self) -> None:
        """The client credentials grant (RFC 6749 4.4), where `client_id`, `roles`, `site`, `scope` say who to be."""
        if not self._is_for_us():
            return
        length = self.headers.get("Content-Length", "")
        if self.path != "/token" or not length.isdecimal() or int(length) > MAX_FORM:
            self._send(HTTPStatus.BAD_REQUEST, {"error": "invalid_request"})
            return
        form = {name: values[-1] for name, values in parse_qs(self.rfile.read(int(length)).decode("latin-1")).items()}
        if form.get("grant_type") != "client_credentials" or not form.get("client_id"):
            self._send(HTTPStatus.BAD_REQUEST, {"error": "unsupported_grant_type"})
            return
        try:
            actor = parse_actor(form["client_id"], form.get("roles", "").split(), form.get("site"))
        except RecordError as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": "invalid_request", "error_description": str(error)})
            return
        scope = form.get("scope", "")
        token = self.server.issuer.issue(actor, form.get("audience", self.server.audience), utc_now(), scope=scope)
        seconds = int(LIFETIME.total_seconds())
        self._send(
            HTTPStatus.OK, {"access_token": token, "token_type": "Bearer", "expires_in": seconds, "scope": scope}
        )

    def _is_for_us(self) -> bool:
        """Pages of other sites do not get here by a name of their own (DNS rebinding)."""
        ours = self.headers.get("Host", "").partition(":")[0] in _LOOPBACK and "Origin" not in self.headers
        if not ours:
            self._send(HTTPStatus.MISDIRECTED_REQUEST, {"error": "invalid_request"})
        return ours

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": NAME,
            "jwks_uri": f"{self.server.url}/jwks",
            "token_endpoint": f"{self.server.url}/token",
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        }

    def _send(self, status: HTTPStatus, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header(*_WARNING)
        self.end_headers()
        self.wfile.write(body)
