from __future__ import annotations

import pytest
from asn1crypto import algos
from hypothesis import given
from hypothesis import strategies as st

from eid.codec import algorithm, der, oid
from eid.codec.algorithm import AlgorithmIdentifier, PssParameters, decode_algorithm, decode_pss_parameters
from eid.codec.defect import Defect, DefectCode
from eid.errors import DecodeError

NULL = der.encode_null()
HASHES = tuple(oid.HASH_LENGTHS)


@pytest.mark.parametrize("hash_name", HASHES)
def test_identifiers_as_asn1crypto_reads_them(hash_name: str) -> None:
    ecdsa = algos.SignedDigestAlgorithm.load(algorithm.ecdsa_identifier(hash_name).encode())
    rsa = algos.SignedDigestAlgorithm.load(algorithm.rsa_identifier(hash_name).encode())
    pss = algos.SignedDigestAlgorithm.load(algorithm.pss_identifier(hash_name).encode())
    assert (ecdsa.signature_algo, ecdsa.hash_algo) == ("ecdsa", hash_name)
    assert (rsa.signature_algo, rsa.hash_algo) == ("rsassa_pkcs1v15", hash_name)
    assert (pss.signature_algo, pss.hash_algo) == ("rsassa_pss", hash_name)
    assert pss["parameters"]["salt_length"].native == oid.HASH_LENGTHS[hash_name]
    assert pss["parameters"]["mask_gen_algorithm"]["parameters"]["algorithm"].native == hash_name
    assert algos.DigestAlgorithm.load(algorithm.digest_identifier(hash_name).encode())["algorithm"].native == hash_name


@given(st.sampled_from(HASHES), st.sampled_from(HASHES), st.integers(0, 65535))
def test_pss_parameters_round_trip(hash_name: str, mgf_hash_name: str, salt_length: int) -> None:
    parameters = PssParameters(hash_name, mgf_hash_name, salt_length)
    assert decode_pss_parameters(algorithm.encode_pss_parameters(parameters)) == parameters


def test_pss_parameters_of_a_worked_example() -> None:
    # EF.CardSecurity of the EAC worked example: SHA-256, MGF1 with SHA-256, salt of 32 octets
    raw = bytes.fromhex(
        "3034A00F300D06096086480165030402010500A11C301A06092A864886F70D010108300D06096086480165030402010500A203020120"
    )
    assert decode_pss_parameters(raw) == PssParameters("sha256", "sha256", 32)
    assert algorithm.encode_pss_parameters(PssParameters("sha256", "sha256", 32)) == raw


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3003a3010102", "follow|due|past"),
        ("3005a303020102", "trailerField is not 1"),
        ("3006a20402027fff00", "past|follow"),
        ("3007a205020300ffff", None),
        ("3007a2050203010000", "over 65535"),
        ("300aa203020120a203020120", "unexpected field"),
        ("300aa303020101a203020120", "unexpected field"),
        ("3002a400", "unexpected field"),
        ("3011a00f300d06096086480165030402090500", "unknown hash"),
        ("300fa10d300b06092a864886f70d010109", "not MGF1"),
    ],
)
def test_malformed_pss_parameters(text: str, message: str | None) -> None:
    raw = bytes.fromhex(text)
    if message is None:
        assert decode_pss_parameters(raw).salt_length == 65535
        return
    with pytest.raises(DecodeError, match=message):
        decode_pss_parameters(raw)


def test_pss_defaults_are_not_written_out_in_der() -> None:
    sha1 = algorithm.hash_identifier("sha1").encode()
    raw = der.encode_sequence(der.encode_explicit(0, sha1), der.encode_explicit(3, der.encode_integer(1)))
    with pytest.raises(DecodeError, match="default is written out"):
        decode_pss_parameters(raw)
    defects: list[Defect] = []
    assert decode_pss_parameters(raw, defects) == PssParameters()
    assert [item.code for item in defects] == [DefectCode.ENCODED_DEFAULT] * 2
    assert algorithm.encode_pss_parameters(PssParameters()) == bytes.fromhex("3000")


@pytest.mark.parametrize("name", [oid.SHA256, oid.SHA256_WITH_RSA, oid.RSA_ENCRYPTION])
def test_null_or_nothing(name: str) -> None:
    for parameters in (None, NULL):
        assert decode_algorithm(AlgorithmIdentifier(name, parameters).encode()) == AlgorithmIdentifier(name, parameters)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [(oid.ECDSA_WITH_SHA256, NULL), (oid.SHA256, b"\x04\x00"), (oid.SHA256_WITH_RSA, b"\x30\x00")],
)
def test_parameters_that_the_algorithm_does_not_have(name: str, parameters: bytes) -> None:
    raw = AlgorithmIdentifier(name, parameters).encode()
    with pytest.raises(DecodeError, match="wrong parameters"):
        decode_algorithm(raw)
    defects: list[Defect] = []
    assert decode_algorithm(raw, defects=defects).parameters == parameters
    assert [item.code for item in defects] == [DefectCode.ALGORITHM_PARAMETERS]


def test_unknown_algorithm_keeps_its_parameters() -> None:
    identifier = AlgorithmIdentifier("1.2.3.4", bytes.fromhex("020105"))
    assert decode_algorithm(identifier.encode()) == identifier
    with pytest.raises(DecodeError, match="follow"):
        decode_algorithm(AlgorithmIdentifier("1.2.3.4", NULL + NULL).encode())
    with pytest.raises(DecodeError, match="follow"):
        decode_algorithm(identifier.encode() + b"\x00")


@given(st.binary(max_size=80))
def test_any_octets(raw: bytes) -> None:
    for decode in (decode_algorithm, decode_pss_parameters):
        for data in (raw, der.encode_sequence(raw)):
            try:
                decode(data)
            except DecodeError:
                continue
