"""What the checks of one verification share: the evidence, the material to judge it by, and what earlier checks found.

Checks run in a fixed order; each may put what it established here for the ones after it. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from eid.codec.x509 import Certificate
from eid.crypto.signatures import PublicKey
from eid.errors import Reason, VerificationError
from eid.evidence import Evidence
from eid.evidence.codec import SignedEvidence
from eid.lds.dg1 import decode_dg1
from eid.lds.sod import SecurityObject
from eid.mrz import Mrz
from eid.pki.path import CertificatePath
from eid.pki.trust_store import TrustStore
from eid.verification.policy import Policy
from eid.verification.report import CheckResult, Outcome
from eid.verification.signers import load_signer_key
from eid.verification.status_lists import NO_STATUS_LISTS, StatusLists

_PASSED: Final = Outcome.PASSED
_HASH_CHECKS: Final = tuple(f"sod.dg_hashes.dg{number}" for number in range(17))  # by data group; there is no DG0


@dataclass(slots=True)
class Case:
    """One verification under way.

    Args:
        time: when is judged, UTC; time_source says where it came from, "now" being the clock.
        expected_challenge: what the chip was asked to sign, where the verifier itself asked.
        envelope: the station's signature around the evidence, or None.
        stations: known stations' keys by key identifier.
        relayed: this verifier itself ran the protocols that the evidence tells of, through a relayed reader.
        status_lists: those at hand, verified.
        signers: the certificates of which one may be the document signer's. reference_time: when certificates must
            have been valid.
        sod, signers, signer, path, reference_time: set by the checks that establish them; mrz, signer_key: made when
            first asked for.
    """

    evidence: Evidence
    trust: TrustStore
    policy: Policy
    time: datetime
    expected_challenge: bytes | None = None
    envelope: SignedEvidence | None = None
    stations: Mapping[bytes, PublicKey] = field(default_factory=dict)
    relayed: bool = False
    time_source: str = "now"
    status_lists: StatusLists = NO_STATUS_LISTS
    sod: SecurityObject | None = None
    signers: tuple[Certificate, ...] = ()
    signer: Certificate | None = None
    path: CertificatePath | None = None
    reference_time: datetime | None = None
    mrz: Mrz | None = None
    signer_key: PublicKey | None = None
    results: dict[str, CheckResult] = field(default_factory=dict)
    contents: dict[str, bytes | None] = field(init=False)

    def __post_init__(self) -> None:
        # Where a name stands twice the first counts, as in `Evidence.content`.
        self.contents = {item.name: item.content for item in reversed(self.evidence.files)}

    def content(self, name: str) -> bytes | None:
        """Raw bytes of the file with this name, or None where it was not read."""
        return self.contents.get(name)

    def passed(self, check_id: str) -> bool:
        """Whether the check with this id passed."""
        result = self.results.get(check_id)
        return result is not None and result.outcome is _PASSED

    def is_bound(self, data_group: int) -> bool:
        """Whether the issuer's signature binds the data group as it was read."""
        signed = self.passed("sod.signature") and self.passed("ds.path")
        return signed and self.passed(_HASH_CHECKS[data_group])

    def require_bound(self, data_group: int) -> bytes:
        """The bytes of a data group that the issuer's signature binds.

        Raises:
            VerificationError: CHIP_CANNOT, EF.SOD does not list it; DATA_MISSING; SOD_NOT_VERIFIED.
        """
        if data_group not in self.require_sod().data_group_hashes:
            raise VerificationError(Reason.CHIP_CANNOT, f"EF.SOD lists no DG{data_group}")
        raw = self.content(f"DG{data_group}")
        if raw is None:
            raise VerificationError(Reason.DATA_MISSING, f"DG{data_group} was not read")
        if not self.is_bound(data_group):
            raise VerificationError(Reason.SOD_NOT_VERIFIED, "the issuer's signature does not bind the chip's key")
        return raw

    def require_sod(self) -> SecurityObject:
        """The decoded EF.SOD.

        Raises:
            VerificationError: it did not decode.
        """
        if self.sod is None:
            raise VerificationError(Reason.SOD_NOT_VERIFIED, "EF.SOD could not be read")
        return self.sod

    def require_signer(self) -> Certificate:
        """The document signer's certificate.

        Raises:
            VerificationError: there is none.
        """
        if self.signer is None:
            raise VerificationError(
                Reason.NO_SIGNING_CERTIFICATE_FOUND, "the document signer's certificate is not there"
            )
        return self.signer

    def require_signer_key(self) -> PublicKey:
        """The document signer's public key, loaded once.

        Raises:
            VerificationError: there is no signer, or its key is of no known kind. DecodeError: it is malformed.
        """
        if self.signer_key is None:
            self.signer_key = load_signer_key(self.require_signer().spki_raw)
        return self.signer_key

    def require_path(self) -> CertificatePath:
        """The path from the document signer to a trusted CSCA.

        Raises:
            VerificationError: there is none.
        """
        if self.path is None:
            raise VerificationError(Reason.SOD_NOT_VERIFIED, "there is no certificate path")
        return self.path

    def require_time(self) -> datetime:
        """The time of judging, UTC.

        Raises:
            VerificationError: CLOCK_BEHIND, the clock is proven wrong.
        """
        if self.reference_time is None and self._time_failure() is Reason.CLOCK_BEHIND:
            raise VerificationError(Reason.CLOCK_BEHIND, "the clock is behind the trust store's lists")
        return self.time

    def require_reference_time(self) -> datetime:
        """The time at which certificates must have been valid, UTC.

        Raises:
            VerificationError: CLOCK_BEHIND, OUT_OF_BOUNDS_NO_POE: it is not known.
        """
        if self.reference_time is None:
            reason = self._time_failure() or Reason.OUT_OF_BOUNDS_NO_POE
            raise VerificationError(reason, "the reference time is not known")
        return self.reference_time

    def _time_failure(self) -> Reason | None:
        result = self.results.get("time.reference")
        return None if result is None else result.reason

    def require_mrz(self) -> Mrz:
        """The MRZ of DG1, decoded once.

        Raises:
            VerificationError: DG1 was not read. DecodeError: it is malformed.
        """
        if self.mrz is None:
            raw = self.content("DG1")
            if raw is None:
                raise VerificationError(Reason.DATA_MISSING, "DG1 was not read")
            self.mrz = decode_dg1(raw).mrz()
        return self.mrz
