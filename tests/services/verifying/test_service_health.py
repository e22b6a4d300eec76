"""A verifier whose clock or revocation lists do not let it judge says so before anybody asks for a verdict."""

from __future__ import annotations

from datetime import timedelta

from eid.pki.trust_store import TrustStore, build_trust_store
from eid.services.verifying.service_health import Impairment, ServiceHealth, judge_health
from tests.builders import issuer
from tests.builders import trust_lists as lists


def trusting(*crls: bytes, key: issuer.Key) -> TrustStore:
    other = lists.publisher("FI")
    authorities = [issuer.csca_certificate(key), other.csca]
    return build_trust_store(authorities, [*crls, issuer.crl(other.csca_key, issuer=lists.state_name("FI"), days=40)])


def test_health() -> None:
    key = issuer.ec_key()
    trust = trusting(issuer.crl(key, days=80), key=key)
    made = issuer.NOT_BEFORE
    assert judge_health(trust, made + timedelta(days=30)) == ServiceHealth()
    assert judge_health(trust, made + timedelta(days=60)) == ServiceHealth((), ("FI",))
    late = judge_health(trust, made + timedelta(days=90))
    assert late == ServiceHealth((Impairment.CRLS_STALE,), ("FI", "UT"))
    assert judge_health(trust, made - timedelta(hours=23)) == ServiceHealth()
    assert judge_health(trust, made - timedelta(hours=25)) == ServiceHealth((Impairment.CLOCK_BEHIND,))


def test_without_any_crl() -> None:
    key = issuer.ec_key()
    foreign = issuer.crl(issuer.ec_key())  # no authority signed it: it counts for nothing
    trust = build_trust_store([issuer.csca_certificate(key)], [foreign])
    assert judge_health(trust, issuer.NOT_BEFORE) == ServiceHealth((Impairment.CRLS_MISSING,))
