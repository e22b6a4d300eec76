"""A client of the verification API, with a specimen document in hand."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from eid.evidence import Evidence
from eid.evidence.codec import sign_evidence
from tests.builders.document import Document, plain_signature


@dataclass
class Holder:
    """What a client does with a document."""

    document: Document
    client: httpx.AsyncClient

    async def open(self, policy: str = "kyc-remote") -> dict[str, Any]:
        answer = await self.client.post("/v1/verifications", json={"purpose": "test", "policy": policy})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def evidence(self, challenge: str, **given: Any) -> Evidence:
        asked = bytes.fromhex(challenge)
        transcripts = given.pop("transcripts", None)
        ran = (self.document.active_transcript(asked),) if transcripts is None else transcripts
        return self.document.evidence(transcripts=ran, challenge=asked, **given)

    def signed(self, challenge: str, **given: Any) -> bytes:
        return sign(self.document, self.evidence(challenge, **given))

    def upload(self, challenge: str) -> dict[str, Any]:
        signature = plain_signature(self.document.active_key, bytes.fromhex(challenge))
        return {**files_json(self.document), "active_authentication": {"signature": encode(signature)}}

    async def send(self, verification: dict[str, Any], raw: bytes, kind: str = "application/cose") -> httpx.Response:
        place = f"/v1/verifications/{verification['id']}/evidence"
        return await self.client.put(place, content=raw, headers={"Content-Type": kind})


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def files_json(document: Document) -> dict[str, Any]:
    groups = {name[2:]: encode(raw) for name, raw in document.files.items() if name.startswith("DG")}
    return {"sod": encode(document.files["EF.SOD"]), "data_groups": groups}


def sign(document: Document, evidence: Evidence) -> bytes:
    return sign_evidence(
        evidence, lambda message: document.station.sign(message, ec.ECDSA(hashes.SHA256())), document.key_id
    )


def problem_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = json.loads(answer.content)
    assert body["status"] == answer.status_code
    return body["type"].removeprefix("urn:eid:problem:")


def check_of(report: dict[str, Any], check_id: str) -> tuple[str, str | None]:
    found = next(item for item in report["checks"] if item["id"] == check_id)
    return found["outcome"], found["reason"]
