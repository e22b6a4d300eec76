"""Fetching what a policy names: believed for its signature, never for where it came from."""

from __future__ import annotations

import shutil
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from eid.codec import extension_builders as build
from eid.errors import GatewayError, LifecycleError, ProfileError
from eid.gateways.http import Location
from eid.services.trust import decisions
from eid.services.trust.fetch import fetch_trust
from eid.services.trust.files import load_trust_store
from eid.services.trust.imports import import_trust
from eid.services.trust.views import list_trust
from tests.builders import issuer as made
from tests.builders import trust_lists as lists

NOW = lists.SIGNED_AT + timedelta(days=30)
POLICY = """
format = "eid-trust-policy"
version = 1
[fetch]
hosts = ["pkd.example.org"]
locations = ["https://pkd.example.org/list.ml?x=1", "http://pkd.example.org:8080/ut.crl"]
"""


@pytest.fixture(scope="module")
def owner() -> lists.Publisher:
    return lists.publisher("UT")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, owner: lists.Publisher) -> Path:
    folder = tmp_path_factory.mktemp("template")
    (folder / "pin.cer").write_bytes(owner.csca)
    (item,) = import_trust(folder / "store", [folder / "pin.cer"], unsigned=False, now=NOW).items
    decisions.pin_anchors(folder / "store", [item.fingerprint], NOW)
    (folder / "store" / "trust.toml").write_text(POLICY)
    return folder / "store"


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "store"))


class Server:
    """Files by their path; it notes what it was asked."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.asked: list[Location] = []

    def __call__(self, location: Location) -> bytes:
        self.asked.append(location)
        name = location.target.split("?")[0].strip("/").replace(".", "_")
        if name not in self.files:
            raise GatewayError(f"{location.host} answered with status 404")
        return self.files[name]


def test_all_that_is_configured(store: Path, owner: lists.Publisher) -> None:
    server = Server(list_ml=owner.master_list(lists.sound(2)))
    first, second = fetch_trust(store, now=NOW, fetch_file=server)
    assert first.report is not None
    assert first.report.counts == {"CSCA": 2}
    assert (second.report, second.failure) == (None, "pkd.example.org answered with status 404")
    assert server.asked == [
        Location("https", "pkd.example.org", 443, "/list.ml?x=1"),
        Location("http", "pkd.example.org", 8080, "/ut.crl"),
    ]
    assert len(load_trust_store(store).anchors) == 3


def test_a_bare_authority_from_the_network_is_held(store: Path) -> None:
    """The operator named a host, not this certificate."""
    bare = lists.state_csca(made.ec_key(), "MA")
    (item,) = fetch_trust(store, ["http://pkd.example.org/x"], now=NOW, fetch_file=Server(x=bare))
    assert item.report is not None
    assert item.report.held == 1
    assert bare not in {anchor.raw for anchor in load_trust_store(store).anchors}


def test_what_comes_is_judged(store: Path, owner: lists.Publisher) -> None:
    stranger = lists.publisher("UT").master_list(lists.sound(1))
    for raw in (stranger, b"junk", b""):
        (item,) = fetch_trust(store, ["http://pkd.example.org/x"], now=NOW, fetch_file=Server(x=raw))
        assert item.report is None
        assert item.failure
    assert len(list_trust(store).certificates) == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://other.example.org/x",
        "http://pkd.example.org.evil.example/x",
        "http://pkd.example.org@evil.example/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "gopher://pkd.example.org/x",
        "pkd.example.org/x",
        "http://pkd.example.org/a b",
        "http://pkd.example.org/\r\nHost: x",
    ],
)
def test_only_configured_hosts(store: Path, location: str) -> None:
    server = Server()
    with pytest.raises(LifecycleError):
        fetch_trust(store, [location], now=NOW, fetch_file=server)
    assert server.asked == []


def test_nothing_configured(store: Path) -> None:
    (store / "trust.toml").unlink()
    with pytest.raises(LifecycleError, match="names no location"):
        fetch_trust(store, now=NOW, fetch_file=Server())
    (store / "trust.toml").write_text("junk")
    with pytest.raises(ProfileError):
        fetch_trust(store, now=NOW, fetch_file=Server())


def test_a_location_in_a_certificate_is_never_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched because a certificate says so: not at its import, not when the store is loaded."""
    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, lambda *_, **__: pytest.fail("the network was asked"))
    key = made.ec_key()
    lure = build.crl_distribution_points(("http://169.254.169.254/latest/meta-data", "ldap://127.0.0.1/c=UT"))
    path = tmp_path / "csca.cer"
    path.write_bytes(lists.state_csca(key, "UT", extensions=(*made.csca_extensions(key), lure)))
    import_trust(tmp_path / "store", [path], unsigned=False, now=NOW)
    assert len(load_trust_store(tmp_path / "store").anchors) == 1
