from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.ports import KeyStore
from eid.keystore.software import SoftwareKeyStore

CHEAP = ScryptCost(n=1 << 4)
PASSPHRASE = b"SPECIMEN passphrase"


@pytest.fixture(scope="session")
def token_store(softhsm_token) -> Iterator[KeyStore]:
    from eid.keystore.pkcs11 import Pkcs11KeyStore

    with Pkcs11KeyStore(str(softhsm_token.module), softhsm_token.label, softhsm_token.pin) as store:
        yield store


@pytest.fixture
def software_store(tmp_path: Path) -> SoftwareKeyStore:
    return SoftwareKeyStore(tmp_path / "keys", PASSPHRASE, cost=CHEAP)


@pytest.fixture(params=["software", "pkcs11"])
def store(request: pytest.FixtureRequest) -> KeyStore:
    """Both stores: what holds for one must hold for the other."""
    name = "software_store" if request.param == "software" else "token_store"
    found: KeyStore = request.getfixturevalue(name)
    return found


@pytest.fixture
def fresh_label() -> Callable[[], str]:
    """Labels that no earlier test took: the token lives as long as the process."""
    return lambda: f"key-{secrets.token_hex(6)}"
