"""A terminal's chain, key and sectors from files, as `eid card new` and `eid pki cv` write them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from eid.codec import cv_tags
from eid.codec.cv import MAX_CERTIFICATE, CvCertificate, CvEcPublicKey, CvPublicKey, Role, decode_cv_certificate
from eid.codec.tlv import decode_tlv
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import DecodeError, KeyStoreError, LocalProtocolError
from eid.keystore.pkcs8 import BEGIN, decrypt_private_key_info
from eid.keystore.ports import Signer
from eid.keystore.software import PrivateKey, SoftwareSigner
from eid.pki.cv_chain import SIGNATURE_ALGORITHMS
from eid.pki.cv_issuing import build_cv_public_key
from eid.protocols.restricted_identification.sector_key import SectorPublicKey, decode_sector_key
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from eid.services.input_file import read_input

MAX_KEY: Final = 1 << 16  # octets of a file
MAX_SECTOR: Final = 1 << 12


def load_terminal_credentials(chain: Sequence[Path], key: Path, passphrase: Callable[[], bytes]) -> TerminalCredentials:
    """The chain below a CVCA, down to the terminal's own certificate, and the terminal's key from a file.

    Args:
        key: PKCS#8 in PEM, bare, or encrypted as our key store writes it; only then the passphrase is asked for.

    Raises:
        DecodeError: a file cannot be read, or is no certificate or key. KeyStoreError: wrong passphrase, or the key is
            not the terminal's. LocalProtocolError: the certificates are no chain to a terminal.
    """
    return open_terminal_credentials(
        chain, lambda algorithm: SoftwareSigner("terminal", _load_key(key, passphrase), algorithm)
    )


def open_terminal_credentials(
    chain: Sequence[Path], open_key: Callable[[SignatureAlgorithm], Signer]
) -> TerminalCredentials:
    """The chain from files, in any order, and the terminal's key from wherever it is.

    Args:
        chain: the CVCA's self-signed certificate may be among them; no card wants it.
        open_key: is given the algorithm of the terminal's certificate.

    Raises:
        DecodeError: a file cannot be read, or is no certificate. KeyStoreError: the key cannot be opened, or is not the
            terminal's. LocalProtocolError: the certificates are no chain to a terminal.
    """
    certificates = _sort(decode_cv_certificate(read_input(path, MAX_CERTIFICATE, "CV certificate")) for path in chain)
    public_key = certificates[-1].public_key
    algorithm = SIGNATURE_ALGORITHMS.get(public_key.oid)
    if algorithm is None:
        raise DecodeError(f"the terminal's certificate is for the unknown algorithm {public_key.oid}")
    kind = "ecdsa" if algorithm.kind == "ecdsa-plain" else algorithm.kind
    signer = open_key(replace(algorithm, kind=kind))
    if build_cv_public_key(signer) != _without_parameters(public_key):
        raise KeyStoreError(f"not the key of the certificate of {certificates[-1].holder_reference}")
    return TerminalCredentials(tuple(certificate.raw for certificate in certificates), signer)


def load_sector(path: Path) -> SectorPublicKey:
    """A sector's public key, the data object 7F49.

    Raises:
        DecodeError: the file cannot be read, or is no such key.
    """
    return decode_sector_key(decode_tlv(read_input(path, MAX_SECTOR, "sector's public key"), cv_tags.PUBLIC_KEY).value)


def _sort(certificates: Iterable[CvCertificate]) -> list[CvCertificate]:
    """From the terminal's certificate upwards, each one's issuer before it."""
    known = [certificate for certificate in certificates if not certificate.is_self_signed]
    terminals = [certificate for certificate in known if certificate.chat.role is Role.TERMINAL]
    if len(terminals) != 1:
        raise LocalProtocolError(f"{len(terminals)} certificates of terminals are given, where one is due")
    chain = terminals
    by_name = {certificate.holder_reference: certificate for certificate in known}
    while (above := by_name.pop(chain[0].authority_reference, None)) is not None:
        chain.insert(0, above)
    if len(chain) != len(known):
        raise LocalProtocolError("the certificates are no chain: some lead to no terminal that is given")
    return chain


def _without_parameters(key: CvPublicKey) -> CvPublicKey:
    return replace(key, parameters=None) if isinstance(key, CvEcPublicKey) else key


def _load_key(path: Path, passphrase: Callable[[], bytes]) -> PrivateKey:
    pem = read_input(path, MAX_KEY, "terminal's key")
    try:
        if pem.startswith(BEGIN):
            key = load_der_private_key(decrypt_private_key_info(pem, passphrase()), None)
        else:
            key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise DecodeError(f"{path}: no private key in PKCS#8", clause="RFC 7468 10") from None
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise DecodeError(f"{path}: neither an EC nor an RSA key")
    return key
