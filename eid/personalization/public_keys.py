"""The public keys that the card generated, as SubjectPublicKeyInfo (ISO/IEC 7816-8 5.2, TR-03110-3 D.3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from eid.codec.oid import decode_oid_content
from eid.codec.spki import encode_ec_spki, encode_rsa_spki
from eid.codec.tlv import decode_tlv, find_tlv, require_tlv
from eid.crypto.curves import curve_by_oid
from eid.crypto.points import decode_point
from eid.crypto.public_key import explicit_parameters
from eid.errors import DecodeError, PeerProtocolError
from eid.profile.card_image import KeyImage, KeyPurpose

PUBLIC_KEY: Final = 0x7F49
OBJECT_IDENTIFIER: Final = 0x06
MODULUS: Final = 0x81
EXPONENT: Final = 0x82
POINT: Final = 0x86


def collect_public_keys(
    products: Mapping[str, bytes], *, explicit: bool, orders: Iterable[KeyImage] = ()
) -> dict[KeyPurpose, bytes]:
    """The card's public keys by purpose.

    Args:
        products: what `apply` returned: the public key template of each key, by the purpose's name.
        explicit: write EC domain parameters out (Doc 9303-12 4.1.6.3).
        orders: what keys the card was told to make; a key on another curve or of another size is refused.

    Raises:
        PeerProtocolError: the card answered something that is no public key, or not the one that was ordered.
    """
    keys = {}
    ordered = {order.purpose: order.algorithm.parameter for order in orders}
    for purpose in KeyPurpose:
        template = products.get(purpose.value)
        if template is not None:
            try:
                keys[purpose] = _decode_public_key(template, ordered.get(purpose), explicit=explicit)
            except DecodeError as error:
                raise PeerProtocolError(f"the card's {purpose} key: {error}") from error
    return keys


def _decode_public_key(template: bytes, ordered: str | None, *, explicit: bool) -> bytes:
    objects = decode_tlv(template, PUBLIC_KEY).children()
    modulus = find_tlv(objects, MODULUS)
    if modulus is not None and find_tlv(objects, POINT) is None:
        exponent = require_tlv(objects, EXPONENT).value
        number = int.from_bytes(modulus.value, "big")
        if ordered not in (None, str(number.bit_length())):
            raise DecodeError(f"an RSA key of {number.bit_length()} bits where {ordered} was ordered")
        return encode_rsa_spki(number, int.from_bytes(exponent, "big"))
    curve = curve_by_oid(decode_oid_content(require_tlv(objects, OBJECT_IDENTIFIER).value))
    if curve is None:
        raise DecodeError("the public key is on a curve this system does not know")
    if ordered not in (None, curve.name):
        raise DecodeError(f"a key on {curve.name} where {ordered} was ordered")
    point = require_tlv(objects, POINT).value
    decode_point(curve, point)  # on the curve, or refused
    return encode_ec_spki(explicit_parameters(curve) if explicit else curve.oid, point)
