"""What fuzzing begins with: published vectors, specimen cards with their files and certificates, and conversations."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from eid.audit.tree_head import Checkpoint, Frontier
from eid.codec.apdu import decode_response
from eid.evidence.codec import CONTENT_TYPE
from eid.evidence.cose import sign_cose
from eid.gateways.abis import Biometric, Candidate, Encounter
from eid.gateways.abis.messages import encode_candidates, encode_encounter
from eid.inspection import InspectionPlan, inspect
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.testing.specimen import SpecimenCard, issue_specimen
from eid.transport.loopback import LoopbackConnection
from tests.fuzz.targets import Decoder, attempt

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
VECTORS = Path(__file__).parents[1] / "vectors"
LARGEST = 8192  # octets of one seed
PRODUCTS = ("ma-cnie", "icao-td3-passport", "pt-passport")


class Recorded(LoopbackConnection):
    """Keeps what was sent and answered."""

    def __init__(self, specimen: SpecimenCard) -> None:
        super().__init__(specimen.card)
        self.log: list[tuple[bytes, bytes]] = []

    def transmit(self, command: bytes) -> bytes:
        answer = super().transmit(command)
        self.log.append((command, answer))
        return answer


def specimen(name: str) -> SpecimenCard:
    return issue_specimen(name, NOW)


def conversation(card: SpecimenCard) -> list[tuple[bytes, bytes]]:
    link = Recorded(card)
    plan = InspectionPlan(Password(PasswordId.MRZ, card.mrz_information.encode()), challenge=bytes(8), allow_bac=True)
    drive(inspect(plan, NOW), link)
    return link.log


def from_vectors() -> Iterator[bytes]:
    """Every run of hexadecimal digits in the published vectors, and the shipped policies and profiles."""
    for path in sorted(VECTORS.rglob("*.json")):
        for text in _strings(json.loads(path.read_text(encoding="utf-8"))):
            yield text.encode()
            digits = re.sub(r"[\s:]", "", text)
            if len(digits) % 2 == 0 and re.fullmatch(r"[0-9A-Fa-f]{4,}", digits):
                yield bytes.fromhex(digits)
    for path in sorted((VECTORS.parents[1] / "eid" / "verification" / "policies").glob("*.toml")):
        yield path.read_bytes()


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(item)


def from_cards() -> Iterator[bytes]:
    """Files, certificates, the state and the conversation of specimen cards."""
    for name in PRODUCTS:
        card = specimen(name)
        yield from card.files.values()
        yield card.card.state()
        yield card.authority.signer_certificate
        yield card.authority.csca_certificate
        yield card.authority.crl
        for command, answer in conversation(card):
            yield command
            data = decode_response(answer).data
            yield from (command[5:], data, data[2:])


def from_registry() -> dict[str, bytes]:
    """What the registry and its neighbours write, by the decoder that takes it."""
    from eid.services.demonstration.office import EVERY_DAY  # late: not among what is instrumented
    from eid.services.demonstration.people import load_made_up_office

    made_up = load_made_up_office("morocco").site[0].model_dump()
    site = {**made_up, "places": 2, "services": ["card"], "hours": [EVERY_DAY]}
    frontier = Frontier().extend(bytes((leaf,)) * 32 for leaf in range(3))
    head = Checkpoint("audit.example", frontier.size, frontier.root(), NOW)
    signature = bytes.fromhex("3006020101020101")  # r and s are 1
    note = f"{head.text()}\n\N{EM DASH} {head.origin} {base64.b64encode(bytes(68)).decode()}\n"
    face = Biometric("FACE", "UNKNOWN", "JPEG", b"image", False)
    name = {"arabic": "\u0645\u062b\u0627\u0644", "latin": "Specimen"}
    person = {
        "family_name": name,
        "date_of_birth": "1990-07",
        "sex": "F",
        "civil_status": {"number": "12/1990", "year": 1990},
        "address": {"lines": name, "country": "MAR", "since": "2020-01-31"},
        "contact": {"phone": "+212600000000", "email": "a@example.org", "consents": ["phone-on-chip"]},
    }
    return {
        "eid.audit.tree_head.decode_checkpoint": note.encode(),
        "eid.audit.tree_head.decode_frontier": frontier.size.to_bytes(8, "big") + frontier.encode(),
        "eid.enrolment.person.decode_person": json.dumps(person).encode(),
        "eid.enrolment.site.decode_site": json.dumps(site).encode(),
        "eid.enrolment.wall_time.decode_wall_time": b"2026-10-25T02:30~",
        "eid.evidence.cose.decode_signed": sign_cose(b"payload", CONTENT_TYPE, lambda _: signature, bytes(32)),
        "eid.gateways.abis.messages.decode_candidates": json.dumps(
            encode_candidates((Candidate("person", 1, 0.5, frozenset(("encounter",))),))
        ).encode(),
        "eid.gateways.abis.messages.decode_encounter": json.dumps(
            encode_encounter(Encounter("person", "encounter", (face,)))
        ).encode(),
        "eid.gateways.abis.messages.decode_task": b'{"taskId": "task"}',
    }


def pool() -> list[bytes]:
    """All of them, small ones first."""
    found = {
        raw
        for source in (from_vectors(), from_cards(), from_registry().values())
        for raw in source
        if 0 < len(raw) <= LARGEST
    }
    return sorted(found, key=lambda raw: (len(raw), raw))


def accepted(name: str, decode: Decoder, inputs: list[bytes], most: int = 40) -> list[bytes]:
    """What of it the decoder takes, and a few that it refuses."""
    taken = [raw for raw in inputs if attempt(name, decode, raw)]
    spread = taken[:: max(1, len(taken) // most)]
    return [*spread[:most], *inputs[:: max(1, len(inputs) // 8)]]
