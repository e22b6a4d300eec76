"""An invented authority for tests, made by our own builders with keys of any store. SPECIMEN."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from eid.keystore.ports import Signer
from eid.pki.certificate_profile import IssuingState, Validity
from eid.pki.csca import build_csca_certificate
from eid.pki.document_signer import build_document_signer_certificate

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)
CSCA_VALIDITY = Validity(START, START + timedelta(days=15 * 365))
CSCA_USAGE = Validity(START, START + timedelta(days=4 * 365))
DS_VALIDITY = Validity(START, START + timedelta(days=10 * 365 + 120))
DS_USAGE = Validity(START, START + timedelta(days=90))


def specimen_state(*, explicit: bool) -> IssuingState:
    return IssuingState(
        country="UT",
        organization="SPECIMEN Utopia",
        email="csca@utopia.example",
        crl_uris=("https://pki.utopia.example/ut.crl",),
        explicit_parameters=explicit,
    )


@dataclass(frozen=True)
class Authority:
    """A CSCA and one document signer below it."""

    state: IssuingState
    csca_signer: Signer
    csca: bytes
    ds_signer: Signer
    ds: bytes


def build_authority(csca_signer: Signer, ds_signer: Signer, *, explicit: bool) -> Authority:
    state = specimen_state(explicit=explicit)
    csca = build_csca_certificate(csca_signer, state, "SPECIMEN CSCA", CSCA_VALIDITY, CSCA_USAGE)
    ds = build_document_signer_certificate(
        csca_signer,
        csca,
        ds_signer.public_key_info,
        state,
        "SPECIMEN DS 1",
        DS_VALIDITY,
        DS_USAGE,
        document_types=("ID", "P"),
    )
    return Authority(state, csca_signer, csca, ds_signer, ds)


def fresh_label() -> str:
    return f"key-{secrets.token_hex(6)}"
