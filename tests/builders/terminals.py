"""An invented terminal PKI: CVCA, document verifiers, terminals. SPECIMEN."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from eid.codec.cv import Chat, CvCertificate, CvExtension, Role, decode_cv_certificate
from eid.codec.oid import ID_AT, ID_IS
from eid.crypto.signatures import SignatureAlgorithm
from eid.keystore.ports import Signer
from eid.keystore.software import SoftwareSigner
from eid.pki.cv_chain import Verified, load_trust_point
from eid.pki.cv_issuing import build_cv_certificate, build_cv_public_key
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from tests.builders.rsa_keys import rsa_private_key

ECDSA = SignatureAlgorithm("ecdsa", "sha256")
BEGIN, END = date(2026, 1, 1), date(2026, 12, 31)
CVCA, DV, TERMINAL = "UTCVCASPEC00001", "UTDVSPEC00001", "UTISSPEC00001"
ALL_AT_RIGHTS = bytes.fromhex("3FFFFFFFFF")


@cache
def ec_signer(name: str, algorithm: SignatureAlgorithm = ECDSA, curve: str = "brainpoolP256r1") -> Signer:
    curves = {"brainpoolP256r1": ec.BrainpoolP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    return SoftwareSigner(name, ec.generate_private_key(curves[curve]), algorithm)


@cache
def rsa_signer(name: str, algorithm: SignatureAlgorithm, bits: int = 2048) -> Signer:
    return SoftwareSigner(name, rsa_private_key(bits), algorithm)


def chat(role: Role, rights: bytes, terminal_type: str = ID_IS) -> Chat:
    return Chat(terminal_type, bytes((role << 6 | rights[0] & 0x3F,)) + rights[1:])


@dataclass(frozen=True)
class TerminalPki:
    """Keys and rights of one chain; `replace` gives a variant."""

    cvca: Signer
    dv: Signer
    terminal: Signer
    terminal_type: str = ID_IS
    cvca_rights: bytes = b"\x03"
    dv_rights: bytes = b"\x03"
    terminal_rights: bytes = b"\x03"
    dv_role: Role = Role.DOMESTIC_DV
    begin: date = BEGIN
    end: date = END
    extensions: tuple[CvExtension, ...] = ()  # of the terminal's certificate

    def cvca_certificate(self) -> bytes:
        return self.certify(self.cvca, CVCA, self.cvca, CVCA, Role.CVCA, self.cvca_rights, explicit=True)

    def trust_point(self) -> Verified:
        return load_trust_point(self.cvca_certificate())

    def link_certificate(self, new: Signer, name: str = "UTCVCASPEC00002", *, explicit: bool = True) -> bytes:
        return self.certify(self.cvca, CVCA, new, name, Role.CVCA, self.cvca_rights, explicit=explicit)

    def dv_certificate(self) -> bytes:
        return self.certify(self.cvca, CVCA, self.dv, DV, self.dv_role, self.dv_rights)

    def terminal_certificate(self) -> bytes:
        rights, extensions = self.terminal_rights, self.extensions
        return self.certify(self.dv, DV, self.terminal, TERMINAL, Role.TERMINAL, rights, extensions=extensions)

    def chain(self) -> tuple[bytes, ...]:
        return self.dv_certificate(), self.terminal_certificate()

    def decoded(self) -> tuple[CvCertificate, ...]:
        return tuple(decode_cv_certificate(raw) for raw in self.chain())

    def credentials(self) -> TerminalCredentials:
        return TerminalCredentials(self.chain(), self.terminal)

    def certify(
        self,
        issuer: Signer,
        issuer_name: str,
        holder: Signer,
        name: str,
        role: Role,
        rights: bytes,
        *,
        explicit: bool = False,
        extensions: tuple[CvExtension, ...] = (),
    ) -> bytes:
        return build_cv_certificate(
            issuer,
            authority_reference=issuer_name,
            holder_reference=name,
            public_key=build_cv_public_key(holder, explicit=explicit),
            chat=chat(role, rights, self.terminal_type),
            effective_date=self.begin,
            expiration_date=self.end,
            extensions=extensions,
        )


def build_terminal_pki() -> TerminalPki:
    """ECDSA on one curve throughout, an inspection system that may read DG3 and DG4."""
    return TerminalPki(ec_signer("cvca"), ec_signer("dv"), ec_signer("terminal"))


def build_authentication_pki(rights: bytes = ALL_AT_RIGHTS) -> TerminalPki:
    """An authentication terminal of the eID application with these rights."""
    everything = {"cvca_rights": ALL_AT_RIGHTS, "dv_rights": ALL_AT_RIGHTS}
    return replace(build_terminal_pki(), terminal_type=ID_AT, terminal_rights=rights, **everything)
