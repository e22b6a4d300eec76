"""Run every decoder over hostile input in a process of its own, and print what it cost: one JSON object.

Each input goes to every third decoder, the next input to the ones beside them; in `make sweep` every input to all.
Run as a program by `test_hostile_input.py`; memory is that of the whole process over what it had after importing.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from eid.card.fcp import decode_fcp
from eid.card.state import decode_state
from eid.codec import ber, cms, crl, cv, name, spki, tlv, x509
from eid.codec.algorithm import decode_algorithm, decode_pss_parameters
from eid.codec.apdu import decode_command, decode_response
from eid.codec.atr import decode_atr
from eid.codec.cbor import decode_cbor
from eid.codec.oid import decode_oid_content
from eid.crypto.ecdsa import decode_ecdsa_der
from eid.crypto.public_key import load_public_key
from eid.errors import EidError
from eid.evidence.codec import decode_evidence, decode_signed_evidence
from eid.evidence.cose import decode_cose_sign1
from eid.identity import decode_identity_record
from eid.lds import card_access, com, dg1, dg2, dg7, dg11, dg12, dg13, dg14, dg15, facial_record, security_infos, sod
from eid.mrz import decode_mrz
from eid.pki.deviation_list import decode_deviation_list
from eid.pki.examination import examine_certificate, examine_crl
from eid.pki.ldif import read_ldif
from eid.pki.master_list import decode_master_list
from eid.pki.signed_list import decode_signed_list
from eid.protocols.globalplatform.messages import decode_cplc, decode_key_information
from eid.protocols.pace.messages import decode_set_at
from eid.transport.apdu_log import decode_apdu_log
from eid.verification.policy import decode_policy
from tests.builders.sweep import IS_WHOLE

Decoder = Callable[[bytes], Any]
DECODERS: dict[str, Decoder] = {
    "TLV": tlv.decode_tlv,
    "TLVs": tlv.decode_tlvs,
    "BER": ber.convert_ber,
    "certificate": x509.decode_certificate,
    "certificate, tolerant": lambda raw: x509.decode_certificate(raw, []),
    "CRL": crl.decode_crl,
    "CRL, tolerant": lambda raw: crl.decode_crl(raw, []),
    "SignedData": cms.decode_signed_data,
    "SignedData, tolerant": lambda raw: cms.decode_signed_data(raw, []),
    "CV certificate": cv.decode_cv_certificate,
    "CV request": cv.decode_cv_request,
    "CV authenticated request": cv.decode_cv_authenticated_request,
    "master list": decode_master_list,
    "master list, tolerant": lambda raw: decode_master_list(raw, []),
    "deviation list": decode_deviation_list,
    "signed list": lambda raw: decode_signed_list(raw, []),
    "LDIF": lambda raw: list(read_ldif((raw,))),
    "certificate examined": examine_certificate,
    "CRL examined": examine_crl,
    "name": name.decode_name,
    "SPKI": spki.decode_spki,
    "public key": load_public_key,
    "RSA key": spki.decode_rsa_public_key,
    "EC parameters": spki.decode_ec_parameters,
    "algorithm": decode_algorithm,
    "PSS parameters": decode_pss_parameters,
    "OID": decode_oid_content,
    "ECDSA value": lambda raw: decode_ecdsa_der(raw, 1 << 256),
    "command": decode_command,
    "response": decode_response,
    "ATR": decode_atr,
    "CBOR": lambda raw: decode_cbor(raw, max_octets=1 << 20),
    "COSE": lambda raw: decode_cose_sign1(raw, max_octets=1 << 20),
    "evidence": decode_evidence,
    "signed evidence": decode_signed_evidence,
    "identity record": decode_identity_record,
    "APDU log": decode_apdu_log,
    "card state": decode_state,
    "policy": decode_policy,
    "FCP": decode_fcp,
    "MRZ": lambda raw: decode_mrz(raw.decode("latin-1")),
    "EF.SOD": sod.decode_ef_sod,
    "EF.SOD, tolerant": lambda raw: sod.decode_ef_sod(raw, []),
    "EF.COM": com.decode_ef_com,
    "EF.CardAccess": card_access.decode_card_access,
    "SecurityInfos": security_infos.decode_security_infos,
    "DG1": dg1.decode_dg1,
    "DG2": dg2.decode_dg2,
    "facial record": facial_record.decode_facial_record,
    "DG7": dg7.decode_dg7,
    "DG11": dg11.decode_dg11,
    "DG12": dg12.decode_dg12,
    "DG13": dg13.decode_dg13,
    "DG14": dg14.decode_dg14,
    "DG15": dg15.decode_dg15,
    "CPLC": decode_cplc,
    "key information": decode_key_information,
    "PACE MSE:Set AT": decode_set_at,
}
TAGS = ("30", "31", "61", "75", "77", "6b", "6c", "6d", "6e", "6f", "7f21", "7f61", "62", "67", "60", "a0", "03", "04")
SIZE = 1 << 19
SLOW = 0.5  # seconds of the processor


def nest(tag: bytes, depth: int) -> bytes:
    """Elements one in the other, all lengths right."""
    raw = b""
    for _ in range(depth):
        length = len(raw)
        size = b"" if length < 0x80 else length.to_bytes((length.bit_length() + 7) // 8, "big")
        raw = tag + (bytes((0x80 | len(size),)) + size if size else bytes((length,))) + raw
    return raw


def wrap(tag: bytes, content: bytes) -> bytes:
    return tag + b"\x83" + len(content).to_bytes(3, "big") + content


def hostile() -> Iterator[tuple[str, bytes]]:
    """Names and octets, up to half a mebibyte each."""
    yield "nothing", b""
    for text in TAGS:
        tag = bytes.fromhex(text)
        yield f"{text} nested", nest(tag, 17_000)
        yield f"{text} nested without end", (tag + b"\x80") * 17_000
        for size in ("84ffffffff", "847fffffff", "887fffffffffffffff", "ff" + "ff" * 127, "80", "8100", "820001"):
            yield f"{text} claims {size[:10]}", tag + bytes.fromhex(size) + b"\x00" * 16
        yield f"{text} of empty elements", wrap(tag, b"\x30\x00" * (SIZE // 2 - 8))
        yield f"{text} of zeros", wrap(tag, b"\x00" * (SIZE - 8))
        yield f"{text} of NULLs", wrap(tag, b"\x05\x00" * (SIZE // 2 - 8))
        yield f"{text} of long tags", wrap(tag, b"\x1f" + b"\xff" * (SIZE - 16))
    yield "long identifier", b"\x06\x83\x07\xff\xf0" + b"\xff" * (SIZE - 16)
    yield "long number", b"\x30\x83\x07\xff\xf0\x02\x83\x07\xff\xeb" + b"\x7f" * (SIZE - 21)
    for first in (0x9B, 0xBB, 0x5B, 0x7B, 0xDB, 0x9F, 0xBF, 0x5F, 0x7F):
        yield f"CBOR {first:02x} of everything", bytes((first,)) + b"\xff" * 8 + b"\x00" * 64
    yield "CBOR arrays nested", b"\x81" * SIZE
    yield "CBOR maps nested", b"\xa1\x00" * (SIZE // 2)
    yield "CBOR tags nested", b"\xd2" * SIZE
    yield "CBOR array of small numbers", b"\x9a\x00\x07\xff\xf0" + b"\x00" * (SIZE - 16)
    yield "CBOR array of empty arrays", b"\x9a\x00\x07\xff\xf0" + b"\x80" * (SIZE - 16)
    yield "JSON arrays nested", b"[" * SIZE
    yield "JSON objects nested", b'{"a":' * (SIZE // 5)
    yield "JSON long number", b"9" * SIZE
    yield "JSON log of a long number", b'{"format":"eid-apdu-log","version":' + b"9" * (SIZE // 2) + b"}"
    yield "TOML arrays nested", b"a=" + b"[" * (SIZE - 2)
    yield "TOML dotted key", b"a." * (SIZE // 2 - 4) + b"a=1"
    yield "TOML long number", b"a=" + b"9" * (SIZE - 2)
    yield "text without end", b"A" * SIZE
    yield "fillers", b"<" * SIZE
    yield "line ends", b"\n" * SIZE
    yield "LDIF without end", b"version: 1\n\ndn: c=UT\nuserCertificate;binary:: " + b"A\n " * (SIZE // 3)
    yield "LDIF of empty entries", b"dn: \n\n" * (SIZE // 6)
    yield "LDIF of blank lines", b"dn: c=UT\n" + b"\r\n" * (SIZE // 2)
    yield "octets over 127", b"\xff" * SIZE
    yield "facial record of many", b"FAC\x00010\x00\x00\x0f\xff\xff\xff\xff" + b"\x00" * 4096


def crl_of_entries(octets: int) -> bytes:
    """A well-formed CRL, unsigned, with as many entries as fit."""
    from eid.codec import der, oid

    entry = der.encode_sequence(b"\x02\x04AAAA", b"\x17\x0d260101000000Z")
    count = octets // len(entry)
    entries = b"".join(
        der.encode_sequence(b"\x02\x04" + (0x41000000 + number).to_bytes(4, "big"), b"\x17\x0d260101000000Z")
        for number in range(count)
    )
    algorithm = der.encode_sequence(der.encode_oid(oid.ECDSA_WITH_SHA256))
    country = der.encode_sequence(der.encode_oid(oid.COUNTRY_NAME), der.encode_string(0x13, "UT"))
    issuer = der.encode_sequence(der.encode(0x31, country))
    tbs = der.encode_sequence(
        b"\x02\x01\x01", algorithm, issuer, b"\x17\x0d260101000000Z", der.encode_sequence(entries)
    )
    return der.encode_sequence(tbs, algorithm, der.encode_bit_string(b"\x00" * 8))


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    inputs = list(hostile())
    inputs.append(("CRL of many entries", crl_of_entries(SIZE - 200)))
    start = peak()
    slow: list[tuple[str, str, float]] = []
    wrong: list[tuple[str, str, str]] = []
    grown: list[tuple[str, str, int]] = []
    every = list(DECODERS.items())
    for number, (what, raw) in enumerate(inputs):
        for decoder, decode in every if IS_WHOLE else every[number % 3 :: 3]:
            before, began = peak(), time.process_time()
            try:
                decode(raw)
            except EidError:
                pass
            except (Exception, RecursionError) as error:  # noqa: BLE001 - what must not happen is what is looked for
                wrong.append((decoder, what, type(error).__name__))
            seconds, octets = time.process_time() - began, peak() - before
            if seconds > SLOW:
                slow.append((decoder, what, round(seconds, 2)))
            if octets > 1 << 22:
                grown.append((decoder, what, octets))
    json.dump(
        {"growth": peak() - start, "slow": slow, "wrong": wrong, "grown": grown, "inputs": len(inputs)}, sys.stdout
    )


if __name__ == "__main__":
    main()
