"""A terminal's chain and key from files, as `eid card new` and `eid pki cv` write them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from eid.codec.cv import MAX_CERTIFICATE, CvEcPublicKey, CvPublicKey, decode_cv_certificate
from eid.errors import DecodeError, KeyStoreError, LocalProtocolError
from eid.keystore.pkcs8 import BEGIN, decrypt_private_key_info
from eid.keystore.software import PrivateKey, SoftwareSigner
from eid.pki.cv_chain import SIGNATURE_ALGORITHMS
from eid.pki.cv_issuing import build_cv_public_key
from eid.protocols.terminal_authentication.terminal import TerminalCredentials
from eid.services.input_file import read_input

MAX_KEY: Final = 1 << 16  # octets of a file


def load_terminal_credentials(chain: Sequence[Path], key: Path, passphrase: Callable[[], bytes]) -> TerminalCredentials:
    """The chain, from below a CVCA to the terminal's own certificate, and the terminal's key.

    Args:
        key: PKCS#8 in PEM, bare, or encrypted as our key store writes it; only then the passphrase is asked for.

    Raises:
        DecodeError: a file cannot be read, or is no certificate or key. KeyStoreError: wrong passphrase, or the key is
            not the last certificate's. LocalProtocolError: there is no certificate.
    """
    certificates = tuple(read_input(path, MAX_CERTIFICATE, "CV certificate") for path in chain)
    if not certificates:
        raise LocalProtocolError("the terminal has no certificate")
    public_key = decode_cv_certificate(certificates[-1]).public_key
    algorithm = SIGNATURE_ALGORITHMS.get(public_key.oid)
    if algorithm is None:
        raise DecodeError(f"the terminal's certificate is for the unknown algorithm {public_key.oid}")
    kind = "ecdsa" if algorithm.kind == "ecdsa-plain" else algorithm.kind
    signer = SoftwareSigner("terminal", _load_key(key, passphrase), replace(algorithm, kind=kind))
    if build_cv_public_key(signer) != _without_parameters(public_key):
        raise KeyStoreError(f"{key}: not the key of the terminal's certificate")
    return TerminalCredentials(certificates, signer)


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
