"""An issuing authority that lives in memory: the CSCA and the document signer of a profile. SPECIMEN."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from eid.crypto.curves import curve_by_name
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import ProfileError
from eid.keystore.software import SoftwareSigner
from eid.lds.security_infos import SecurityInfo, encode_security_infos
from eid.pki.card_security import sign_card_security
from eid.pki.certificate_profile import IssuingState, Validity
from eid.pki.crl import build_crl
from eid.pki.csca import build_csca_certificate
from eid.pki.document_signer import build_document_signer_certificate
from eid.pki.signer_source import NO_SIGNERS, HeldSigners
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.profile.schema import CardProfile
from eid.testing.departing_signer import sign_departing_sod


@dataclass
class SpecimenAuthority:
    """CSCA and document signer as a profile's `[authority]` wants them; the keys are forgotten with the object.

    Args:
        now: when it issues, with a time zone; certificates are valid from a day before.

    Raises:
        ProfileError: the profile names a curve on which keys cannot be made here.
    """

    profile: CardProfile
    now: datetime
    csca: SoftwareSigner = field(init=False, repr=False)
    signer: SoftwareSigner = field(init=False, repr=False)
    csca_certificate: bytes = field(init=False, repr=False)
    signer_certificate: bytes = field(init=False, repr=False)
    crl: bytes = field(init=False, repr=False)
    _signed: dict[bytes, bytes] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        stated = self.profile.authority
        state = IssuingState(
            stated.country,
            stated.organization,
            stated.email,
            (stated.crl_uri,),
            stated.ec_parameters == "explicit",
            self.profile.document.issuing_state,
        )
        self.csca = make_signer("csca", stated.csca_curve, stated.csca_hash)
        self.signer = make_signer("ds", stated.signer_curve, stated.signer_hash)
        self.now = self.now.replace(microsecond=0)  # certificates know whole seconds
        start = self.now - timedelta(days=1)
        signing = Validity(start, start + timedelta(days=stated.signer_key_days))
        valid = Validity(start, signing.not_after + timedelta(days=stated.document_days + 1))
        self.csca_certificate = build_csca_certificate(self.csca, state, "SPECIMEN CSCA", valid, signing)
        self.signer_certificate = build_document_signer_certificate(
            self.csca,
            self.csca_certificate,
            self.signer.public_key_info,
            state,
            "SPECIMEN DS 1",
            valid,
            signing,
            document_types=(self.profile.document.code,),
        )
        self.crl = build_crl(
            self.csca,
            self.csca_certificate,
            number=1,
            this_update=start,
            next_update=start + timedelta(days=stated.crl_days),
        )

    def sign(self, lds_security_object: bytes) -> bytes:
        """EF.SOD of an LDS security object (DER); the same one again for the same object, as a job that keeps it."""
        if lds_security_object not in self._signed:
            quirks = self.profile.quirks
            sod = sign_departing_sod(lds_security_object, self.signer, self.signer_certificate, quirks, self.now)
            self._signed[lds_security_object] = sod
        return self._signed[lds_security_object]

    def sign_card_security(self, infos: tuple[SecurityInfo, ...]) -> bytes:
        """EF.CardSecurity of a chip's announcements; the same one again for the same announcements."""
        content = encode_security_infos(infos)
        if content not in self._signed:
            signed = sign_card_security(infos, self.signer, self.signer_certificate, signing_time=self.now)
            self._signed[content] = signed
        return self._signed[content]

    @property
    def trust(self) -> TrustStore:
        """What a relying party imports: the CSCA certificate, its CRL, and the signer's, should EF.SOD not bring it."""
        signers = NO_SIGNERS if self.profile.quirks.sod_certificate else HeldSigners((self.signer_certificate,))
        return build_trust_store((self.csca_certificate,), (self.crl,), signers=signers)


def make_signer(label: str, curve_name: str, hash_name: str) -> SoftwareSigner:
    """A fresh ECDSA key in memory.

    Raises:
        ProfileError: keys on this curve cannot be made here.
    """
    return SoftwareSigner(label, make_key(curve_name), SignatureAlgorithm("ecdsa", hash_name))


def make_key(curve_name: str) -> ec.EllipticCurvePrivateKey:
    """A fresh private key.

    Raises:
        ProfileError: keys on this curve cannot be made here.
    """
    curve = curve_by_name(curve_name)
    if curve is None or curve.library is None:
        raise ProfileError(f"no key can be made on the curve {curve_name!r}")
    return ec.generate_private_key(curve.library)
