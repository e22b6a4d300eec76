"""CV certificates with pycvc, by another author than OpenPACE: ours under its eyes, its requests and chains here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eid.codec.cv import Role, decode_cv_certificate
from eid.errors import VerificationError
from eid.pki.cv_chain import load_trust_point, verify_cv_chain
from eid.pki.cv_rights import name_rights
from eid.services.pki.cv_authority import CvAuthority, create_cv_authority
from eid.services.pki.cv_register import CvRegister, CvRole
from tests.builders.issuing import software_keys
from tests.interop.conftest import Control

certificates = pytest.importorskip("cvc.certificates", reason="pycvc is not installed")
from cvc import oid, terminal  # noqa: E402  behind the question whether it is there

NOW = datetime.now(UTC).replace(microsecond=0)
RIGHTS = b"\x03"
WHO = "pycvc"
KINDS = {
    "P-256": (ec.SECP256R1(), oid.ID_TA_ECDSA_SHA_256),
    "brainpoolP384r1": (ec.BrainpoolP384R1(), oid.ID_TA_ECDSA_SHA_256),
    "RSA-2048": (None, oid.ID_TA_RSA_V1_5_SHA_256),
}
Make = Callable[..., CvAuthority]


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(tmp_path: Path, kind: str) -> Make:
    def build(role: CvRole, holder: str) -> CvAuthority:
        register = CvRegister(role, holder, "is", kind, "sha256", "pkcs1")
        return create_cv_authority(tmp_path / holder, register, software_keys(tmp_path / holder))

    return build


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@pytest.fixture
def ours(make: Make) -> tuple[CvAuthority, CvAuthority, CvAuthority]:
    cvca, dv, inspection = make("cvca", "UTCVCASPEC"), make("dv", "UTDVSPEC"), make("terminal", "UTISSPEC")
    cvca.renew(NOW, 365, RIGHTS)
    request = dv.request(NOW, "UTCVCASPEC00001")  # pycvc fails on a request that names no authority
    raw = cvca.issue(request, Role.DOMESTIC_DV, RIGHTS, 90, NOW, fingerprint=digest(request))
    dv.install(raw, (), (cvca.certificate,), NOW)
    request = inspection.request(NOW)
    raw = dv.issue(request, Role.TERMINAL, b"\x01", 30, NOW, fingerprint=digest(request))
    inspection.install(raw, (dv.certificate,), (cvca.certificate,), NOW)
    return cvca, dv, inspection


def look(raw: bytes) -> Any:
    return certificates.CVC().decode(raw)


@pytest.mark.proves(WHO, "CVCA, DV, terminal", "our chain verifies, dates and rights as meant")
@pytest.mark.proves(
    WHO, "CVCA, DV, terminal", "our chain with one bit changed is refused", Control.NOTICED, Control.REFUSED
)
def test_our_chain(ours: tuple[CvAuthority, ...], tmp_path: Path) -> None:
    cvca, dv, inspection = ours
    folder = tmp_path / "trusted"
    folder.mkdir()
    for authority in (cvca, dv):
        (folder / authority.register.current).write_bytes(authority.certificate)
    for authority in ours:
        raw = authority.certificate
        assert look(raw).verify(cert_dir=str(folder).encode()), authority.register.holder
        assert bytes(look(raw).chr()).decode() == authority.register.current
        assert not look(raw[:-1] + bytes((raw[-1] ^ 1,))).verify(cert_dir=str(folder).encode())
    told = look(inspection.certificate).role()
    assert (told.role_str(), told.fields_str()) == ("Terminal", "read_fingerprint")
    assert name_rights(decode_cv_certificate(inspection.certificate).chat) == ("read-dg3",)


@pytest.mark.proves(WHO, "CVCA", "our link certificate verifies under the key before")
def test_our_link(ours: tuple[CvAuthority, ...]) -> None:
    cvca, *_ = ours
    first = cvca.certificate
    cvca.renew(NOW, 365, RIGHTS)
    (link,) = cvca.links()
    curve = KINDS[cvca.register.kind][0]
    assert look(link).verify(dica=first, curve=curve)
    assert not look(link).verify(dica=cvca.certificate, curve=curve)


@pytest.mark.proves(WHO, "DV", "our requests verify, plain and authenticated")
def test_our_requests(ours: tuple[CvAuthority, ...], tmp_path: Path) -> None:
    _, dv, _ = ours
    plain = (dv.directory / "own" / "UTDVSPEC00001.cvreq").read_bytes()
    assert look(plain).is_req()
    curve = KINDS[dv.register.kind][0]
    assert look(plain).verify(dica=plain, curve=curve)
    authenticated = dv.request(NOW)
    assert look(authenticated).is_req()
    assert bytes(look(authenticated).outer_car()) == b"UTDVSPEC00001"
    assert look(authenticated).verify(outer=True, dica=dv.certificate, curve=curve)
    torn = authenticated[:-1] + bytes((authenticated[-1] ^ 1,))
    assert not look(torn).verify(outer=True, dica=dv.certificate, curve=curve)


def private_key(kind: str) -> Any:
    curve, _ = KINDS[kind]
    return rsa.generate_private_key(65537, 2048) if curve is None else ec.generate_private_key(curve)


@pytest.mark.proves(WHO, "CVCA", "its requests are certified here")
@pytest.mark.proves(WHO, "CVCA", "its request with one bit changed is refused here", Control.REFUSED)
def test_their_requests(make: Make, kind: str) -> None:
    cvca = make("cvca", "UTCVCASPEC")
    cvca.renew(NOW, 365, RIGHTS)
    key, scheme = private_key(kind), KINDS[kind][1]
    names = {"car": b"UTCVCASPEC00001", "chr": b"UTDVTHEIRS00001"}
    signing = {"pubkey": key.public_key(), "scheme": scheme, "signkey": key, "signscheme": scheme}
    request = bytes(certificates.CVC().req(**signing, **names).encode())
    torn = request[:-1] + bytes((request[-1] ^ 1,))
    with pytest.raises(VerificationError):
        cvca.issue(torn, Role.DOMESTIC_DV, RIGHTS, 90, NOW, fingerprint=digest(torn))
    raw = cvca.issue(request, Role.DOMESTIC_DV, RIGHTS, 90, NOW, fingerprint=digest(request))
    assert look(raw).verify(dica=cvca.certificate, curve=KINDS[kind][0])
    # The next one, countersigned by the key so far.
    new = private_key(kind)
    signing = {"pubkey": new.public_key(), "scheme": scheme, "signkey": new, "signscheme": scheme}
    outer = {"outercar": b"UTDVTHEIRS00001", "outerkey": key, "outerscheme": scheme}
    names["chr"] = b"UTDVTHEIRS00002"
    second = bytes(certificates.CVC().req(**signing, **names, **outer).encode())
    issued = decode_cv_certificate(cvca.issue(second, Role.DOMESTIC_DV, RIGHTS, 90, NOW))
    assert issued.holder_reference == "UTDVTHEIRS00002"
    outer["outerkey"], names["chr"] = private_key(kind), b"UTDVTHEIRS00003"
    forged = bytes(certificates.CVC().req(**signing, **names, **outer).encode())
    with pytest.raises(VerificationError):
        cvca.issue(forged, Role.DOMESTIC_DV, RIGHTS, 90, NOW)


@pytest.mark.proves(WHO, "terminal", "its chain verifies here")
def test_their_chain(kind: str) -> None:
    scheme = KINDS[kind][1]
    root, verifier, inspection = (private_key(kind) for _ in range(3))

    def certify(key: Any, issuer: Any, car: bytes, chr: bytes, role: int) -> bytes:
        made = certificates.CVC().cert(
            pubkey=key.public_key(),
            scheme=scheme,
            signkey=issuer,
            signscheme=scheme,
            car=car,
            chr=chr,
            role=terminal.TypeIS(role, read_fingerprint=1),
            days=30,
            since=f"{NOW:%y%m%d}",
        )
        return bytes(made.encode())

    cvca, dv, name = b"UTCVCATHEIR00001", b"UTDVTHEIRS00001", b"UTISTHEIRS00001"
    point = load_trust_point(certify(root, root, cvca, cvca, terminal.Type.CVCA))
    chain = (
        certify(verifier, root, cvca, dv, terminal.Type.DV_domestic),
        certify(inspection, verifier, dv, name, terminal.Type.Terminal),
    )
    verified = verify_cv_chain(map(decode_cv_certificate, chain), point, NOW.date())
    assert name_rights(verified.chat) == ("read-dg3",)
