"""What is fuzzed: every public `decode_` function of the product, and cards that take one command after the other.

A decoder whose arguments but the first have defaults is found by itself; for the others there is an adapter below. A
test holds the list complete.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

from eid.audit import tree_head
from eid.codec import algorithm, apdu, cbor, cms, crl, der, name, spki, tlv, x509
from eid.crypto import ecdsa, points, public_key
from eid.crypto.curves import CURVES
from eid.enrolment import person, site, wall_time
from eid.errors import (
    AuthenticationError,
    CommandRefused,
    DecodeError,
    EidError,
    ProfileError,
    RecordError,
    StoreError,
    VerificationError,
)
from eid.evidence import codec, cose
from eid.gateways.abis import messages as abis
from eid.lds import details, eid_application, eid_values, extensible, optional_group, sod, text
from eid.mrz import mrz
from eid.protocols.bac import core as bac_core
from eid.protocols.pace import messages as pace

Decoder = Callable[[bytes], object]
ROOT = Path(__file__).parents[2]
LARGEST = 1 << 16

# A refusal that is not DecodeError, and why.
OTHERWISE: dict[str, type[EidError]] = {
    "eid.crypto.public_key.decode_signature_algorithm": VerificationError,  # an algorithm that is not known
    "eid.protocols.bac.core.decode_token": AuthenticationError,  # the MAC comes first
    "eid.identity.decode_identity_record": RecordError,  # what is not of this record, told by its field
    "eid.enrolment.person.decode_person": RecordError,  # every fault at its place, for a form
    "eid.enrolment.site.decode_site": RecordError,  # a table that an administrator writes
    "eid.verification.policy.decode_policy": ProfileError,  # a file that a relying party writes: told with its place
    "eid.profile.layout.decode_face_layout": ProfileError,  # likewise, the issuer
}
# Not decoders of octets from outside, or reached through another one only.
EXEMPT = {
    "eid.inspection.access.decode_pace_infos": "takes ReadFile; its content goes to decode_card_access",
    "eid.services.reading.holder.decode_portrait": "takes decoded Evidence; the image goes to decode_image",
    "eid.imaging.decode.decode_image": "a process of its own for each image: tests/imaging",
    "eid.imaging.worker.decode_picture": "the inside of that process, which takes its input from a pipe",
    "eid.card.administration.decode_pace_infos": "below decode_state and PUT DATA of the card",
    "eid.card.keys.decode_key_order": "below the card's GENERATE KEY and PUT DATA",
    "eid.card.keys.decode_reference": "below the card's GENERATE KEY and PUT DATA",
    "eid.card.keys.decode_private_key": "the card's own keys, below decode_state",
    "eid.pki.signed_list.decode_signed_list": "below decode_master_list and decode_deviation_list",
    "eid.lds.extensible.decode_unsigned": "below decode_face_image_data and decode_finger_image_data",
    "eid.protocols.access_rules.decode_condition": "takes one octet as a number; below decode_access_rule and FCP",
}


def _command(decode: Callable[[Any], object]) -> Decoder:
    return lambda raw: decode(apdu.decode_command(raw))


def _each(decode: Callable[..., object], *choices: Any) -> Decoder:
    """The first octet chooses one of the leading arguments."""
    return lambda raw: decode(choices[raw[0] % len(choices)], raw[1:]) if raw else None


def _json(decode: Callable[[Any], object]) -> Decoder:
    """It takes what was parsed of JSON."""

    def parsed(raw: bytes) -> object:
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            raise DecodeError("not JSON") from None
        return decode(value)

    return parsed


def _text(decode: Callable[[str], object]) -> Decoder:
    """It takes text, of which octets that are not UTF-8 become lone surrogates."""
    return lambda raw: decode(raw.decode("utf-8", "surrogateescape"))


ADAPTERS: dict[str, Decoder] = {
    "eid.codec.der.decode_string": lambda raw: der.decode_string(raw[0], raw[1:], 0, "text") if raw else None,
    "eid.codec.der.decode_time": lambda raw: der.decode_time(raw[0], raw[1:], 0, "time") if raw else None,
    "eid.codec.cbor.decode_cbor": lambda raw: cbor.decode_cbor(raw, max_octets=LARGEST),
    "eid.codec.x509.decode_certificate (tolerant)": lambda raw: x509.decode_certificate(raw, []),
    "eid.codec.crl.decode_crl (tolerant)": lambda raw: crl.decode_crl(raw, []),
    "eid.codec.cms.decode_signed_data (tolerant)": lambda raw: cms.decode_signed_data(raw, []),
    "eid.codec.name.decode_name (tolerant)": lambda raw: name.decode_name(raw, "Name", []),
    "eid.codec.algorithm.decode_algorithm (tolerant)": lambda raw: algorithm.decode_algorithm(raw, "it", []),
    "eid.lds.sod.decode_ef_sod (tolerant)": lambda raw: sod.decode_ef_sod(raw, []),
    "eid.codec.spki.decode_ec_parameters": spki.decode_ec_parameters,
    "eid.crypto.ecdsa.decode_ecdsa_der": lambda raw: ecdsa.decode_ecdsa_der(raw, CURVES[2].n),
    "eid.crypto.ecdsa.decode_ecdsa_plain": lambda raw: ecdsa.decode_ecdsa_plain(raw, CURVES[2].n),
    "eid.crypto.points.decode_point": _each(points.decode_point, *CURVES),
    "eid.crypto.public_key.load_public_key": public_key.load_public_key,
    "eid.crypto.public_key.decode_signature_algorithm": lambda raw: public_key.decode_signature_algorithm(
        algorithm.decode_algorithm(raw), "sha256"
    ),
    "eid.evidence.cose.decode_cose_sign1": lambda raw: cose.decode_cose_sign1(raw, max_octets=LARGEST),
    "eid.evidence.cose.decode_signed": lambda raw: cose.decode_signed(
        raw, codec.CONTENT_TYPE, max_octets=LARGEST, clause=codec.CLAUSE
    ),
    "eid.audit.tree_head.decode_checkpoint": _text(tree_head.decode_checkpoint),
    "eid.audit.tree_head.decode_frontier": lambda raw: tree_head.decode_frontier(
        int.from_bytes(raw[:8], "big"), raw[8:]
    ),
    "eid.enrolment.person.decode_person": _json(person.decode_person),
    "eid.enrolment.site.decode_site": _json(site.decode_site),
    "eid.enrolment.wall_time.decode_wall_time": _text(wall_time.decode_wall_time),
    "eid.gateways.abis.messages.decode_candidates": _json(abis.decode_candidates),
    "eid.gateways.abis.messages.decode_encounter": _json(partial(abis.decode_encounter, "person", "encounter")),
    "eid.gateways.abis.messages.decode_task": _json(abis.decode_task),
    "eid.mrz.mrz.decode_mrz": lambda raw: mrz.decode_mrz(raw.decode("latin-1")),
    "eid.mrz.mrz.decode_joined_mrz": lambda raw: mrz.decode_joined_mrz(raw.decode("latin-1")),
    "eid.lds.text.decode_fields": lambda raw: text.decode_fields(raw.decode("latin-1")),
    "eid.lds.text.decode_digits": lambda raw: text.decode_digits(raw, 8, 0x5F2B),
    "eid.lds.details.decode_date": lambda raw: details.decode_date(raw, 0x5F26),
    "eid.lds.details.decode_details": lambda raw: details.decode_details(tlv.decode_tlvs(raw), {}, "10 4.7"),
    "eid.lds.extensible.decode_representations": lambda raw: extensible.decode_representations(raw, 0xA1),
    "eid.lds.optional_group.decode_optional_group": lambda raw: optional_group.decode_optional_group(raw, 0x6D),
    "eid.lds.eid_application.decode_eid_group": lambda raw: (
        eid_application.decode_eid_group(1 + raw[0] % 22, raw[1:]) if raw else None
    ),
    "eid.lds.eid_values.decode_text_string": lambda raw: (
        eid_values.decode_text_string(raw[0], raw[1:], "text") if raw else None
    ),
    "eid.lds.eid_values.decode_letters": lambda raw: eid_values.decode_letters(raw, "letters", (1, 2, 3)),
    "eid.protocols.bac.core.decode_token": lambda raw: bac_core.decode_token(
        bac_core.derive_document_keys("L898902C<369080619406236"), raw
    ),
    "eid.protocols.pace.messages.decode_general_authenticate": _each(pace.decode_general_authenticate, *pace.Step),
    "eid.protocols.pace.messages.decode_answer": _each(pace.decode_answer, *pace.Step),
}


def modules() -> Iterator[ModuleType]:
    """Every module of `eid` with a decoder."""
    for path in sorted((ROOT / "eid").rglob("*.py")):
        if "\ndef decode_" in path.read_text(encoding="utf-8"):
            yield importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def decode_functions() -> dict[str, Callable[..., object]]:
    """Every public function of that name, by its full name."""
    return {
        f"{module.__name__}.{name}": function
        for module in modules()
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if name.startswith("decode_") and function.__module__ == module.__name__
    }


def adapt(function: Callable[..., object]) -> Decoder | None:
    """The function as one of octets alone: they are a command, or come with what the text of an error calls them."""
    first, *others = inspect.signature(function).parameters.values()
    needed = [item.name for item in others if item.default is item.empty]
    if first.annotation == "CommandAPDU" and not needed:
        return _command(function)
    if first.annotation != "bytes" or needed not in ([], ["what"]):
        return None
    return partial(function, what="it") if needed else function


@cache
def decoders() -> dict[str, Decoder]:
    """All that is fuzzed, by name."""
    found = {name: adapt(function) for name, function in decode_functions().items() if name not in EXEMPT}
    usable = {name: decode for name, decode in found.items() if decode is not None}
    return dict(sorted({**usable, **ADAPTERS}.items()))


def attempt(name: str, decode: Decoder, raw: bytes) -> bool:
    """Whether it is accepted; refused as the manner is, or the error comes through."""
    try:
        decode(raw)
    except DecodeError:
        return False
    except OTHERWISE.get(name, DecodeError):
        return False
    except (StoreError, ProfileError):
        if name.startswith(("eid.services.", "eid.enrolment.")):  # the program's own files, and the operator's
            return False
        raise
    except CommandRefused:
        if ".protocols." in name:  # what a card decodes of a command is refused by a status word
            return False
        raise
    return True


def group_of(name: str) -> str:
    """Decoders are fuzzed together by package: their inputs are alike."""
    package = name.split(".")[1].partition(" ")[0]
    if package in ("identity", "verification", "evidence", "profile", "services", "transport"):
        return "documents"
    return {"crypto": "pki", "mrz": "lds"}.get(package, package)


def groups() -> dict[str, list[str]]:
    """Names of decoders by group."""
    found: dict[str, list[str]] = {}
    for decoder in decoders():
        found.setdefault(group_of(decoder), []).append(decoder)
    return found
