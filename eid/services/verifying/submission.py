"""What a client hands in to be judged: three forms, all made into `Evidence` that claims no more than it may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from eid.evidence import Evidence, Origin, ProtocolName, ProtocolOutcome, ProtocolTranscript, ReadFile
from eid.evidence.codec import SignedEvidence


@dataclass(frozen=True, slots=True)
class Upload:
    """Files alone, and what the chip signed.

    Args:
        data_groups: raw bytes by number. signature: the chip's answer to Active Authentication, or None.
        challenge: what the chip was asked, where the client says so; else the verification's own challenge is meant.
    """

    sod: bytes = field(repr=False)
    data_groups: Mapping[int, bytes] = field(repr=False)
    signature: bytes | None = field(default=None, repr=False)
    challenge: bytes | None = field(default=None, repr=False)


Submission = Upload | Evidence | SignedEvidence


def submitted_files(submission: Submission) -> tuple[ReadFile, ...]:
    """The files of a submission."""
    match submission:
        case Upload():
            groups = (ReadFile(f"DG{number}", raw) for number, raw in sorted(submission.data_groups.items()))
            return (ReadFile("EF.SOD", submission.sod), *groups)
        case SignedEvidence():
            return submission.evidence.files
        case Evidence():
            return submission.files


def build_evidence(submission: Submission, *, now: datetime, challenge: bytes | None) -> Evidence:
    """Evidence to judge.

    Whoever sends evidence unsigned is an uploader, whatever it says of itself: `relay` in particular is what this
    verifier alone may call its own work, and `eid.verification` believes it.

    Args:
        challenge: what this verifier asked; files alone are taken to answer it.
    """
    match submission:
        case SignedEvidence():
            return submission.evidence
        case Evidence():
            return replace(submission, origin=Origin.UPLOAD)
        case Upload():
            return Evidence(
                origin=Origin.UPLOAD,
                gathered_at=now,
                challenge=challenge,
                reader="",
                policy="",
                files=submitted_files(submission),
                transcripts=_transcripts(submission, challenge),
            )


def _transcripts(upload: Upload, challenge: bytes | None) -> tuple[ProtocolTranscript, ...]:
    if upload.signature is None:
        return ()
    answered = challenge if upload.challenge is None else upload.challenge
    messages = {"signature": upload.signature, "challenge": answered or b""}
    name, outcome = ProtocolName.ACTIVE_AUTHENTICATION, ProtocolOutcome.SUCCEEDED
    return (ProtocolTranscript(name, outcome, {}, messages),)
