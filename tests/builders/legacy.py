"""Judging files alone under a policy that is lenient in nothing but the strength of algorithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from eid.evidence import Evidence, Origin, ReadFile
from eid.pki.trust_store import build_trust_store
from eid.verification.policy import Algorithms, Policy, load_policy
from eid.verification.report import VerificationReport
from eid.verification.verify import verify

ANY_STRENGTH = Algorithms(
    hashes=frozenset({"sha1", "sha224", "sha256", "sha384", "sha512"}), rsa_bits=1024, ec_bits=159
)


def weak_policy() -> Policy:
    """Every curve and hash that a document may have; each departure in form is refused."""
    border = load_policy("border")
    return replace(border, name="any-strength", algorithms=ANY_STRENGTH, tolerated=frozenset())


def judge_files(
    sod: bytes, data_groups: Mapping[int, bytes], csca: bytes, crl: bytes, time: datetime | None = None
) -> VerificationReport:
    """The report on files that an issuer made, judged now or at a time."""
    now = datetime.now(UTC) if time is None else time
    files = (ReadFile("EF.SOD", sod), *(ReadFile(f"DG{number}", raw) for number, raw in data_groups.items()))
    trust = build_trust_store((csca,), (crl,))
    return verify(Evidence(Origin.UPLOAD, now, None, "", "", files), trust, weak_policy(), time=now)
