"""An issuer for a developer's machine: its tokens count where that was said, and nowhere else."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from eid.enrolment.roles import Actor, Role
from eid.errors import KeyStoreError, ProfileError, RecordError, TransportError
from eid.gateways.local_server import serving
from eid.services.caller.development_issuer import (
    KEY_FILE,
    NAME,
    IssuerServer,
    jwks_path,
    open_development_issuer,
    parse_actor,
)
from eid.services.caller.tokens import DEVELOPMENT, load_issuer
from eid.services.registry import utc_now
from eid.services.settings import Settings

AUDITOR = Actor("officer-1", frozenset((Role.AUDITOR,)), "rabat")


def settings(home: Path, **given: object) -> Settings:
    return Settings(home, issuer=NAME, jwks=str(jwks_path(home)), development=1, **given)


def test_its_tokens_count_where_development_is_allowed(tmp_path: Path) -> None:
    issuer = open_development_issuer(tmp_path)
    token = issuer.issue(AUDITOR, "eid-registry", utc_now(), scope="id.read")
    caller = load_issuer(settings(tmp_path)).verify(token, utc_now())
    assert (caller.actor, caller.scopes) == (AUDITOR, {"id.read"})
    numbered = issuer.issue(AUDITOR, "eid-registry", utc_now(), number="ZZ123456")
    own = load_issuer(settings(tmp_path)).verify(numbered, utc_now()).actor.own
    assert own is not None
    assert own.is_of("ZZ123456")
    with pytest.raises(ProfileError):
        load_issuer(Settings(tmp_path, issuer=NAME, jwks=str(jwks_path(tmp_path))))
    assert DEVELOPMENT in NAME


def test_the_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first = open_development_issuer(tmp_path)
    again = open_development_issuer(tmp_path)
    assert first.jwks() == again.jwks()
    assert "d" not in first.jwks()["keys"][0]
    file = jwks_path(tmp_path).with_name(KEY_FILE)
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(file.read_text())["d"] not in repr(first)
    file.write_text("{}")
    with pytest.raises(KeyStoreError, match="holds no key"):
        open_development_issuer(tmp_path)


def test_roles_that_no_token_gives() -> None:
    for name in ("applicant", "system", "king"):
        with pytest.raises(RecordError, match="no role"):
            parse_actor("x", [name], None)
    with pytest.raises(RecordError, match="site"):
        parse_actor("x", ["auditor"], "Fès Médina")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[IssuerServer]:
    server = IssuerServer(open_development_issuer(tmp_path), "eid-registry", 0)
    with serving(server):
        yield server


def ask(server: IssuerServer, path: str, form: dict[str, str] | None = None, **headers: str) -> tuple[int, dict]:
    body = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(server.url + path, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert "NOT FOR PRODUCTION" in answer.headers["X-Development"]
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def test_over_http(server: IssuerServer, tmp_path: Path) -> None:
    _, metadata = ask(server, "/.well-known/openid-configuration")
    assert metadata["issuer"] == NAME
    assert ask(server, metadata["jwks_uri"].removeprefix(server.url))[1] == server.issuer.jwks()
    form = {"grant_type": "client_credentials", "client_id": "officer-1", "roles": "auditor", "site": "rabat"}
    status, answer = ask(server, "/token", form)
    assert (status, answer["token_type"]) == (200, "Bearer")
    assert load_issuer(settings(tmp_path)).verify(answer["access_token"], utc_now()).actor == AUDITOR


@pytest.mark.parametrize(
    ("path", "form", "headers", "status"),
    [
        ("/nowhere", None, {}, 404),
        ("/nowhere", {}, {}, 400),
        ("/token", {"grant_type": "password", "client_id": "x"}, {}, 400),
        ("/token", {"grant_type": "client_credentials"}, {}, 400),
        ("/token", {"grant_type": "client_credentials", "client_id": "x", "roles": "king"}, {}, 400),
        ("/token", {"grant_type": "x" * 9000}, {}, 400),
        ("/jwks", None, {"Host": "elsewhere.test"}, 421),
        ("/token", {"grant_type": "client_credentials", "client_id": "x"}, {"Origin": "https://elsewhere.test"}, 421),
    ],
)
def test_refusals(server: IssuerServer, path, form, headers, status) -> None:
    assert ask(server, path, form, **headers)[0] == status


def test_a_port_that_is_taken(server: IssuerServer) -> None:
    with pytest.raises(TransportError, match="cannot listen"):
        IssuerServer(server.issuer, "x", server.server_address[1])
