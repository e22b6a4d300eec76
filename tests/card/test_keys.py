"""Orders for keys, keys brought along, and what of either the chip refuses."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.card.keys import (
    KeyOrder,
    decode_key_order,
    decode_reference,
    encode_public_key,
    generate_key,
    import_key,
    key_pair,
)
from eid.codec.oid import encode_oid_content
from eid.codec.status_word import SW
from eid.codec.tlv import decode_tlvs, encode_tlv
from eid.errors import CommandRefused, DecodeError
from eid.profile.card_image import KeyAlgorithm, KeyPurpose
from tests.builders.rsa_keys import rsa_private_key

SECP256K1 = "1.3.132.0.10"
ACTIVE = KeyPurpose.ACTIVE_AUTHENTICATION
RSA = KeyOrder(ACTIVE, 1, KeyAlgorithm("rsa", "2048"))
EC = KeyOrder(ACTIVE, 1, KeyAlgorithm("ec", "P-256"))


def order(**changed: bytes | None) -> bytes:
    """The data objects of a good order, with some replaced or (None) left out."""
    good = decode_tlvs(EC.encode())
    values = {item.tag: item.value for item in good} | {int(tag[1:], 16): value for tag, value in changed.items()}
    return b"".join(encode_tlv(tag, value) for tag, value in values.items() if value is not None)


def pkcs8(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("made", [RSA, EC], ids=["RSA", "EC"])
def test_orders_come_back_as_they_were(made: KeyOrder) -> None:
    assert decode_key_order(decode_tlvs(made.encode())) == made


@pytest.mark.parametrize(
    "changed",
    [{"t80": b"\xee"}, {"t80": b"\x01\x02"}, {"t82": b"\xee"}, {"t06": encode_oid_content(SECP256K1)}],
    ids=["algorithm", "algorithm of two octets", "hash", "curve"],
)
def test_what_the_chip_does_not_know_is_refused(changed: dict[str, bytes]) -> None:
    with pytest.raises(CommandRefused, match="know") as refusal:
        decode_key_order(decode_tlvs(order(**changed)))
    assert refusal.value.sw == SW.FUNCTION_NOT_SUPPORTED


def test_rsa_keys_of_odd_lengths_are_refused() -> None:
    objects = tuple(item for item in decode_tlvs(RSA.encode()) if item.tag != 0x81)
    with pytest.raises(CommandRefused, match="this length") as refusal:
        decode_key_order((*objects, *decode_tlvs(encode_tlv(0x81, (1000).to_bytes(2, "big")))))
    assert refusal.value.sw == SW.FUNCTION_NOT_SUPPORTED


@pytest.mark.parametrize("value", [b"\x00", b"\x20", b"\x01\x01", None])
def test_key_references_are_one_octet_of_five_bits(value: bytes | None) -> None:
    with pytest.raises(DecodeError):
        decode_reference(decode_tlvs(order(t84=value)))


def test_an_order_on_an_unknown_curve_is_neither_written_nor_obeyed() -> None:
    unknown = KeyOrder(ACTIVE, 1, KeyAlgorithm("ec", "P-255"))
    with pytest.raises(DecodeError, match="no curve"):
        unknown.encode()
    with pytest.raises(CommandRefused, match="curve") as refusal:
        generate_key(unknown, bytes)
    assert refusal.value.sw == SW.FUNCTION_NOT_SUPPORTED


def test_keys_brought_along_must_be_what_was_announced() -> None:
    one = ec.generate_private_key(ec.SECP256R1())
    assert encode_public_key(import_key(EC, pkcs8(one))).startswith(b"\x7f\x49")
    for other in (ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP256K1())):
        with pytest.raises(DecodeError, match="announced"):
            import_key(EC, pkcs8(other))
    with pytest.raises(DecodeError, match="neither RSA nor on a curve"):
        import_key(EC, pkcs8(ed25519.Ed25519PrivateKey.generate()))
    with pytest.raises(DecodeError, match="PKCS#8"):
        import_key(EC, b"\x30\x00")


def test_rsa_keys_agree_on_nothing() -> None:
    stored = import_key(RSA, pkcs8(rsa_private_key(2048)))
    template = decode_tlvs(encode_public_key(stored))[0].children()
    assert [item.tag for item in template] == [0x81, 0x82]
    assert (len(template[0].value), template[1].value) == (256, b"\x01\x00\x01")
    with pytest.raises(DecodeError, match="not on a known curve"):
        key_pair(stored)
