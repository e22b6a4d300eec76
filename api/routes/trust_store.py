"""`/v1/trust-store`: what this verifier trusts, open to everybody who depends on its verdicts."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api.context import context_of
from api.rendering import render_time
from api.schemas.responses import TrustStore as TrustStoreResponse
from eid.codec.crl import CertificateList
from eid.pki.trust_store import Authority, TrustStore

router = APIRouter()


@router.get(
    "/v1/trust-store",
    operation_id="showTrustStore",
    summary="What this verifier trusts",
    response_model=TrustStoreResponse,
)
async def show_trust_store(request: Request) -> JSONResponse:
    """Digest, authorities and revocation lists; what cannot be used stands there with its reason."""
    service = context_of(request).service
    return JSONResponse(_render(service.trust, service.now()))


def _render(trust: TrustStore, now: datetime) -> dict[str, Any]:
    return {
        "digest": trust.digest.hex(),
        "countries": _count(trust, now),
        "authorities": [_render_authority(item) for item in trust.authorities],
        "crls": [_render_crl(item, now) for item in trust.crls],
        "unusable": [{"fingerprint": item.fingerprint, "why": item.why} for item in trust.unusable],
    }


def _count(trust: TrustStore, now: datetime) -> list[dict[str, Any]]:
    counts: dict[str, dict[str, int]] = defaultdict(lambda: {"anchors": 0, "valid_anchors": 0, "links": 0, "crls": 0})
    for item in trust.authorities:
        count = counts[item.certificate.country or ""]
        count["anchors" if item.is_anchor else "links"] += 1
        if item.is_anchor and item.certificate.not_before <= now <= item.certificate.not_after:
            count["valid_anchors"] += 1
    for crl in trust.crls:
        counts[crl.issuer_country or ""]["crls"] += 1
    return [{"country": country or None, **count} for country, count in sorted(counts.items())]


def _render_authority(authority: Authority) -> dict[str, Any]:
    certificate = authority.certificate
    return {
        "subject": authority.subject,
        "country": certificate.country,
        "fingerprint": hashlib.sha256(authority.raw).hexdigest(),
        "is_anchor": authority.is_anchor,
        "not_before": render_time(certificate.not_before),
        "not_after": render_time(certificate.not_after),
        "defects": sorted({item.code.value for item in authority.defects}),
    }


def _render_crl(crl: CertificateList, now: datetime) -> dict[str, Any]:
    return {
        "issuer": str(crl.issuer([])),
        "country": crl.issuer_country,
        "fingerprint": hashlib.sha256(crl.raw).hexdigest(),
        "number": crl.extensions.crl_number([]),
        "this_update": render_time(crl.this_update),
        "next_update": None if crl.next_update is None else render_time(crl.next_update),
        "is_stale": crl.next_update is None or crl.next_update < now,
        "revoked": len(crl.revoked),
    }
