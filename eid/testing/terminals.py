"""A CVCA, a document verifier and an inspection system that live in memory, for a profile's cards. SPECIMEN."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.codec.cv import Chat, Role
from eid.codec.oid import ID_IS
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import ProfileError
from eid.keystore.software import SoftwareSigner
from eid.pki.cv_issuing import build_cv_certificate, build_cv_public_key
from eid.profile.schema import CardProfile, Cvca
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from eid.testing.authority import make_key, make_signer

FINGERS_AND_IRISES: Final = 0x03  # TR-03110-1 table 3: read access to DG3 and DG4
CVCA_DAYS: Final = 1095
BELOW_DAYS: Final = 365  # of document verifier and terminal; longer than real ones, so that a specimen lasts


@dataclass
class SpecimenTerminals:
    """Whom a profile's cards trust, and a terminal that may read fingers and irises.

    Args:
        now: when they issue; certificates begin the day before. rights: of the terminal, two bits (DG3, DG4).

    Raises:
        ProfileError: the profile has no [authority.cvca], or names a curve on which keys cannot be made here.
    """

    profile: CardProfile
    now: datetime
    rights: int = FINGERS_AND_IRISES
    terminal: SoftwareSigner = field(init=False, repr=False)
    _key: ec.EllipticCurvePrivateKey = field(init=False, repr=False)
    cvca_certificate: bytes = field(init=False, repr=False)
    dv_certificate: bytes = field(init=False, repr=False)
    terminal_certificate: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        stated = self.profile.authority.cvca
        if stated is None:
            raise ProfileError(f"profile {self.profile.name} has no [authority.cvca]")
        cvca, dv = (make_signer(name, stated.curve, stated.hash) for name in ("cvca", "dv"))
        self._key = make_key(stated.curve)
        self.terminal = SoftwareSigner("terminal", self._key, SignatureAlgorithm("ecdsa", stated.hash))
        names = self._names(stated)
        self.cvca_certificate = self._certify(cvca, names[0], cvca, names[0], Role.CVCA)
        self.dv_certificate = self._certify(cvca, names[0], dv, names[1], Role.DOMESTIC_DV)
        self.terminal_certificate = self._certify(dv, names[1], self.terminal, names[2], Role.TERMINAL)

    def _names(self, stated: Cvca) -> tuple[str, str, str]:
        country = self.profile.authority.country
        return f"{country}{stated.mnemonic}00001", f"{country}SPECDV00001", f"{country}SPECIS00001"

    def _certify(
        self, issuer: SoftwareSigner, issuer_name: str, holder: SoftwareSigner, name: str, role: Role
    ) -> bytes:
        begin = self.now.date() - timedelta(days=1)
        rights = self.rights if role is Role.TERMINAL else FINGERS_AND_IRISES
        return build_cv_certificate(
            issuer,
            authority_reference=issuer_name,
            holder_reference=name,
            public_key=build_cv_public_key(holder, explicit=role is Role.CVCA),
            chat=Chat(ID_IS, bytes((role << 6 | rights,))),
            effective_date=begin,
            expiration_date=begin + timedelta(days=CVCA_DAYS if role is Role.CVCA else BELOW_DAYS),
        )

    @property
    def credentials(self) -> TerminalCredentials:
        """The terminal's key with its chain, the trust point's own certificate left out."""
        return TerminalCredentials((self.dv_certificate, self.terminal_certificate), self.terminal)

    def export_key(self) -> bytes:
        """The terminal's private key, PKCS#8 in PEM, under no passphrase."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
