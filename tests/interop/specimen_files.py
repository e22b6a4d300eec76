"""Data groups and the LDS security object of an invented person, octet by octet: nothing here is the product's code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

HASH_OIDS = {
    "sha1": bytes.fromhex("06052b0e03021a"),
    "sha224": bytes.fromhex("0609608648016503040204"),
    "sha256": bytes.fromhex("0609608648016503040201"),
    "sha384": bytes.fromhex("0609608648016503040202"),
    "sha512": bytes.fromhex("0609608648016503040203"),
}


def tlv(tag: str, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        length = bytes((size,))
    else:
        octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes((0x80 | len(octets),)) + octets
    return bytes.fromhex(tag) + length + content


def check_digit(text: str) -> str:
    """Doc 9303-3 4.9: weights 7, 3, 1."""
    total = sum(int(letter, 36) * (7, 3, 1)[index % 3] for index, letter in enumerate(text.replace("<", "0")))
    return str(total % 10)


def mrz_td1() -> str:
    number, born, expires = "SPEC00001", "850214", "350601"
    upper = f"I<UTO{number}{check_digit(number)}{'<' * 15}"
    middle = f"{born}{check_digit(born)}F{expires}{check_digit(expires)}UTO{'<' * 11}"
    composite = check_digit(upper[5:] + middle[:7] + middle[8:15] + middle[18:29])
    return upper + middle + composite + "SPECIMEN<<ANNA<MARIA".ljust(30, "<")


DG1 = tlv("61", tlv("5f1f", mrz_td1().encode("ascii")))
DG2 = tlv("75", b"SPECIMEN: no picture of anybody" * 40)
DATA_GROUPS = {1: DG1, 2: DG2}


def lds_security_object(
    hash_name: str,
    *,
    version: int = 0,
    null: bool = True,
    data_groups: Mapping[int, bytes] = DATA_GROUPS,
) -> bytes:
    """LDSSecurityObject (Doc 9303-10 4.6.2.3), its hash algorithm with NULL parameters or without."""
    hashes = (
        tlv("30", tlv("02", bytes((number,))), tlv("04", hashlib.new(hash_name, raw).digest()))
        for number, raw in data_groups.items()
    )
    version_info = tlv("30", tlv("13", b"0108"), tlv("13", b"040000")) if version else b""
    algorithm = tlv("30", HASH_OIDS[hash_name], b"\x05\x00" if null else b"")
    return tlv("30", tlv("02", bytes((version,))), algorithm, tlv("30", *hashes), version_info)
