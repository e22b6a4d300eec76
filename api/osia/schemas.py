"""Bodies of the OSIA interfaces, member by member as published.

What OSIA leaves open (biographic, contact and context data) is open here, too; the use cases say what they understand.
Image and template members are base64. `Encryption` and `Integrity` are kept as they come, for whoever reads them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Text = Annotated[str, Field(max_length=4096)]
Octets = Annotated[str, Field(max_length=12 << 20)]
Open = Annotated[dict[str, Any], Field(max_length=64)]
ImpressionType = Literal[
    "LIVE_SCAN_PLAIN", "LIVE_SCAN_ROLLED", "NONLIVE_SCAN_PLAIN", "NONLIVE_SCAN_ROLLED", "LATENT_IMPRESSION",
    "LATENT_TRACING", "LATENT_PHOTO", "LATENT_LIFT", "LIVE_SCAN_SWIPE", "LIVE_SCAN_VERTICAL_ROLL",
    "LIVE_SCAN_PALM", "NONLIVE_SCAN_PALM", "LATENT_PALM_IMPRESSION", "LATENT_PALM_TRACING", "LATENT_PALM_PHOTO",
    "LATENT_PALM_LIFT", "LIVE_SCAN_OPTICAL_CONTACTLESS_PLAIN", "OTHER", "UNKNOWN"
]  # fmt: skip
BiometricType = Literal["FACE", "FINGER", "IRIS", "SIGNATURE", "UNKNOWN"]
BiometricSubType = Literal[
    "UNKNOWN", "RIGHT_THUMB", "RIGHT_INDEX", "RIGHT_MIDDLE", "RIGHT_RING", "RIGHT_LITTLE", "LEFT_THUMB",
    "LEFT_INDEX", "LEFT_MIDDLE", "LEFT_RING", "LEFT_LITTLE", "PLAIN_RIGHT_FOUR_FINGERS",
    "PLAIN_LEFT_FOUR_FINGERS", "PLAIN_THUMBS", "UNKNOWN_PALM", "RIGHT_FULL_PALM", "RIGHT_WRITERS_PALM",
    "LEFT_FULL_PALM", "LEFT_WRITERS_PALM", "RIGHT_LOWER_PALM", "RIGHT_UPPER_PALM", "LEFT_LOWER_PALM",
    "LEFT_UPPER_PALM", "RIGHT_OTHER", "LEFT_OTHER", "RIGHT_INTERDIGITAL", "RIGHT_THENAR", "RIGHT_HYPOTHENAR",
    "LEFT_INTERDIGITAL", "LEFT_THENAR", "LEFT_HYPOTHENAR", "RIGHT_INDEX_AND_MIDDLE", "RIGHT_MIDDLE_AND_RING",
    "RIGHT_RING_AND_LITTLE", "LEFT_INDEX_AND_MIDDLE", "LEFT_MIDDLE_AND_RING", "LEFT_RING_AND_LITTLE",
    "RIGHT_INDEX_AND_LEFT_INDEX", "RIGHT_INDEX_AND_MIDDLE_AND_RING", "RIGHT_MIDDLE_AND_RING_AND_LITTLE",
    "LEFT_INDEX_AND_MIDDLE_AND_RING", "LEFT_MIDDLE_AND_RING_AND_LITTLE", "EYE_UNDEF", "EYE_RIGHT", "EYE_LEFT",
    "EYE_BOTH", "PORTRAIT", "LEFT_PROFILE", "RIGHT_PROFILE"
]  # fmt: skip
CompressionType = Literal["NONE", "WSQ", "JPEG", "JPEG2000", "PNG"]
Status = Literal["NEW", "ACTIVE", "SUSPENDED", "REVOKED", "OTHER"]


class OsiaModel(BaseModel):
    """Names in camel case, and no others than those."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", hide_input_in_errors=True)

    def stated(self) -> dict[str, Any]:
        """As it was sent, without what was left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    __str__ = __repr__


class Error(OsiaModel):
    """What is wrong."""

    code: int
    message: str


class Expression(OsiaModel):
    """One condition of a search."""

    attribute_name: Annotated[str, Field(max_length=64)]
    operator: Literal["<", ">", "=", ">=", "<=", "!="]
    value: Text | int | float | bool


Expressions = Annotated[list[Expression], Field(max_length=16)]


class Encryption(OsiaModel):
    """Which part is encrypted, and how."""

    type: Literal["JWE", "PKCS7"]
    scope: Text


class Integrity(OsiaModel):
    """Hash and signature of a part."""

    id: Text | None = None
    type: Literal["NONE", "JWS", "PKCS7"] | None = None
    scope: Text
    alg: Text
    encrypted: bool | None = None
    follow_ref: bool | None = None
    hash: Text
    signature: Annotated[str, Field(max_length=64 << 10)] | None = None
    signature_ref: Text | None = None


class MissingType(OsiaModel):
    """A part that could not be taken."""

    biometric_sub_type: BiometricSubType | None = None
    presence: Literal["BANDAGED", "AMPUTATED", "DAMAGED"] | None = None


class _Protected(OsiaModel):
    encryption: Encryption | None = None
    integrity: Annotated[list[Integrity], Field(max_length=16)] | None = None


class EnrolledBiometricData(_Protected):
    """One biometric item."""

    biometric_type: BiometricType
    biometric_sub_type: BiometricSubType | None = None
    instance: Text | None = None
    image: Octets | None = None
    image_ref: Text | None = None
    capture_date: Text | None = None
    capture_device: Text | None = None
    impression_type: ImpressionType | None = None
    width: int | None = None
    height: int | None = None
    bitdepth: int | None = None
    mime_type: Text | None = None
    resolution: int | None = None
    compression: CompressionType | None = None
    missing: Annotated[list[MissingType], Field(max_length=16)] | None = None
    metadata: Text | None = None
    comment: Text | None = None
    template: Octets | None = None
    template_ref: Text | None = None
    template_format: Text | None = None
    quality: int | None = None
    quality_format: Text | None = None
    algorithm: Text | None = None
    vendor: Text | None = None


class BiometricData(EnrolledBiometricData):
    """One biometric item, of an encounter."""

    encounter_id: Text | None = None


# --- credential management


class Address(OsiaModel):
    """Where a credential is to go."""

    address1: Text | None = None
    address2: Text | None = None
    city: Text | None = None
    state: Text | None = None
    postal_code: Text | None = None
    country: Text | None = None
    others: Open | None = None


class RequestData(OsiaModel):
    """What is asked for."""

    priority: Annotated[int, Field(ge=0, le=9)]
    credential_profile_id: Text
    credential_profile_version: Text | None = None
    credential_profile_subtype: Text | None = None
    number_of_pages: int | None = None
    request_type: Literal["FIRST_ISSUANCE", "RENEWAL", "REPLACEMENT", "OTHER"]
    request_type_other: Text | None = None
    valid_from_date: Text | None = None
    valid_to_date: Text | None = None
    credential_number: Text | None = None
    issuing_authority: Text | None = None
    delivery_office: Text | None = None
    delivery_address: Address | None = None
    parent_credential_id: Text | None = None
    others: Open | None = None


class CredentialRequest(_Protected):
    """A request for a credential."""

    credential_request_id: Text | None = None
    status: Literal["PENDING", "ISSUED", "CANCELLED", "FAILED"] | None = None
    request_data: RequestData
    person_id: Text
    biographic_data: Open
    biometric_data: Annotated[list[BiometricData], Field(max_length=32)] | None = None
    credential_ids: Annotated[list[Text], Field(max_length=32)] | None = None


class _Credential(OsiaModel):
    credential_id: Text | None = None
    status: Status | None = None
    status_other: Text | None = None
    credential_number: Text | None = None
    person_id: Text | None = None
    issued_date: Text | None = None
    expiry_date: Text | None = None
    serial_number: Text | None = None
    issuing_authority: Text | None = None
    issuing_place: Text | None = None
    others: Open | None = None


class CredentialData(_Credential):
    """A credential; read-only members that are sent are not looked at."""

    credential_profile_id: Text | None = None
    credential_profile_version: Text | None = None
    credential_profile_subtype: Text | None = None
    number_of_pages: int | None = None


class CredentialProfile(OsiaModel):
    """A product."""

    credential_profile_id: str
    name: str
    description: str
    credential_type: Literal["SMARTCARD", "VIRTUAL_SMARTCARD", "MOBILE", "PASSPORT", "ID_CARD"]
    default_lifetime: int
    credential_profile_version: str


class Reason(OsiaModel):
    """Why."""

    model_config = ConfigDict(extra="ignore")
    reason: Text | None = None


class StatusChange(OsiaModel):
    """To which status, and why."""

    status: Text
    reason: Text | None = None
    requester: Text | None = None
    comment: Text | None = None


# --- enrolment


class DocumentPart(_Protected):
    """Pages of a document."""

    pages: Annotated[list[int], Field(min_length=1, max_length=256)] | None = None
    data: Octets | None = None
    data_ref: Text | None = None
    width: int | None = None
    height: int | None = None
    mime_type: Text | None = None
    capture_date: Text | None = None
    capture_device: Text | None = None


class DocumentData(OsiaModel):
    """A supporting document."""

    document_type: Literal["ID_CARD", "PASSPORT", "INVOICE", "BIRTH_CERTIFICATE", "FORM", "OTHER"]
    document_type_other: Text | None = None
    instance: Text | None = None
    parts: Annotated[list[DocumentPart], Field(min_length=1, max_length=64)]
    integrity: Annotated[list[Integrity], Field(max_length=16)] | None = None


class Enrollment(_Protected):
    """What is collected of a person; the first two members are read only."""

    enrollment_id: Text | None = None
    status: Literal["FINALIZED", "IN_PROGRESS"] | None = None
    enrollment_type: Text | None = None
    enrollment_flags: Open | None = None
    request_data: Open | None = None
    contextual_data: Open | None = None
    biographic_data: Open | None = None
    biometric_data: Annotated[list[EnrolledBiometricData], Field(max_length=32)] | None = None
    document_data: Annotated[list[DocumentData], Field(max_length=32)] | None = None


class BufferId(OsiaModel):
    """Under which identifier a buffer is kept."""

    buffer_id: str


# --- notification


class Topic(OsiaModel):
    """Something that messages are published about."""

    uuid: str
    name: str


class Subscription(OsiaModel):
    """Who is told."""

    uuid: str
    topic: str
    protocol: Literal["http", "email"]
    address: str
    policy: str
    active: bool


# --- third parties


class TypedCredentialData(_Credential):
    """A credential, by its type."""

    credential_type: Text | None = None


class AttributeSet(_Protected):
    """Attributes of a person."""

    biographic_data: Open | None = None
    biometric_data: Annotated[list[BiometricData], Field(max_length=32)] | None = None
    credential_data: Annotated[list[TypedCredentialData], Field(max_length=32)] | None = None
    contact_data: Open | None = None


class VerifyResult(OsiaModel):
    """1 where all attributes are the person's, 0 where one is not."""

    verification_code: int
    verification_message: str
    verification_proof: str | None = None


class IdentifyRequest(OsiaModel):
    """Whom to look for, and what to tell of those who are like him."""

    attribute_set: AttributeSet
    output_attribute_set_name: Text


Names = Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=64)]


class OutputBiometric(OsiaModel):
    """A biometric item, and which members of it."""

    model_config = ConfigDict(extra="ignore")
    biometric_type: BiometricType | None = None
    biometric_sub_type: BiometricSubType | None = None
    biometric_data_fields: Names | None = None


class OutputCredential(OsiaModel):
    """A kind of credential, and which members of it."""

    model_config = ConfigDict(extra="ignore")
    credential_type: Text | None = None
    credential_data_fields: Names | None = None


class OutputAttributeSet(OsiaModel):
    """Which attributes to tell."""

    output_biographic_data: Names | None = None
    output_biometric_data: Annotated[list[OutputBiometric], Field(max_length=16)] | None = None
    output_credential_data: Annotated[list[OutputCredential], Field(max_length=16)] | None = None
    output_contact_data: Names | None = None


class TaskId(OsiaModel):
    """Under which identifier the answer will be."""

    task_id: str
