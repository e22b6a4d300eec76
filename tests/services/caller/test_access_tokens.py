"""Access tokens: every claim that must hold, forged in turn."""

from __future__ import annotations

import base64
import json
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from eid.enrolment.roles import Role
from eid.errors import GatewayError, ProfileError
from eid.services.caller.key_renewal import keep_renewing
from eid.services.caller.tokens import DEVELOPMENT, TokenIssuer, TokenRefusedError, decode_keys, load_issuer
from eid.services.settings import Settings
from tests.builders.registry import AUDIENCE, ISSUER, KEY, NOW, issue_token

TRUSTED = TokenIssuer(ISSUER, AUDIENCE, KeySet([KEY]))
SECONDS = int(NOW.timestamp())


def test_a_token_says_who_is_calling() -> None:
    token = issue_token(NOW, sub="officer-7", roles=["approver", "another-service"], site="rabat", scope="a b")
    caller = TRUSTED.verify(token, NOW)
    assert (caller.actor.id, caller.actor.roles, caller.actor.site) == ("officer-7", {Role.APPROVER}, "rabat")
    assert caller.scopes == {"a", "b"}


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.test"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": "another-service"},
        {"aud": None},
        {"aud": [1]},
        {"exp": SECONDS - 31},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": SECONDS + 25 * 3600},  # good for longer than any access token should be
        {"nbf": SECONDS + 60},
        {"iat": SECONDS + 60},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"site": ""},  # a site that nobody understands is not the whole country
        {"site": "Fès Médina"},
        {"site": "../x"},
        {"site": ["rabat"]},
    ],
    ids=str,
)
def test_a_claim_that_does_not_hold(claims) -> None:
    with pytest.raises(TokenRefusedError, match=r"^the token is refused$"):
        TRUSTED.verify(issue_token(NOW, **claims), NOW)


def test_audiences_and_clocks() -> None:
    assert TRUSTED.verify(issue_token(NOW, aud=["x", AUDIENCE]), NOW)
    assert TRUSTED.verify(issue_token(NOW), NOW + timedelta(seconds=620))  # clocks differ
    with pytest.raises(TokenRefusedError):
        TRUSTED.verify(issue_token(NOW), NOW + timedelta(seconds=640))


def test_signatures_of_others() -> None:
    other = ECKey.generate_key("P-256", {"kid": "test"})
    public = json.dumps(KEY.as_dict(private=False)).encode()
    forged = [
        issue_token(NOW, key=other),
        issue_token(NOW, header={"kid": "unknown"}),
        issue_token(NOW, header={"typ": "dpop+jwt"}),
        issue_token(NOW, header={"typ": "secevent+jwt"}),
        jwt.encode({"alg": "HS256", "kid": "test"}, {"iss": ISSUER}, OctKey.import_key(public), algorithms=["HS256"]),
    ]
    head, body, _ = issue_token(NOW).split(".")
    for alg in ("none", "HS256", "", 7):
        stated = base64.urlsafe_b64encode(json.dumps({"alg": alg, "kid": "test"}).encode()).rstrip(b"=").decode()
        forged += [f"{stated}.{body}.", f"{stated}.{body}.AAAA"]
    forged += [f"{head}.{body}.", f"{head}.{body}", "", "a.b.c", "." * 40, "x" * 9000]
    nested = base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode()
    forged += [f"{nested}.{body}.AAAA", f"{head}.{nested}.AAAA"]
    for token in forged:
        with pytest.raises(TokenRefusedError):
            TRUSTED.verify(token, NOW)


@given(st.text(max_size=200))
def test_no_text_is_a_token(text) -> None:
    with pytest.raises(TokenRefusedError):
        TRUSTED.verify(text, NOW)


def test_an_altered_octet_is_seen() -> None:
    token = issue_token(NOW, roles=["approver"])
    for place in range(0, len(token), 7):
        if token[place] == "." or place == len(token) - 1:
            continue
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(TokenRefusedError):
            TRUSTED.verify(token[:place] + other + token[place + 1 :], NOW)


def test_no_token_makes_an_applicant_or_this_service() -> None:
    caller = TRUSTED.verify(issue_token(NOW, roles=["applicant", "system"]), NOW)
    assert caller.actor.roles == frozenset()


@pytest.mark.parametrize(
    ("where", "claims"),
    [
        ("roles", {"roles": ["auditor"]}),
        ("realm_access.roles", {"realm_access": {"roles": ["auditor"]}}),
    ],
)
def test_providers_keep_roles_in_several_places(where, claims) -> None:
    issuer = TokenIssuer(ISSUER, AUDIENCE, KeySet([KEY]), where)
    assert issuer.verify(issue_token(NOW, **claims), NOW).actor.roles == {Role.AUDITOR}


@pytest.mark.parametrize("roles", [None, "auditor", {"auditor": True}, [["auditor"]], 7])
def test_roles_of_another_form_are_none(roles) -> None:
    assert TRUSTED.verify(issue_token(NOW, roles=roles), NOW).actor.roles == frozenset()


