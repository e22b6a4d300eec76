"""Request bodies. Unknown members are refused; binary values are base64; no allowed value contains a quote."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

DataGroupNumber = Literal["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"]
MAX_SOD: Final = 64 << 10  # octets
MAX_DATA_GROUP: Final = 1 << 20
MAX_SIGNATURE: Final = 1 << 10


def _base64(max_octets: int, what: str) -> Any:
    length = (max_octets + 2) // 3 * 4
    return WithJsonSchema(
        {"type": "string", "contentEncoding": "base64", "minLength": 2, "maxLength": length, "description": what}
    )


SecurityObject = Annotated[bytes, Field(min_length=1, max_length=MAX_SOD), _base64(MAX_SOD, "EF.SOD as read")]
DataGroup = Annotated[
    bytes,
    Field(min_length=1, max_length=MAX_DATA_GROUP),
    _base64(MAX_DATA_GROUP, "A data group as read: DG2 at most 1 MiB, any other at most 100 KiB"),
]
Signature = Annotated[
    bytes, Field(min_length=1, max_length=MAX_SIGNATURE), _base64(MAX_SIGNATURE, "What the chip answered")
]
PolicyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$"), Field(description="See /v1/policies")]
Purpose = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,127}$"),
    Field(description="Why the document is asked for; no personal data"),
]
Challenge = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{16}$"), Field(description="RND.IFD, 8 octets, hexadecimal")
]


class _Request(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, val_json_bytes="base64", hide_input_in_errors=True
    )


class NewVerification(_Request):
    """What a verification is for and which policy judges it."""

    purpose: Purpose
    policy: PolicyName


class ActiveAuthentication(_Request):
    """The chip's signature, and the challenge it answers where that is not the verification's own."""

    signature: Signature
    challenge: Challenge | None = None


class UploadedEvidence(_Request):
    """Files as read from the chip and, with Active Authentication, what the chip signed."""

    sod: SecurityObject
    data_groups: dict[DataGroupNumber, DataGroup]
    active_authentication: ActiveAuthentication | None = None


class PassiveAuthentication(_Request):
    """Files to be judged by themselves."""

    sod: SecurityObject
    data_groups: dict[DataGroupNumber, DataGroup]
    policy: PolicyName = "passive"
