"""The form of a policy's file: its keys, what each may be, and what no policy may do without."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eid.codec.defect import DefectCode

DataGroupName = Annotated[str, Field(pattern=r"^DG([1-9]|1[0-6])$")]
# Without these nothing was proven at all: no policy may do without them, or let them fail.
INDISPENSABLE: Final = frozenset({"sod.format", "sod.signature", "ds.path", "csca.trust"})
# Every answer rests on a time: it is required of all policies, whether they name it or not.
IMPLIED: Final = frozenset({"time.reference"})
ReferenceTime = Literal["now", "signing_time", "issue_date"]


class _Statement(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AlgorithmsStatement(_Statement):
    """Floors: what is weaker is CRYPTO_CONSTRAINTS_FAILURE."""

    hashes: frozenset[str] = frozenset({"sha224", "sha256", "sha384", "sha512"})
    rsa_bits: Annotated[int, Field(ge=512)] = 2048
    ec_bits: Annotated[int, Field(ge=128)] = 224


class PolicyFile(_Statement):
    """The whole file; its keys are described in docs/formats/policy.md."""

    format: Literal["eid-verification-policy"]
    version: Literal[1]
    name: str
    revision: Annotated[int, Field(ge=1)]
    assurance: str
    data_groups: Annotated[tuple[DataGroupName, ...], Field(min_length=1)]
    required: tuple[str, ...]
    required_one_of: tuple[tuple[str, ...], ...] = ()
    informative: tuple[str, ...] = ()
    access: tuple[Literal["pace", "bac"], ...] = ("pace", "bac")
    refuse_downgrade: bool = False
    foreign_curves: bool = False
    issued_challenge: bool = False
    reference_time: ReferenceTime = "now"
    crl_grace_days: Annotated[int, Field(ge=0, le=366)] = 0
    status_grace_days: Annotated[int, Field(ge=0, le=366)] = 0
    tolerated: tuple[DefectCode, ...] = ()
    algorithms: AlgorithmsStatement = AlgorithmsStatement()

    @model_validator(mode="after")
    def _proves_something(self) -> Self:
        missing = INDISPENSABLE.difference(self.required)
        if missing:
            raise ValueError(f"unsafe: {', '.join(sorted(missing))} must be required, or nothing is proven")
        settled = {*IMPLIED, *self.required, *(f"sod.dg_hashes.{name.lower()}" for name in self.data_groups)}
        both = settled.intersection(self.informative)
        if both:
            raise ValueError(f"unsafe: {', '.join(sorted(both))} cannot be required and informative")
        return self
