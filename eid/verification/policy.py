"""Policies: named, versioned files that say which checks a relying party insists on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eid.codec.defect import DefectCode
from eid.codec.toml import decode_toml
from eid.errors import DecodeError, ProfileError
from eid.verification.policy_lint import UNSAFE, Hazard, find_hazards

MAX_POLICY: Final = 1 << 16  # octets
FORMAT: Final = "eid-verification-policy"
DEFAULT_FOR_FILES: Final = "passive"
DEFAULT_FOR_EVIDENCE: Final = "strict"


DataGroupName = Annotated[str, Field(pattern=r"^DG([1-9]|1[0-6])$")]
# Without these nothing was proven at all: no policy may do without them, or let them fail.
INDISPENSABLE: Final = frozenset({"sod.format", "sod.signature", "ds.path", "csca.trust"})
# Every answer rests on a time: it is required of all policies, whether they name it or not.
IMPLIED: Final = frozenset({"time.reference"})
ReferenceTime = Literal["now", "signing_time", "issue_date"]


class _Statement(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Algorithms(_Statement):
    """Floors: what is weaker is CRYPTO_CONSTRAINTS_FAILURE."""

    hashes: frozenset[str] = frozenset({"sha224", "sha256", "sha384", "sha512"})
    rsa_bits: Annotated[int, Field(ge=512)] = 2048
    ec_bits: Annotated[int, Field(ge=128)] = 224


class _PolicyFile(_Statement):
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
    algorithms: Algorithms = Algorithms()

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


@dataclass(frozen=True, slots=True)
class Policy:
    """What a relying party insists on.

    Args:
        data_groups: the data groups that must have been read; each one's hash check is required.
        required: checks that must pass. required_one_of: of each group, one check must pass.
        informative: checks that may fail without sinking the verdict.
        access: access protocols that satisfy it. refuse_downgrade: BAC fails where the issuer signed for PACE, and PACE
            that he did not sign for. foreign_curves: PACE over a sound curve of the chip's own passes where he did.
        issued_challenge: chip.aa counts only over a challenge that this verifier issued, or a known station asked.
        reference_time: when certificates must have been valid: at the time of judging, when EF.SOD says that it was
            signed, or on the day of issue in DG12. crl_grace_days, status_grace_days: for how long a stale CRL or
            status list is still taken.
        tolerated: departures from the specifications that it accepts; each one met is reported.
        digest: SHA-256 of the policy's file, hexadecimal. hazards: what it leaves open, by `policy_lint`.
    """

    name: str
    revision: int
    digest: str
    assurance: str
    data_groups: tuple[str, ...]
    required: frozenset[str]
    required_one_of: tuple[tuple[str, ...], ...]
    informative: frozenset[str]
    access: frozenset[str]
    refuse_downgrade: bool
    foreign_curves: bool
    issued_challenge: bool
    reference_time: ReferenceTime
    crl_grace_days: int
    status_grace_days: int
    tolerated: frozenset[DefectCode]
    algorithms: Algorithms
    hazards: tuple[Hazard, ...] = ()

    @property
    def is_unsafe(self) -> bool:
        """Whether the policy may accept somebody who has no genuine document."""
        return not UNSAFE.isdisjoint(self.hazards)


def shipped_policies() -> tuple[str, ...]:
    """Names of the policies that come with the system, sorted."""
    folder = files("eid.verification") / "policies"
    return tuple(sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".toml")))


@lru_cache(maxsize=32)
def load_policy(name_or_path: str) -> Policy:
    """Load a shipped policy by name, or any policy by the path of its file.

    Raises:
        ProfileError: there is none, or it is faulty.
    """
    if name_or_path.endswith(".toml") or "/" in name_or_path:
        place: Path | Traversable = Path(name_or_path)
    elif name_or_path in shipped_policies():
        place = files("eid.verification") / "policies" / f"{name_or_path}.toml"
    else:
        raise ProfileError(f"no policy {name_or_path!r}; there are {', '.join(shipped_policies())}")
    try:
        with place.open("rb") as file:
            raw = file.read(MAX_POLICY + 1)
    except OSError as error:
        raise ProfileError(f"cannot be read: {error.strerror}", path=name_or_path) from error
    return decode_policy(raw, name_or_path)


def decode_policy(raw: bytes, source: str = "policy") -> Policy:
    """Parse a policy's bytes.

    Raises:
        ProfileError: malformed, or an unknown key.
    """
    if len(raw) > MAX_POLICY:
        raise ProfileError(f"larger than {MAX_POLICY} octets", path=source)
    try:
        stated = _PolicyFile.model_validate(decode_toml(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ProfileError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", path=source) from error
    except DecodeError as error:
        raise ProfileError(str(error), path=source) from error
    policy = _build_policy(stated, hashlib.sha256(raw).hexdigest())
    return replace(policy, hazards=find_hazards(policy))


def _build_policy(stated: _PolicyFile, digest: str) -> Policy:
    hashes = (f"sod.dg_hashes.{name.lower()}" for name in stated.data_groups)
    return Policy(
        name=stated.name,
        revision=stated.revision,
        digest=digest,
        assurance=stated.assurance,
        data_groups=stated.data_groups,
        required=IMPLIED.union(stated.required, hashes),
        required_one_of=stated.required_one_of,
        informative=frozenset(stated.informative),
        access=frozenset(stated.access),
        refuse_downgrade=stated.refuse_downgrade,
        foreign_curves=stated.foreign_curves,
        issued_challenge=stated.issued_challenge,
        reference_time=stated.reference_time,
        crl_grace_days=stated.crl_grace_days,
        status_grace_days=stated.status_grace_days,
        tolerated=frozenset(stated.tolerated),
        algorithms=stated.algorithms,
    )
