"""CV certificates with OpenPACE's cvc-create and cvc-print: their chain in our card, ours under their eyes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from eid.codec.cv import Chat, decode_cv_certificate
from eid.codec.oid import ID_IS
from eid.errors import StatusWordError, VerificationError
from eid.keystore.software import SoftwareSigner
from eid.pki.cv_chain import CardTrust, load_trust_point, verify_cv_chain
from eid.protocols.exchange import drive
from eid.protocols.terminal_authentication.card import TerminalAuthenticationCard
from eid.protocols.terminal_authentication.terminal import TerminalCredentials, run_terminal_authentication
from eid.services.pki.cv_authority import create_cv_authority
from eid.services.pki.cv_register import CvRegister
from tests.builders.issuing import software_keys
from tests.builders.machine import missing
from tests.builders.terminals import BEGIN, CVCA, DV, ECDSA, TERMINAL, build_authentication_pki, build_terminal_pki
from tests.conftest import SYSTEM_PATH
from tests.interop.conftest import Control
from tests.protocols.test_terminal_authentication import TaChip

TODAY = date(2026, 6, 1)
DATES = ("--issued=260101", "--expires=261231", "--scheme=ECDSA_SHA_256")
RequireTool = Callable[[str], Path]
OPENPACE = "OpenPACE cvc-*"


@dataclass(frozen=True)
class TheirChain:
    """What cvc-create has made: CVCA, DV and terminal certificates, and the terminal's key."""

    cvca: bytes
    dv: bytes
    terminal: bytes
    signer: SoftwareSigner

    def credentials(self) -> TerminalCredentials:
        return TerminalCredentials((self.dv, self.terminal), self.signer)


@pytest.fixture(scope="module")
def openpace() -> RequireTool:
    """OpenPACE's programs: pycvc installs others of the same names beside the interpreter."""

    def find(name: str) -> Path:
        found = shutil.which(name, path=SYSTEM_PATH)
        return Path(found) if found else missing(f"there is no {name} of OpenPACE on this machine")

    return find


@pytest.fixture(scope="module")
def theirs(openpace: RequireTool, tmp_path_factory: pytest.TempPathFactory) -> TheirChain:
    tool, folder = openpace("cvc-create"), tmp_path_factory.mktemp("cvc")
    root = ec.generate_private_key(ec.BrainpoolP256R1())
    (folder / "cvca.key").write_bytes(root.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    def create(role: str, name: str, file: str, *options: str) -> bytes:
        arguments = (f"--role={role}", f"--chr={name}", f"--out-cert={file}", *DATES, *options)
        subprocess.run((tool, *arguments), cwd=folder, check=True, capture_output=True)
        return (folder / file).read_bytes()

    rights = ("--read-finger", "--read-iris")
    cvca = create("cvca", CVCA, "cvca", "--type=is", "--sign-with=cvca.key", *rights)
    below_cvca = ("--sign-with=cvca.key", "--sign-as=cvca", "--out-key=dv.key")
    dv = create("dv_domestic", DV, "dv", *below_cvca, *rights)
    below_dv = ("--sign-with=dv.key", "--sign-as=dv", "--out-key=terminal.key")
    terminal = create("terminal", TERMINAL, "terminal", *below_dv, "--read-finger")
    key = load_der_private_key((folder / "terminal.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    # Their key file states the curve by its parameters; the same number on the curve that has them.
    named = ec.derive_private_key(key.private_numbers().private_value, ec.BrainpoolP256R1())
    return TheirChain(cvca, dv, terminal, SoftwareSigner("theirs", named, ECDSA))


def chip(theirs: TheirChain) -> TaChip:
    trust = CardTrust((load_trust_point(theirs.cvca),), BEGIN)
    return TaChip(TerminalAuthenticationCard(trust, b"ID", terminal_key=b"key"))


@pytest.mark.proves(OPENPACE, "card", "cvc-create's chain opens our card")
def test_their_chain_opens_our_card(theirs: TheirChain) -> None:
    card = chip(theirs)
    drive(run_terminal_authentication(theirs.credentials(), [CVCA], b"ID", b"key"), card)
    assert card.terminal is not None
    assert card.terminal.chat == Chat(ID_IS, b"\x01")


@pytest.mark.proves(OPENPACE, "card", "cvc-create's chain, altered, is refused", Control.REFUSED)
@pytest.mark.parametrize("which", ["dv", "terminal"])
def test_their_chain_with_one_bit_changed(theirs: TheirChain, which: str) -> None:
    chain = {"dv": theirs.dv, "terminal": theirs.terminal}
    chain[which] = chain[which][:-1] + bytes((chain[which][-1] ^ 1,))
    card = chip(theirs)
    credentials = TerminalCredentials(tuple(chain.values()), theirs.signer)
    with pytest.raises(StatusWordError) as caught:
        drive(run_terminal_authentication(credentials, [CVCA], b"ID", b"key"), card)
    assert (caught.value.sw, caught.value.command) == (0x6300, "PSO:Verify Certificate")
    with pytest.raises(VerificationError):
        verify_cv_chain(map(decode_cv_certificate, chain.values()), load_trust_point(theirs.cvca), TODAY)


@pytest.mark.proves(OPENPACE, "CVCA, DV, terminal", "cvc-print verifies our chain")
@pytest.mark.parametrize("build", [build_terminal_pki, build_authentication_pki])
def test_their_eyes_on_our_chain(build: Callable[[], object], openpace: RequireTool, tmp_path: Path) -> None:
    tool = openpace("cvc-print")
    pki = build()
    trusted = {CVCA: pki.cvca_certificate(), DV: pki.dv_certificate()}  # type: ignore[attr-defined]  # one of both builders, called alike
    for name, raw in trusted.items():
        (tmp_path / name).write_bytes(raw)

    def look(raw: bytes) -> str:
        (tmp_path / "certificate").write_bytes(raw)
        arguments = (tool, "-c", tmp_path / "certificate", f"--cvc-dir={tmp_path}")
        return subprocess.run(arguments, check=False, capture_output=True, text=True).stdout

    ours = pki.terminal_certificate()  # type: ignore[attr-defined]  # one of both builders, called alike
    for raw in (*trusted.values(), ours):
        seen = look(raw)
        assert "certificate verified" in seen
        assert "Expiration Date: 2026-12-31" in seen
    assert f"CHR: {TERMINAL}" in look(ours)
    assert "certificate not verified" in look(ours[:-1] + bytes((ours[-1] ^ 1,)))


@pytest.mark.proves(
    OPENPACE, "DV", "cvc-print verifies our request, and notices an altered one", Control.WORKS, Control.NOTICED
)
def test_their_eyes_on_our_request(openpace: RequireTool, tmp_path: Path) -> None:
    """cvc-print verifies a plain request. It knows no authenticated one, and cvc-create cannot issue on any request:
    the option that names the request and the holder's name, which it insists on, exclude each other.
    """
    tool = openpace("cvc-print")
    register = CvRegister("dv", DV[:-5], "is", "brainpoolP256r1")
    dv = create_cv_authority(tmp_path / "dv", register, software_keys(tmp_path / "dv"))
    request = dv.request(datetime(2026, 6, 1, 12, tzinfo=UTC), CVCA)

    def look(raw: bytes) -> str:
        (tmp_path / "request").write_bytes(raw)
        arguments = (tool, f"--csr={tmp_path / 'request'}")
        return subprocess.run(arguments, check=False, capture_output=True, text=True).stdout

    assert "certificate request verified" in look(request)
    assert f"CHR: {DV}" in look(request)
    assert "request verified" not in look(request[:-1] + bytes((request[-1] ^ 1,)))
