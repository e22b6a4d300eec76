"""Policies: named, versioned files that say which checks a relying party insists on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from eid.codec.defect import DefectCode
from eid.codec.toml import decode_toml
from eid.errors import DecodeError, ProfileError
from eid.verification.policy_lint import UNSAFE, Hazard, find_hazards
from eid.verification.policy_schema import IMPLIED, PolicyFile, ReferenceTime

MAX_POLICY: Final = 1 << 16  # octets
FORMAT: Final = "eid-verification-policy"
DEFAULT_FOR_FILES: Final = "passive"
DEFAULT_FOR_EVIDENCE: Final = "strict"


@dataclass(frozen=True, slots=True)
class Algorithms:
    """Floors: hash functions by name, bits of an RSA modulus and of the order of a curve."""

    hashes: frozenset[str]
    rsa_bits: int
    ec_bits: int


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
            signed, or on the day of issue in DG12. crl_grace, status_grace: for how long a stale CRL or status list is
            still taken.
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
    crl_grace: timedelta
    status_grace: timedelta
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
        stated = PolicyFile.model_validate(decode_toml(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ProfileError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", path=source) from error
    except DecodeError as error:
        raise ProfileError(str(error), path=source) from error
    policy = _build_policy(stated, hashlib.sha256(raw).hexdigest())
    return replace(policy, hazards=find_hazards(policy))


def _build_policy(stated: PolicyFile, digest: str) -> Policy:
    hashes = (f"sod.dg_hashes.{name.lower()}" for name in stated.data_groups)
    floors = stated.algorithms
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
        crl_grace=timedelta(days=stated.crl_grace_days),
        status_grace=timedelta(days=stated.status_grace_days),
        tolerated=frozenset(stated.tolerated),
        algorithms=Algorithms(floors.hashes, floors.rsa_bits, floors.ec_bits),
    )
