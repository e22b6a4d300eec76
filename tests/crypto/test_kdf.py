"""Key derivation and hash functions against published vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.hashes import HASH_ALGORITHMS, HASHES, digest, hash_algorithm
from eid.crypto.kdf import adjust_parity, derive_k_enc, derive_k_mac, derive_k_pi, derive_key, sp800_108
from eid.crypto.mac import cmac
from eid.errors import LocalProtocolError, Reason, VerificationError

VECTORS = Path(__file__).parents[1] / "vectors"
BAC = json.loads((VECTORS / "icao9303-11-D-bac.json").read_text())
PACE = json.loads((VECTORS / "icao9303-11-G1-pace-gm-ecdh.json").read_text())
SCP03 = json.loads((VECTORS / "scp03-kdf.json").read_text())

SHA_ABC = {  # FIPS 180 examples: the digest of "abc"
    "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "sha224": "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha384": "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    "sha512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
}


@pytest.mark.parametrize("name", SHA_ABC)
def test_digest(name: str) -> None:
    algorithm = hash_algorithm(name)
    assert digest(name, b"abc").hex() == SHA_ABC[name]
    assert algorithm.digest_length == len(digest(name, b"")) == algorithm.library.digest_size
    assert algorithm.library.name == name
    assert HASHES[name] is algorithm


def test_hash_table_is_complete() -> None:
    assert {algorithm.name for algorithm in HASH_ALGORITHMS} == set(SHA_ABC)


@pytest.mark.parametrize("name", ["md5", "SHA256", ""])
def test_unknown_hash(name: str) -> None:
    for call in (lambda: digest(name, b""), lambda: hash_algorithm(name)):
        with pytest.raises(VerificationError) as caught:
            call()
        assert caught.value.reason is Reason.ALGORITHM_UNSUPPORTED


def test_appendix_d_keys() -> None:
    kdf, authentication = BAC["kdf"], BAC["authentication"]
    seed, session_seed = bytes.fromhex(kdf["kseed"]), bytes.fromhex(authentication["kseed_session"])
    suite = CipherSuite.TDES_112
    assert derive_k_enc(suite, seed) == bytes.fromhex(kdf["kenc"])
    assert derive_k_mac(suite, seed) == bytes.fromhex(kdf["kmac"])
    assert derive_k_enc(suite, session_seed) == bytes.fromhex(authentication["ks_enc"])
    assert derive_k_mac(suite, session_seed) == bytes.fromhex(authentication["ks_mac"])


def test_appendix_g1_keys() -> None:
    secret = bytes.fromhex(PACE["shared_secret"])
    assert (
        derive_k_pi(CipherSuite.AES_128, bytes.fromhex(PACE["password"]["k"])).hex() == PACE["password"]["k_pi"].lower()
    )
    assert derive_k_enc(CipherSuite.AES_128, secret) == bytes.fromhex(PACE["ks_enc"])
    assert derive_k_mac(CipherSuite.AES_128, secret) == bytes.fromhex(PACE["ks_mac"])


@pytest.mark.parametrize(("suite", "hash_name"), [(CipherSuite.AES_192, "sha256"), (CipherSuite.AES_256, "sha256")])
def test_long_keys_come_from_sha256(suite: CipherSuite, hash_name: str) -> None:
    expected = digest(hash_name, b"secret" + b"nonce" + b"\x00\x00\x00\x01")[: suite.key_length]
    assert derive_k_enc(suite, b"secret", b"nonce") == expected


def test_counter_and_nonce_separate_keys() -> None:
    keys = {derive_key(CipherSuite.AES_128, b"s", counter, nonce) for counter in (1, 2, 3) for nonce in (b"", b"r")}
    assert len(keys) == 6


def test_derive_key_refuses() -> None:
    for secret, counter in ((b"", 1), (b"s", -1), (b"s", 1 << 32)):
        with pytest.raises(LocalProtocolError):
            derive_key(CipherSuite.AES_128, secret, counter)


def test_parity_is_odd_and_touches_the_lowest_bit_only() -> None:
    adjusted = adjust_parity(bytes(range(256)))
    assert all(octet.bit_count() % 2 == 1 for octet in adjusted)
    assert all(before & 0xFE == after & 0xFE for before, after in enumerate(adjusted))


@pytest.mark.parametrize("case", SCP03["cases"], ids=lambda case: f"constant-{case['constant']}")
def test_sp800_108(case: dict[str, str]) -> None:
    key, context, out = (bytes.fromhex(case[name]) for name in ("key", "context", "out"))
    assert sp800_108(lambda data: cmac(key, data), int(case["constant"], 16), context, 8 * len(out)) == out


def test_sp800_108_short_output_has_its_own_length_in_the_input() -> None:
    def prf(data: bytes) -> bytes:
        return cmac(bytes(16), data)

    assert (
        sp800_108(prf, 0, b"context", 64)
        == cmac(bytes(16), bytes(12) + b"\x00" + b"\x00\x40" + b"\x01" + b"context")[:8]
    )
    assert sp800_108(prf, 0, b"context", 64) != sp800_108(prf, 0, b"context", 128)[:8]


@pytest.mark.parametrize(("constant", "bits"), [(-1, 128), (256, 128), (4, 0), (4, 12), (4, 264)])
def test_sp800_108_refuses(constant: int, bits: int) -> None:
    with pytest.raises(LocalProtocolError):
        sp800_108(lambda data: cmac(bytes(16), data), constant, b"", bits)
