"""Curves of prime order that no document standard names, as a chip would write them out."""

from __future__ import annotations

from eid.codec import der
from eid.codec.oid import EC_PUBLIC_KEY
from eid.codec.spki import EcParameters, encode_ec_parameters
from eid.crypto.curves import Curve, curve_by_name
from eid.lds.card_access import CardAccess
from eid.lds.security_infos import ID_PACE_ECDH_GM, PACEDomainParameterInfo, PACEInfo

OWN = 32  # the first identifier that is the chip's own (TR-03110-3 A.2.1.1)


def _known(name: str) -> Curve:
    curve = curve_by_name(name)
    if curve is None:
        raise LookupError(name)
    return curve


def _point(x: int, y: int, size: int) -> bytes:
    return b"\x04" + x.to_bytes(size, "big") + y.to_bytes(size, "big")


def isomorphic(name: str, u: int) -> EcParameters:
    """The image of a known curve under (x, y) -> (u^2 x, u^3 y): as sound, and equal to no curve that anybody knows."""
    curve = _known(name)
    p = curve.p
    x, y = curve.gx * u**2 % p, curve.gy * u**3 % p
    generator = _point(x, y, curve.coordinate_length)
    return EcParameters(p, curve.a * u**4 % p, curve.b * u**6 % p, generator, curve.n, 1)


MADE_UP = isomorphic("brainpoolP256r1", 0x5350454349_4D454E)

# ANSSI, Journal officiel 2011-10-16
FRP256V1 = EcParameters(
    p=0xF1FD178C0B3AD58F10126DE8CE42435B3961ADBCABC8CA6DE8FCF353D86E9C03,
    a=0xF1FD178C0B3AD58F10126DE8CE42435B3961ADBCABC8CA6DE8FCF353D86E9C00,
    b=0xEE353FCA5428A9300D4ABA754A44C00FDFEC0C9AE4B1A1803075ED967B7BB73F,
    generator=_point(
        0xB6B3D4C356C139EB31183D4749D423958C27D2DCAF98B70164C97A2DD98F5CFF,
        0x6142E0F7C8B204911F9271F0F3ECEF8C2701C307E8E4C9E183115A1554062CFB,
        32,
    ),
    n=0xF1FD178C0B3AD58F10126DE8CE42435B53DC67E140D2BF941FFDD459C6D655E1,
    h=1,
)

# SEC 2 2.4.1
SECP256K1 = EcParameters(
    p=2**256 - 2**32 - 977,
    a=0,
    b=7,
    generator=_point(
        0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
        32,
    ),
    n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    h=1,
)


def written_out(parameters: EcParameters) -> bytes:
    """AlgorithmIdentifier of explicit parameters."""
    return der.encode_sequence(der.encode_oid(EC_PUBLIC_KEY), encode_ec_parameters(parameters))


def card_access(parameters: EcParameters, mechanism: str = ID_PACE_ECDH_GM, arc: int = 2) -> CardAccess:
    """EF.CardAccess of a chip that runs PACE over them."""
    stated = PACEDomainParameterInfo(mechanism, written_out(parameters), OWN)
    return CardAccess((PACEInfo(f"{mechanism}.{arc}", 2, OWN), stated))
