"""The template writes what the parts write, for every kind of signer, algorithm and time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import cms, der, oid
from eid.codec.algorithm import AlgorithmIdentifier, digest_identifier, ecdsa_identifier, pss_identifier
from eid.codec.cms_template import SignedDataTemplate

NAME = der.encode_sequence()
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=1))])
times = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=ZONES)  # noqa: DTZ001 the zone is drawn


def by_parts(
    content_type: str,
    signer: tuple[bytes, int] | bytes,
    hash_name: str,
    algorithm: AlgorithmIdentifier,
    certificates: tuple[bytes, ...],
    content: bytes,
    time: datetime,
    signature: bytes,
) -> bytes:
    attributes = cms.encode_signed_attributes(content_type, bytes(oid.HASH_LENGTHS[hash_name]), time)
    info = cms.encode_signer_info(
        signer=signer,
        digest_algorithm=digest_identifier(hash_name),
        signed_attributes=attributes,
        signature_algorithm=algorithm,
        signature=signature,
    )
    return cms.encode_signed_data(
        content_type=content_type,
        content=content,
        digest_algorithm=digest_identifier(hash_name),
        certificates=certificates,
        signer_info=info,
    )


@given(
    content_type=st.sampled_from([oid.LDS_SECURITY_OBJECT, oid.CSCA_MASTER_LIST, oid.SECURITY_OBJECT]),
    signer=st.binary(min_size=1, max_size=64) | st.tuples(st.just(NAME), st.integers(1, 1 << 159)),
    hash_name=st.sampled_from(list(oid.HASH_LENGTHS)),
    pss=st.booleans(),
    certificates=st.sets(st.binary(max_size=300).map(der.encode_octet_string), min_size=1, max_size=3),
    content=st.binary(max_size=70_000),
    time=times,
    signature=st.binary(max_size=600),
)
def test_the_same_octets(
    content_type: str,
    signer: tuple[bytes, int] | bytes,
    hash_name: str,
    pss: bool,
    certificates: set[bytes],
    content: bytes,
    time: datetime,
    signature: bytes,
) -> None:
    algorithm = pss_identifier(hash_name) if pss else ecdsa_identifier(hash_name)
    given_certificates = tuple(certificates)
    template = SignedDataTemplate.build(
        content_type=content_type,
        signer=signer,
        digest_algorithm=digest_identifier(hash_name),
        signature_algorithm=algorithm,
        certificates=given_certificates,
    )
    attributes = template.encode_attributes(bytes(oid.HASH_LENGTHS[hash_name]), time)
    assert template.encode(content, attributes, signature) == by_parts(
        content_type, signer, hash_name, algorithm, given_certificates, content, time, signature
    )


def test_a_time_without_its_zone_is_the_callers_mistake() -> None:
    algorithm = digest_identifier("sha256")
    template = SignedDataTemplate.build(
        content_type=oid.LDS_SECURITY_OBJECT,
        signer=b"\x01",
        digest_algorithm=algorithm,
        signature_algorithm=algorithm,
        certificates=(),
    )
    with pytest.raises(ValueError, match="zone"):
        template.encode_attributes(bytes(32), datetime(2026, 1, 1))  # noqa: DTZ001
