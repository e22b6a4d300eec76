"""What `eid trust` tells: its JSON (docs/formats/command-output.md), and words and columns for its tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from eid.pki.lint import Finding, Grade
from eid.rendering.terminal import make_printable
from eid.services.trust.fetch import Fetched
from eid.services.trust.import_objects import ImportReport
from eid.store.trust_index import TrustedCertificate, TrustedCrl, TrustSource


def format_time(time: datetime | None) -> str | None:
    """ISO 8601 with Z; None for none."""
    return None if time is None else time.isoformat().replace("+00:00", "Z")


def shorten(fingerprint: bytes) -> str:
    """The first sixteen digits of a fingerprint."""
    return fingerprint.hex()[:16]


def describe_import(report: ImportReport) -> dict[str, Any]:
    """`eid-trust-import` (docs/formats/command-output.md)."""
    return {
        "format": "eid-trust-import",
        "version": 2,
        "import": report.import_id,
        "imported": report.total,
        "new": report.new,
        "held": report.held,
        "usable": report.total - report.unusable,
        "unusable": report.unusable,
        "counts": dict(report.counts),
        "findings": [
            {"grade": grade.value, "code": code, "count": count} for (grade, code), count in report.findings.items()
        ],
        "sources": [describe_source(item) for item in report.sources],
        "objects": [
            {
                "fingerprint": item.fingerprint,
                "kind": item.kind,
                "subject": item.subject,
                "source": item.source,
                "new": item.is_new,
                "usable": item.usable,
                "held": item.is_held,
                "findings": [describe_finding(found) for found in item.findings],
            }
            for item in report.items
        ],
    }


def describe_finding(item: Finding) -> dict[str, str]:
    """A finding as JSON."""
    return {"grade": item.grade.value, "code": item.code, "detail": item.what, "clause": item.clause}


def describe_source(item: TrustSource) -> dict[str, Any]:
    """A source as JSON."""
    return {
        "import": item.import_id,
        "name": item.name,
        "kind": item.kind,
        "sha256": item.digest.hex() if any(item.digest) else None,
        "signed": item.signed,
        "signer": item.signer or None,
        "country": item.country or None,
        "signed_at": format_time(item.signed_at),
        "refusal": item.refusal or None,
        "tolerated": sorted({finding[0] for finding in item.findings}),
    }


def tell_source(item: TrustSource) -> str:
    """One line on a list: signed, unsigned or refused; or on what is no trust material, and was skipped."""
    name = make_printable(item.name)
    if item.refusal and item.kind in ("FILE", "BUNDLE"):
        return f"skipped  {name}: {make_printable(item.refusal)}"
    if item.refusal:
        return f"refused  {name}: {make_printable(item.refusal)}"
    when = "" if item.signed_at is None else f" on {item.signed_at:%Y-%m-%d}"
    if not item.signed:
        return f"unsigned {name}: vouched for by the operator"
    tolerated = ", ".join(sorted({finding[0] for finding in item.findings}))
    return f"signed   {name}: by {make_printable(item.signer)}{when}" + (f", tolerated {tolerated}" * bool(tolerated))


def describe_fetched(item: Fetched) -> dict[str, Any]:
    """A location of `eid-trust-fetch`."""
    told = None if item.report is None else describe_import(item.report)
    return {"location": item.location, "octets": item.octets, "failure": item.failure or None, "import": told}


def describe_certificate(item: TrustedCertificate) -> dict[str, Any]:
    """A certificate as JSON."""
    return {
        "fingerprint": item.fingerprint.hex(),
        "kind": item.kind,
        "country": item.country,
        "subject": item.subject,
        "issuer": item.issuer,
        "serial": item.serial,
        "not_before": format_time(item.not_before),
        "not_after": format_time(item.not_after),
        "first_seen": format_time(item.first_seen),
        "last_seen": format_time(item.last_seen),
        "usable": item.usable,
        "state": item.state,
        "held_for": item.held_for or None,
        "findings": [
            {"grade": grade, "code": code, "detail": what, "clause": clause}
            for code, grade, what, clause in item.findings
        ],
    }


def describe_crl(item: TrustedCrl) -> dict[str, Any]:
    """A CRL as JSON."""
    return {
        "fingerprint": item.fingerprint.hex(),
        "country": item.country,
        "issuer": item.issuer,
        "number": item.number,
        "this_update": format_time(item.this_update),
        "next_update": format_time(item.next_update),
        "usable": item.usable,
        "findings": [
            {"grade": grade, "code": code, "detail": what, "clause": clause}
            for code, grade, what, clause in item.findings
        ],
    }


def describe_state(item: TrustedCertificate, distrusted: datetime | None = None, now: datetime | None = None) -> str:
    """Whether a certificate counts, in a word. distrusted: since when, None where it is not; now: the clock."""
    if distrusted is not None and now is not None and distrusted <= now:
        return "distrusted"
    return "unusable" if not item.usable else "counts" if item.state == "ACCEPTED" else item.state.lower()


def describe_end(item: TrustedCertificate) -> str:
    """The day on which it ends."""
    return "" if item.not_after is None else f"{item.not_after:%Y-%m-%d}"


def worst_grade(item: TrustedCertificate | TrustedCrl) -> str:
    """The worst grade of its findings, "" where there is none."""
    grades = {grade for _, grade, _, _ in item.findings}
    return next((grade.value for grade in Grade if grade.value in grades), "")


def crl_columns(item: TrustedCrl, now: datetime) -> tuple[str, str, str, str]:
    """Status, end, worst grade and name of a CRL."""
    until = "" if item.next_update is None else f"{item.next_update:%Y-%m-%d}"
    is_stale = item.next_update is None or item.next_update < now
    status = "unusable" if not item.usable else "stale" if is_stale else "counts"
    number = "" if item.number is None else f" no. {item.number}"
    made = "" if item.this_update is None else f" of {item.this_update:%Y-%m-%d}"
    return status, until, worst_grade(item), f"{item.issuer}{number}{made}"


def describe_origin(item: TrustSource) -> str:
    """One line on a source of a certificate."""
    if item.kind not in ("MASTER_LIST", "DEVIATION_LIST"):
        return f"{item.name} ({item.kind.lower()}, nobody signed it)"
    return f"{item.name} (signed by {item.signer})" if item.signed else f"{item.name} (its signer is not pinned)"


def findings_by_grade(report: ImportReport) -> list[tuple[tuple[Grade, str], int]]:
    """How many findings of each grade and code there are, the worst first."""
    order = list(Grade)
    return sorted(report.findings.items(), key=lambda item: (order.index(item[0][0]), -item[1], item[0][1]))
