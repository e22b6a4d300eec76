"""Certificates of an invented issuer, made once for this directory."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.builders import issuer


@dataclass(frozen=True, slots=True)
class Chain:
    csca_key: issuer.Key
    csca: bytes
    ds_key: issuer.Key
    ds: bytes


@pytest.fixture(scope="session")
def chain() -> Chain:
    """CSCA on brainpoolP384r1, document signer on brainpoolP256r1, explicit parameters."""
    csca_key, ds_key = issuer.ec_key("brainpoolP384r1", "sha384"), issuer.ec_key("brainpoolP256r1")
    return Chain(csca_key, issuer.csca_certificate(csca_key), ds_key, issuer.ds_certificate(csca_key, ds_key))


@pytest.fixture(scope="session")
def named_chain() -> Chain:
    """CSCA on P-384, document signer on P-256, named curves."""
    csca_key, ds_key = issuer.ec_key("P-384", "sha384"), issuer.ec_key("P-256")
    csca = issuer.csca_certificate(csca_key, explicit=False)
    return Chain(csca_key, csca, ds_key, issuer.ds_certificate(csca_key, ds_key, explicit=False))
