"""A CVCA, a document verifier and a terminal that live in memory, for a profile's cards. SPECIMEN."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.codec.cv import Chat, CvExtension, Role
from eid.codec.oid import ID_AT, ID_IS
from eid.crypto.group import EcGroup
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import ProfileError
from eid.keystore.software import SoftwareSigner
from eid.personalization.data_groups import require_curve
from eid.pki.cv_issuing import build_cv_certificate, build_cv_public_key
from eid.profile.schema import CardProfile, Cvca
from eid.protocols.restricted_identification.core import build_terminal_sector, protocol_of
from eid.protocols.restricted_identification.sector_key import SectorPublicKey, build_sector_key
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from eid.testing.authority import make_key, make_signer

FINGERS_AND_IRISES: Final = 0x03  # TR-03110-1 table 3: read access to DG3 and DG4
ALL_OF_THE_EID_APPLICATION: Final = 0x3F_3FFF_FFFF  # TR-03110-4 table 4, without the two bits that are for other uses
AUTHORIZATION_LENGTHS: Final = {ID_IS: 1, ID_AT: 5}  # octets
CVCA_DAYS: Final = 1095
BELOW_DAYS: Final = 365  # of document verifier and terminal; longer than real ones, so that a specimen lasts


@dataclass
class SpecimenTerminals:
    """Whom a profile's cards trust, and a terminal that may do all that there is to do.

    For the eID application that is an authentication terminal of one sector, else an inspection system.

    Args:
        now: when they issue; certificates begin the day before. rights: of the terminal; None gives it all of them.

    Raises:
        ProfileError: the profile has no [authority.cvca], or names a curve on which keys cannot be made here.
    """

    profile: CardProfile
    now: datetime
    rights: int | None = None
    sector: SectorPublicKey | None = field(init=False, repr=False)
    terminal: SoftwareSigner = field(init=False, repr=False)
    _key: ec.EllipticCurvePrivateKey = field(init=False, repr=False)
    cvca_certificate: bytes = field(init=False, repr=False)
    dv_certificate: bytes = field(init=False, repr=False)
    terminal_certificate: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        stated = self.profile.authority.cvca
        if stated is None:
            raise ProfileError(f"profile {self.profile.name} has no [authority.cvca]")
        self.sector = _make_sector(self.profile)
        cvca, dv = (make_signer(name, stated.curve, stated.hash) for name in ("cvca", "dv"))
        self._key = make_key(stated.curve)
        self.terminal = SoftwareSigner("terminal", self._key, SignatureAlgorithm("ecdsa", stated.hash))
        names = self._names(stated)
        self.cvca_certificate = self._certify(cvca, names[0], cvca, names[0], Role.CVCA)
        self.dv_certificate = self._certify(cvca, names[0], dv, names[1], Role.DOMESTIC_DV)
        self.terminal_certificate = self._certify(dv, names[1], self.terminal, names[2], Role.TERMINAL)

    def _names(self, stated: Cvca) -> tuple[str, str, str]:
        country = self.profile.authority.country
        kind = "AT" if self.terminal_type == ID_AT else "IS"
        return f"{country}{stated.mnemonic}00001", f"{country}SPECDV00001", f"{country}SPEC{kind}00001"

    @property
    def terminal_type(self) -> str:
        """Object identifier of the kind of terminal, dotted."""
        return ID_IS if self.profile.eid_application is None else ID_AT

    def _authorize(self, role: Role) -> Chat:
        everything = FINGERS_AND_IRISES if self.terminal_type == ID_IS else ALL_OF_THE_EID_APPLICATION
        rights = self.rights if role is Role.TERMINAL and self.rights is not None else everything
        length = AUTHORIZATION_LENGTHS[self.terminal_type]
        return Chat(self.terminal_type, (role << 8 * length - 2 | rights).to_bytes(length, "big"))

    def _extend(self, issuer: SoftwareSigner, role: Role) -> tuple[CvExtension, ...]:
        if role is not Role.TERMINAL or self.sector is None:
            return ()
        return (build_terminal_sector(issuer.algorithm.hash_name, self.sector.content),)

    def _certify(
        self, issuer: SoftwareSigner, issuer_name: str, holder: SoftwareSigner, name: str, role: Role
    ) -> bytes:
        begin = self.now.date() - timedelta(days=1)
        return build_cv_certificate(
            issuer,
            authority_reference=issuer_name,
            holder_reference=name,
            public_key=build_cv_public_key(holder, explicit=role is Role.CVCA),
            chat=self._authorize(role),
            effective_date=begin,
            expiration_date=begin + timedelta(days=CVCA_DAYS if role is Role.CVCA else BELOW_DAYS),
            extensions=self._extend(issuer, role),
        )

    @property
    def credentials(self) -> TerminalCredentials:
        """The terminal's key with its chain, the trust point's own certificate left out."""
        return TerminalCredentials((self.dv_certificate, self.terminal_certificate), self.terminal)

    def export_key(self) -> bytes:
        """The terminal's private key, PKCS#8 in PEM, under no passphrase."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _make_sector(profile: CardProfile) -> SectorPublicKey | None:
    """A sector whose private key nobody keeps (TR-03110-3 A.5.2); None for cards without Restricted Identification."""
    keys = () if profile.eid_application is None else profile.eid_application.keys
    for key in keys:
        group = EcGroup(require_curve(key))
        return build_sector_key(protocol_of(group, key.hash), group, group.generate().public)
    return None
