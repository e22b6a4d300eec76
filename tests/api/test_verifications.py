from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jsonschema import Draft202012Validator

from eid.evidence import Origin
from eid.evidence.codec import encode_evidence
from tests.builders.api_client import check_of, encode, problem_of
from tests.builders.document import NOW, plain_signature

pytestmark = pytest.mark.anyio
COSE, CBOR, JSON = "application/cose", "application/cbor", "application/json"
PARALLEL = 50
ROOT = Path(__file__).parents[2]


async def test_signed_evidence_passes_and_the_report_stays(holder, client):
    created = await holder.open("strict")
    assert (len(bytes.fromhex(created["challenge"])), created["state"]) == (8, "CREATED")
    assert created["expires_at"] == "2026-06-01T12:05:00Z"
    assert created["data_groups"] == ["DG1", "DG2"]
    answer = await holder.send(created, holder.signed(created["challenge"]))
    assert (answer.status_code, answer.json()["verdict"]) == (200, "TOTAL_PASSED")
    assert check_of(answer.json(), "station.signature") == ("PASSED", None)
    shown = (await client.get(f"/v1/verifications/{created['id']}")).json()
    assert (shown["state"], shown["report"]) == ("DECIDED", answer.json())
    assert shown["decided_at"] == "2026-06-01T12:00:00Z"
    schema = json.loads((ROOT / "docs/formats/verification-report.schema.json").read_text())
    Draft202012Validator(schema).validate(answer.json())


async def test_location_of_a_created_verification(client):
    answer = await client.post("/v1/verifications", json={"purpose": "hotel check-in", "policy": "border"})
    assert answer.headers["location"] == f"/v1/verifications/{answer.json()['id']}"
    assert (await client.get(answer.headers["location"])).json()["state"] == "CREATED"


async def test_files_and_the_chips_signature_as_json(holder):
    created = await holder.open()
    answer = await holder.send(created, json.dumps(holder.upload(created["challenge"])).encode(), JSON)
    assert (answer.status_code, answer.json()["verdict"]) == (200, "TOTAL_PASSED")
    assert check_of(answer.json(), "chip.ca") == ("NOT_PERFORMED", "NOT_ATTEMPTED")


async def test_unsigned_evidence_counts_as_an_upload(holder):
    created = await holder.open()
    answer = await holder.send(created, encode_evidence(holder.evidence(created["challenge"])), CBOR)
    assert answer.json()["verdict"] == "TOTAL_PASSED"
    assert check_of(answer.json(), "station.signature") == ("NOT_PERFORMED", "NOT_ATTEMPTED")


@pytest.mark.parametrize("origin", list(Origin))
async def test_a_client_cannot_claim_chip_authentication(holder, origin):
    created = await holder.open("strict")
    evidence = holder.evidence(created["challenge"], origin=origin, transcripts=[holder.document.chip_transcript()])
    report = (await holder.send(created, encode_evidence(evidence), CBOR)).json()
    assert check_of(report, "chip.ca") == ("NOT_PERFORMED", "CLIENT_ASSERTED")
    assert report["verdict"] == "INDETERMINATE"


async def test_second_evidence_is_refused(holder):
    created = await holder.open()
    raw = holder.signed(created["challenge"])
    assert (await holder.send(created, raw)).status_code == 200
    again = await holder.send(created, raw)
    assert (again.status_code, problem_of(again)) == (409, "already-submitted")


async def test_nonce_of_another_verification(holder):
    first, second = await holder.open(), await holder.open()
    report = (await holder.send(second, holder.signed(first["challenge"]))).json()
    assert check_of(report, "chip.aa") == ("FAILED", "CHALLENGE_MISMATCH")
    assert report["verdict"] == "TOTAL_FAILED"


async def test_signature_over_another_nonce_as_json(holder):
    first, second = await holder.open(), await holder.open()
    body = holder.upload(first["challenge"])
    report = (await holder.send(second, json.dumps(body).encode(), JSON)).json()
    assert check_of(report, "chip.aa") == ("FAILED", "CLONE_SUSPECTED")
    third = await holder.open()
    body["active_authentication"]["challenge"] = first["challenge"]
    report = (await holder.send(third, json.dumps(body).encode(), JSON)).json()
    assert check_of(report, "chip.aa") == ("FAILED", "CHALLENGE_MISMATCH")


