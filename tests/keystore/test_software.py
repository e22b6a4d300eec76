from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.errors import KeyStoreError
from eid.keystore.algorithm import choose_algorithm, rsa_algorithm
from eid.keystore.pkcs8 import (
    BEGIN,
    END,
    MAX_FILE,
    ScryptCost,
    decrypt_private_key_info,
    encrypt_private_key_info,
)
from eid.keystore.software import SoftwareKeyStore
from tests.builders.sweep import examples

CHEAP = ScryptCost(n=1 << 4)
PASSPHRASE = b"SPECIMEN passphrase"
INFO = der.encode_sequence(der.encode_octet_string(b"not really a key"))


def pkcs8(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_files_are_the_owners_alone(software_store: SoftwareKeyStore, tmp_path: Path) -> None:
    software_store.generate_ec("one", "P-256")
    software_store.generate_master_key("two")
    directory = tmp_path / "keys"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert sorted(path.name for path in directory.iterdir()) == ["one.key.pem", "two.master.pem"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}
    assert software_store.labels() == ("one",)


def test_another_passphrase_opens_nothing(software_store: SoftwareKeyStore, tmp_path: Path) -> None:
    software_store.generate_ec("one", "P-256")
    other = SoftwareKeyStore(tmp_path / "keys", lambda: b"another", cost=CHEAP)
    with pytest.raises(KeyStoreError, match="passphrase"):
        other.load("one")
    asked = SoftwareKeyStore(tmp_path / "keys", lambda: PASSPHRASE, cost=CHEAP)
    assert asked.load("one").public_key_info == software_store.load("one").public_key_info
    with pytest.raises(KeyStoreError, match="empty"):
        SoftwareKeyStore(tmp_path / "keys", b"").generate_ec("two", "P-256")


def test_files_and_directories_open_to_others_are_refused(software_store: SoftwareKeyStore, tmp_path: Path) -> None:
    software_store.generate_ec("one", "P-256")
    path = tmp_path / "keys" / "one.key.pem"
    path.chmod(0o640)
    with pytest.raises(KeyStoreError, match="open to others"):
        software_store.load("one")
    path.chmod(0o600)
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(KeyStoreError, match="open to others"):
        SoftwareKeyStore(tmp_path / "keys", PASSPHRASE)


def test_what_is_no_plain_file_of_reasonable_size_is_refused(software_store: SoftwareKeyStore, tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    (directory / "link.key.pem").symlink_to(directory / "one.key.pem")
    (directory / "folder.key.pem").mkdir(mode=0o700)
    big = directory / "big.key.pem"
    big.write_bytes(b"x" * (MAX_FILE + 1))
    big.chmod(0o600)
    for label in ("link", "folder", "big"):
        with pytest.raises(KeyStoreError):
            software_store.load(label)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "file").chmod(0o600)
    for place in (tmp_path / "file", tmp_path / "no" / "such"):
        with pytest.raises(KeyStoreError):
            SoftwareKeyStore(place, PASSPHRASE)


def test_a_failed_write_leaves_nothing_behind(software_store: SoftwareKeyStore, tmp_path: Path) -> None:
    software_store.generate_ec("one", "P-256")
    before = sorted((tmp_path / "keys").iterdir())
    with pytest.raises(KeyStoreError, match="already"):
        software_store.generate_ec("one", "P-256")
    assert sorted((tmp_path / "keys").iterdir()) == before


def test_a_key_from_elsewhere_is_kept(software_store: SoftwareKeyStore) -> None:
    key = ec.generate_private_key(ec.BrainpoolP256R1())
    signer = software_store.store("imported", pkcs8(key))
    assert signer.public_key_info == software_store.load("imported").public_key_info
    for junk in (b"", b"\x30\x00", pkcs8(ed25519.Ed25519PrivateKey.generate())):
        with pytest.raises(KeyStoreError):
            software_store.store("junk", junk)
    with pytest.raises(KeyStoreError, match="label"):
        software_store.store("../junk", pkcs8(key))


def test_a_signature_key_is_no_master_key_and_the_other_way_round(
    software_store: SoftwareKeyStore, tmp_path: Path
) -> None:
    software_store.generate_ec("one", "P-256")
    software_store.generate_master_key("two")
    directory = tmp_path / "keys"
    (directory / "one.key.pem").rename(directory / "one.master.pem")
    (directory / "two.master.pem").rename(directory / "two.key.pem")
    with pytest.raises(KeyStoreError, match="not a master key"):
        software_store.load_master_key("one")
    with pytest.raises(KeyStoreError):
        software_store.load("two")


def test_curves_that_the_library_lacks_are_refused(software_store: SoftwareKeyStore) -> None:
    with pytest.raises(KeyStoreError, match="brainpoolP320r1"):
        software_store.generate_ec("one", "brainpoolP320r1")


def test_openssl_and_the_library_read_our_files(
    software_store: SoftwareKeyStore, tmp_path: Path, require_tool: Callable[[str], Path]
) -> None:
    signer = software_store.generate_ec("one", "brainpoolP384r1")
    path = tmp_path / "keys" / "one.key.pem"
    openssl = require_tool("openssl")
    result = subprocess.run(
        [openssl, "pkey", "-in", path, "-passin", "stdin", "-pubout", "-outform", "DER"],
        input=PASSPHRASE,
        capture_output=True,
        check=True,
    )
    assert result.stdout == signer.public_key_info
    loaded = serialization.load_pem_private_key(path.read_bytes(), PASSPHRASE)
    assert isinstance(loaded, ec.EllipticCurvePrivateKey)


def test_we_read_what_openssl_encrypts_with_scrypt(
    software_store: SoftwareKeyStore, tmp_path: Path, require_tool: Callable[[str], Path]
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "plain.der").write_bytes(pkcs8(key))
    command = [
        require_tool("openssl"), "pkcs8", "-topk8", "-scrypt", "-v2", "aes-256-cbc", "-passout", "pass:x",
        "-inform", "DER", "-in", tmp_path / "plain.der",
    ]  # fmt: skip
    pem = subprocess.run(command, capture_output=True, check=True).stdout
    assert decrypt_private_key_info(pem, b"x") == pkcs8(key)


def test_encryption_round_trip_and_cost() -> None:
    assert ScryptCost() == ScryptCost(n=32768, r=8, p=1)
    pem = encrypt_private_key_info(INFO, b"x", CHEAP)
    assert pem.startswith(BEGIN)
    assert pem.endswith(END)
    assert decrypt_private_key_info(pem, b"x") == INFO
    assert encrypt_private_key_info(INFO, b"x", CHEAP) != pem
    with pytest.raises(KeyStoreError, match="wrong"):
        decrypt_private_key_info(pem, b"y")


@pytest.mark.parametrize(
    "cost", [ScryptCost(n=1 << 22), ScryptCost(n=16, r=1 << 20), ScryptCost(n=2, p=17), ScryptCost(n=2, r=3)]
)
def test_a_file_cannot_make_us_work_without_end(cost: ScryptCost) -> None:
    good = encrypt_private_key_info(INFO, b"x", ScryptCost(n=16, r=8, p=1))
    assert decrypt_private_key_info(good, b"x") == INFO
    forged = rewrite_cost(good, cost)
    with pytest.raises(KeyStoreError):
        decrypt_private_key_info(forged, b"x")


def rewrite_cost(pem: bytes, cost: ScryptCost) -> bytes:
    import base64

    raw = base64.b64decode(pem[len(BEGIN) : -len(END)])
    old = b"".join(der.encode_integer(number) for number in (16, 8, 1, 32))
    new = b"".join(der.encode_integer(number) for number in (cost.n, cost.r, cost.p, 32))
    assert old in raw
    salt_start = raw.index(old) - 18
    scrypt_old = der.encode_sequence(raw[salt_start : salt_start + 18] + old)
    scrypt_new = der.encode_sequence(raw[salt_start : salt_start + 18] + new)
    oid = der.encode_oid("1.3.6.1.4.1.11591.4.11")
    kdf_old, kdf_new = der.encode_sequence(oid, scrypt_old), der.encode_sequence(oid, scrypt_new)
    start = raw.index(kdf_old)
    cipher_and_rest = raw[start + len(kdf_old) :]
    cipher_length = 2 + cipher_and_rest[1]
    cipher, data = cipher_and_rest[:cipher_length], cipher_and_rest[cipher_length:]
    algorithm = der.encode_sequence(der.encode_oid("1.2.840.113549.1.5.13"), der.encode_sequence(kdf_new, cipher))
    return BEGIN + base64.b64encode(der.encode_sequence(algorithm, data)) + b"\n" + END


@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_damaged_files_are_refused(data: st.DataObject) -> None:
    import base64

    pem = encrypt_private_key_info(INFO, b"x", CHEAP, lambda size: bytes(size))
    raw = bytearray(base64.b64decode(pem[len(BEGIN) : -len(END)]))
    place = data.draw(st.integers(0, len(raw) - 49))  # the last blocks are not authenticated: they may decrypt
    raw[place] ^= data.draw(st.integers(1, 255))
    forged = BEGIN + base64.b64encode(bytes(raw)) + b"\n" + END
    try:
        decrypt_private_key_info(forged, b"x")
    except KeyStoreError:
        return
    pytest.fail("a damaged file was accepted")


@pytest.mark.parametrize(
    "pem", [b"", BEGIN + END, BEGIN + b"!!!!\n" + END, BEGIN + b"MAA=\n" + END, b"x" * (MAX_FILE + 1)]
)
def test_what_is_no_pem_block_is_refused(pem: bytes) -> None:
    with pytest.raises(KeyStoreError):
        decrypt_private_key_info(pem, b"x")


def test_algorithms_of_unknown_keys_and_schemes_are_refused() -> None:
    ed = ed25519.Ed25519PrivateKey.generate().public_key()
    info = ed.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for raw in (info, b"junk"):
        with pytest.raises(KeyStoreError, match="unknown type"):
            choose_algorithm(raw, None)
    with pytest.raises(KeyStoreError, match="scheme"):
        rsa_algorithm("rsa-oaep")
    with pytest.raises(KeyStoreError, match="hash"):
        rsa_algorithm("rsa-pss", "md5")
