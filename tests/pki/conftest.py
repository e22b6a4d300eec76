from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.ports import KeyStore
from eid.keystore.software import SoftwareKeyStore
from tests.builders.authority import Authority, build_authority, fresh_label


@pytest.fixture(scope="session")
def software_store(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    directory: Path = tmp_path_factory.mktemp("pki") / "keys"
    return SoftwareKeyStore(directory, b"SPECIMEN passphrase", cost=ScryptCost(n=16))


@pytest.fixture(scope="session")
def token_store(softhsm_token) -> Iterator[KeyStore]:
    from eid.keystore.pkcs11 import Pkcs11KeyStore

    with Pkcs11KeyStore(str(softhsm_token.module), softhsm_token.label, softhsm_token.pin) as store:
        yield store


@pytest.fixture(params=["software", "pkcs11"])
def store(request: pytest.FixtureRequest) -> KeyStore:
    """Both stores: an authority must not notice which one holds its keys."""
    found: KeyStore = request.getfixturevalue("software_store" if request.param == "software" else "token_store")
    return found


@pytest.fixture(scope="session", params=["explicit", "named"])
def authority(request: pytest.FixtureRequest, software_store: KeyStore) -> Authority:
    return build_authority(
        software_store.generate_ec(fresh_label(), "brainpoolP384r1"),
        software_store.generate_ec(fresh_label(), "brainpoolP256r1"),
        explicit=request.param == "explicit",
    )
