"""Response bodies, for the OpenAPI document; tests hold every response against it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from eid.errors import Reason
from eid.services.verifying.service_health import Impairment
from eid.verification.report import Outcome, Verdict

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
State = Literal["CREATED", "COLLECTING", "DECIDED", "EXPIRED"]


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Check(_Response):
    """One check of a report."""

    id: str = Field(examples=["sod.signature"])
    outcome: Outcome
    reason: Reason | None = Field(description="Stable code; null exactly where the check passed")
    clause: str = Field(examples=["Doc 9303-11 5.1"])
    detail: str = Field(description="One sentence without personal data; may be empty")


class Report(_Response):
    """A judged document. The same object as `eid verify --json` prints."""

    format: Literal["eid-verification-report"]
    version: Literal[1]
    verdict: Verdict
    policy: str
    policy_version: Annotated[int, Field(ge=1)]
    policy_digest: Digest
    policy_unsafe: bool = Field(description="Whether the policy may accept somebody who has no genuine document")
    policy_hazards: list[str] = Field(description="What the policy leaves open, by stable names")
    reference_time: datetime
    reference_source: str
    trust_store_digest: Digest
    assurance: str = Field(description="What TOTAL_PASSED says and what it does not; else not established")
    certificates: list[str] = Field(description="Subject names of the chain, document signer first")
    checks: Annotated[list[Check], Field(min_length=1)]


class CreatedVerification(_Response):
    """A verification that waits for its evidence."""

    id: UUID
    state: Literal["CREATED"]
    purpose: str
    policy: str
    data_groups: list[str] = Field(description="Data groups that the policy insists on")
    challenge: Annotated[str, Field(pattern="^[0-9a-f]{16}$")] = Field(
        description="RND.IFD for Active Authentication, 8 octets; told once, good once"
    )
    created_at: datetime
    expires_at: datetime


class Verification(_Response):
    """Where a verification stands."""

    id: UUID
    state: State = Field(description="COLLECTING: evidence has come and is being judged")
    purpose: str
    policy: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    report: Report | None


class Policy(_Response):
    """A verification policy."""

    name: str
    version: Annotated[int, Field(ge=1)]
    digest: Digest
    assurance: str
    data_groups: list[str]
    required: list[str] = Field(description="Checks that must pass")
    required_one_of: list[list[str]] = Field(description="Of each group, one check must pass")
    informative: list[str] = Field(description="Checks that may fail without sinking the verdict")
    tolerated: list[str] = Field(description="Departures from the specifications that it accepts")
    reference_time: Literal["now", "signing_time", "issue_date"] = Field(description="When certificates must be valid")
    hazards: list[str] = Field(description="What it leaves open, by stable names")
    unsafe: bool = Field(description="Whether it may accept somebody who has no genuine document")


class Policies(_Response):
    """All policies."""

    policies: list[Policy]


class Authority(_Response):
    """A CSCA or link certificate."""

    subject: str
    country: str | None
    fingerprint: Digest = Field(description="SHA-256 of the certificate")
    is_anchor: bool = Field(description="Whether a path may end here; a link certificate is none")
    not_before: datetime
    not_after: datetime
    defects: list[str] = Field(description="Departures from Doc 9303-12")


class Crl(_Response):
    """A revocation list."""

    issuer: str
    country: str | None
    fingerprint: Digest
    number: int | None
    this_update: datetime
    next_update: datetime | None
    is_stale: bool = Field(description="A stale list still revokes; it no longer clears anybody")
    revoked: int = Field(description="How many certificates it lists")


class Unusable(_Response):
    """A certificate or CRL that cannot be used."""

    fingerprint: Digest
    why: str


class Country(_Response):
    """What the store holds of one country."""

    country: str | None
    anchors: int
    valid_anchors: int = Field(description="Those whose certificate is valid now")
    links: int
    crls: int


class TrustStore(_Response):
    """What this verifier trusts."""

    digest: Digest
    countries: list[Country]
    authorities: list[Authority]
    crls: list[Crl]
    unusable: list[Unusable]


class Health(_Response):
    """The service answers."""

    status: Literal["ok"]


class VerifierHealth(_Response):
    """The verifier answers; whether it can also judge."""

    status: Literal["ok", "degraded"]
    impairments: list[Impairment] = Field(description="Why verdicts are INDETERMINATE that need not be; empty if ok")
    stale: list[str] = Field(description="Countries of whose CRLs none is fresh: their signers cannot be cleared")


class ErrorPlace(_Response):
    """One departure of a body from its schema."""

    pointer: str = Field(description="JSON pointer; a member name that the schema does not know is shown as ?")
    code: str
    detail: str


class ProblemDetails(_Response):
    """A problem (RFC 9457); the registry's say by `refusal` and `guard` which rule of a life cycle refused."""

    type: Annotated[str, Field(pattern="^urn:eid:problem:[a-z-]+$")]
    title: str
    status: int
    detail: str | None = None
    errors: list[ErrorPlace] | None = None
    refusal: str | None = None
    guard: str | None = None
