"""Judging what lies in files: evidence of an inspection, or EF.SOD and data groups. Nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from eid.codec.tlv import read_header
from eid.errors import DecodeError
from eid.evidence import Evidence
from eid.evidence.codec import MAX_EVIDENCE, MAX_FILE, SignedEvidence, decode_evidence, decode_signed_evidence
from eid.lds.files import EF_SOD
from eid.pki.trust_store import TrustStore
from eid.services.input_file import read_input
from eid.services.verifying.stations import NO_STATIONS, Stations
from eid.services.verifying.submission import Submission, Upload, build_evidence
from eid.verification.policy import DEFAULT_FOR_EVIDENCE, DEFAULT_FOR_FILES, Policy, load_policy
from eid.verification.report import VerificationReport
from eid.verification.status_lists import NO_STATUS_LISTS, StatusLists
from eid.verification.verify import verify

COSE_TAG: Final = b"\xd2"  # first octet of tag 18, COSE_Sign1 (RFC 9052 4.2); bare evidence is a map, A0..BF


@dataclass(frozen=True, slots=True)
class Judged:
    """A report, and the evidence that it is about."""

    report: VerificationReport
    evidence: Evidence = field(repr=False)


def load_evidence_file(path: Path) -> Evidence | SignedEvidence:
    """Read evidence from a file, signed by its station or bare (docs/formats/evidence.md).

    Raises:
        DecodeError: it cannot be read, is too large, or is no evidence.
    """
    raw = read_input(path, MAX_EVIDENCE, "evidence")
    try:
        return decode_evidence_octets(raw)
    except DecodeError as failure:
        what = f"{path}: no evidence: {failure.what}"
        raise DecodeError(what, offset=failure.offset, clause=failure.clause) from failure


def decode_evidence_octets(raw: bytes) -> Evidence | SignedEvidence:
    """Decode evidence, signed by its station or bare.

    Raises:
        DecodeError: it is neither.
    """
    return decode_signed_evidence(raw) if raw[:1] == COSE_TAG else decode_evidence(raw)


def load_upload(sod: Path, data_groups: Mapping[int, Path]) -> Upload:
    """Read EF.SOD and data groups from files.

    Raises:
        DecodeError: a file cannot be read or is too large; EF.SOD is not even one data object 77. What is malformed
            inside of it is for the report to say.
    """
    raw = read_input(sod, MAX_FILE, "EF.SOD")
    _require_sod_form(raw, sod)
    groups = {number: read_input(path, MAX_FILE, f"DG{number}") for number, path in data_groups.items()}
    return Upload(raw, groups)


def _require_sod_form(raw: bytes, path: Path) -> None:
    """Raise unless the file is one data object with the tag of EF.SOD (Doc 9303-10 4.6.2)."""
    if raw[:2] == b"\x77\x80" and raw[-2:] == b"\x00\x00":
        return  # BER of indefinite length, as some states write it: for the policy to judge
    try:
        tag, start, length = read_header(raw)
    except DecodeError as failure:
        raise DecodeError(f"{path}: no EF.SOD: {failure.what}", offset=failure.offset, clause=failure.clause) from None
    if tag != EF_SOD.tag:
        raise DecodeError(f"{path}: no EF.SOD: tag {tag:X} where 77 is due", offset=0, clause="Doc 9303-10 4.6.2")
    if start + length != len(raw):
        raise DecodeError(
            f"{path}: no EF.SOD: {len(raw)} octets where its length says {start + length}", clause="Doc 9303-10 4.6.2"
        )


def default_policy(submission: Submission) -> str:
    """The policy for those who name none: `passive` for files alone, which say nothing of the chip, else `strict`."""
    return DEFAULT_FOR_FILES if isinstance(submission, Upload) else DEFAULT_FOR_EVIDENCE


def judge(
    submission: Submission,
    trust: TrustStore,
    policy: Policy | str | None = None,
    *,
    now: datetime,
    at: datetime | None = None,
    challenge: bytes | None = None,
    stations: Stations = NO_STATIONS,
    status_lists: StatusLists = NO_STATUS_LISTS,
) -> Judged:
    """Judge what was handed in.

    Args:
        policy: name, path or value; None takes `default_policy`. now: the clock, UTC. at: the time to judge at
            instead, UTC.
        challenge: what the chip was asked to sign, where the judge knows it. stations: keys whose word counts.
        status_lists: what is at hand of published statuses.

    Raises:
        ProfileError: there is no such policy, or it is faulty.
    """
    evidence = build_evidence(submission, now=now, challenge=challenge)
    report = verify(
        evidence,
        trust,
        policy if isinstance(policy, Policy) else load_policy(policy or default_policy(submission)),
        time=now if at is None else at,
        time_source="now" if at is None else "given",
        expected_challenge=challenge,
        envelope=submission if isinstance(submission, SignedEvidence) else None,
        stations=stations,
        status_lists=status_lists,
    )
    return Judged(report, evidence)