async def test_of_many_simultaneous_sends_one_is_accepted(holder):
    created = await holder.open()
    raw = holder.signed(created["challenge"])
    answers = await asyncio.gather(*(holder.send(created, raw) for _ in range(PARALLEL)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200, *[409] * (PARALLEL - 1)]


async def test_a_failing_attempt_spends_the_challenge(holder):
    created = await holder.open()
    wrong = json.dumps({"sod": encode(b"no security object"), "data_groups": {}}).encode()
    failed = await holder.send(created, wrong, JSON)
    assert (failed.status_code, failed.json()["verdict"]) == (200, "TOTAL_FAILED")
    assert check_of(failed.json(), "sod.format") == ("FAILED", "FORMAT_FAILURE")
    assert problem_of(await holder.send(created, holder.signed(created["challenge"]))) == "already-submitted"


@pytest.mark.parametrize("kind", [COSE, CBOR])
async def test_what_is_no_container_spends_nothing(holder, kind):
    created = await holder.open()
    junk = await holder.send(created, b"\xa1\x01\x02", kind)
    assert (junk.status_code, problem_of(junk)) == (400, "malformed-evidence")
    assert (await holder.send(created, holder.signed(created["challenge"]))).json()["verdict"] == "TOTAL_PASSED"


async def test_expired(holder, client, clock):
    created = await holder.open()
    clock.advance(minutes=5)
    late = await holder.send(created, holder.signed(created["challenge"]))
    assert (late.status_code, problem_of(late)) == (410, "expired")
    assert (await client.get(f"/v1/verifications/{created['id']}")).json()["state"] == "EXPIRED"


async def test_reports_are_forgotten(holder, client, clock):
    created = await holder.open()
    await holder.send(created, holder.signed(created["challenge"]))
    clock.advance(hours=25)
    await holder.open()
    assert problem_of(await client.get(f"/v1/verifications/{created['id']}")) == "unknown-verification"


@pytest.mark.parametrize(
    "identifier",
    [
        "7b0c6f0e-3d53-4f2e-9a53-5a1f0c9d2b11",
        "0" * 32,
        "{019a0000-0000-7000-8000-000000000000}",
        "%00",
        "x" * 300,
        "SPEC00001",
    ],
)
async def test_unknown_identifiers_look_alike(holder, client, identifier):
    known = await holder.open()
    reference = await client.get(f"/v1/verifications/{uuid.uuid4()}")
    shown = await client.get(f"/v1/verifications/{identifier}")
    assert (shown.status_code, shown.content) == (404, reference.content)
    sent = await holder.send({"id": identifier}, holder.signed(known["challenge"]))
    assert (sent.status_code, sent.content) == (404, reference.content)


async def test_upper_case_identifier_is_unknown(holder, client):
    created = await holder.open()
    assert (await client.get(f"/v1/verifications/{created['id'].upper()}")).status_code == 404


async def test_nothing_personal_is_kept(holder, engine):
    created = await holder.open()
    await holder.send(created, holder.signed(created["challenge"]))
    await holder.send(await holder.open(), holder.signed(created["challenge"]))
    kept = b"".join(path.read_bytes() for path in sorted(Path(engine.url.database).parent.glob("eid.db*")))
    for secret in (b"SPECIMEN<<ANNA", b"ANNA", b"SPEC00001", holder.document.files["DG1"]):
        assert secret not in kept
    assert b"TOTAL_PASSED" in kept


async def test_unknown_policy(client):
    answer = await client.post("/v1/verifications", json={"purpose": "test", "policy": "lax"})
    assert (answer.status_code, problem_of(answer)) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == "/policy"
    assert "lax" not in answer.text


async def test_passive_authentication(holder, client):
    body = {**holder.upload("00" * 8), "policy": "passive"}
    del body["active_authentication"]
    answer = await client.post("/v1/passive-authentication", json=body)
    assert (answer.status_code, answer.json()["verdict"]) == (200, "TOTAL_PASSED")
    assert answer.json()["reference_time"] == NOW.isoformat().replace("+00:00", "Z")
    del body["policy"]
    body["data_groups"]["1"] = encode(b"another")
    answer = await client.post("/v1/passive-authentication", json=body)
    assert check_of(answer.json(), "sod.dg_hashes.dg1") == ("FAILED", "HASH_FAILURE")
    assert answer.json()["policy"] == "passive"


async def test_passive_authentication_knows_the_policies(holder, client):
    body = {**holder.upload("00" * 8), "policy": "../strict"}
    del body["active_authentication"]
    assert problem_of(await client.post("/v1/passive-authentication", json=body)) == "invalid-request"
    body["policy"] = "other"
    assert problem_of(await client.post("/v1/passive-authentication", json=body)) == "invalid-request"


async def test_wrong_chip(holder):
    created = await holder.open()
    body = holder.upload(created["challenge"])
    forged = plain_signature(ec.generate_private_key(ec.SECP256R1()), bytes.fromhex(created["challenge"]))
    body["active_authentication"]["signature"] = encode(forged)
    report = (await holder.send(created, json.dumps(body).encode(), JSON)).json()
    assert check_of(report, "chip.aa") == ("FAILED", "CLONE_SUSPECTED")


async def test_the_reference_time_is_the_services_own(holder, client, clock):
    clock.advance(days=20 * 365)
    body = {**holder.upload("00" * 8), "policy": "passive"}
    del body["active_authentication"]
    report = (await client.post("/v1/passive-authentication", json=body)).json()
    assert (report["reference_time"], report["verdict"]) == ("2046-05-27T12:00:00Z", "INDETERMINATE")
    assert check_of(report, "ds.validity") == ("INDETERMINATE", "OUT_OF_BOUNDS_NO_POE")