@pytest.mark.parametrize(
    ("stated", "scopes"), [({"scope": "a b"}, {"a", "b"}), ({"scp": ["a", 1]}, {"a"}), ({}, set())]
)
def test_scopes(stated, scopes) -> None:
    assert TRUSTED.verify(issue_token(NOW, **stated), NOW).scopes == scopes


def test_a_subject_that_may_be_a_person_becomes_a_digest() -> None:
    caller = TRUSTED.verify(issue_token(NOW, sub="amina.specimen@example.test"), NOW)
    assert caller.actor.id.startswith("h.")
    assert "amina" not in caller.actor.id
    assert len(caller.actor.id) <= 64
    assert caller.actor.site is None
    again = TRUSTED.verify(issue_token(NOW, sub="amina.specimen@example.test"), NOW)
    assert again.actor.id == caller.actor.id


def settings(tmp_path: Path, keys: object, **given: object) -> Settings:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(keys))
    return Settings(tmp_path, issuer=ISSUER, jwks=str(path), **given)


def test_keys_out_of_a_file(tmp_path) -> None:
    encryption = {**RSAKey.generate_key(2048).as_dict(private=False), "use": "enc"}
    issuer = load_issuer(settings(tmp_path, {"keys": [KEY.as_dict(private=False), encryption]}))
    assert issuer.verify(issue_token(NOW), NOW).actor.id == "officer-1"
    with pytest.raises(GatewayError, match="cannot be read"):
        load_issuer(Settings(tmp_path, jwks=str(tmp_path / "none.json")))
    with pytest.raises(ProfileError, match="https"):
        load_issuer(Settings(tmp_path, jwks="http://id.example.test/jwks"))
    with pytest.raises(ProfileError, match="malformed"):
        load_issuer(Settings(tmp_path, jwks="https://id.example.test:port/jwks"))


def test_keys_are_looked_at_again(tmp_path) -> None:
    """One that the provider adds counts, one that he withdraws does not; while he is away those count that did."""
    fresh = ECKey.generate_key("P-256", {"kid": "fresh"})
    before, after = ({"keys": [key.as_dict(private=False)]} for key in (KEY, fresh))
    place = settings(tmp_path, before)
    issuer, stop = load_issuer(place), threading.Event()
    old, new = issue_token(NOW), issue_token(NOW, key=fresh, header={"kid": "fresh"})
    settings(tmp_path, after)
    with pytest.raises(TokenRefusedError):
        issuer.verify(new, NOW)
    thread = keep_renewing(issuer, place, 0.01, stop)
    for _ in range(6000):
        if issuer.keys.keys[0].kid == "fresh":
            break
        time.sleep(0.01)
    (tmp_path / "jwks.json").unlink()
    time.sleep(0.05)
    assert thread.is_alive()
    stop.set()
    thread.join()
    assert issuer.verify(new, NOW)
    with pytest.raises(TokenRefusedError):
        issuer.verify(old, NOW)


def test_keys_of_a_development_issuer_need_permission(tmp_path) -> None:
    stated = {"keys": [{**KEY.as_dict(private=False), "kid": f"{DEVELOPMENT}-1"}]}
    with pytest.raises(ProfileError, match="development issuer"):
        load_issuer(settings(tmp_path, stated))
    assert load_issuer(settings(tmp_path, stated, development=1))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": []}',
        b'{"keys": [1]}',
        b'{"keys": [{"kty": "EC"}]}',
        b"[" * 5000,
        b'{"keys": [{"kty": "oct", "k": "AAAA"}]}',
        json.dumps({"keys": [KEY.as_dict(private=True)]}).encode(),
        b'{"keys": [{"kty": "RSA", "use": "enc"}]}',
    ],
)
def test_what_is_no_key_set(raw) -> None:
    with pytest.raises(ProfileError):
        decode_keys(raw)


def test_the_own_number_is_kept_to_compare_only():
    """Of staff; what is there and is no number makes no token of it, lest the comparison falls away unseen."""
    actor = TRUSTED.verify(issue_token(NOW, personal_number="zz-123456"), NOW).actor
    assert actor.own is not None
    assert actor.own.is_of("ZZ123456")
    assert not actor.own.is_of("ZZ123457")
    assert not actor.own.is_of(None)
    assert "123456" not in repr(actor) + repr(actor.own)
    assert TRUSTED.verify(issue_token(NOW), NOW).actor.own is None
    for faulty in (123456, "", "- -", ["ZZ123456"]):
        with pytest.raises(TokenRefusedError):
            TRUSTED.verify(issue_token(NOW, personal_number=faulty), NOW)


def test_the_claim_of_the_number_is_settled():
    elsewhere = replace(TRUSTED, number_claim="citizen.number")
    actor = elsewhere.verify(issue_token(NOW, citizen={"number": "ZZ123456"}), NOW).actor
    assert actor.own is not None
    assert actor.own.is_of("ZZ123456")
