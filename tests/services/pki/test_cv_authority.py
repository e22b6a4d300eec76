"""CVCA, document verifiers and terminals on disk: requests, certificates, links; keys in files and in a token."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eid.codec.cv import (
    CvEcPublicKey,
    Role,
    decode_cv_authenticated_request,
    decode_cv_certificate,
    decode_cv_request,
)
from eid.codec.oid import ID_AT, ID_IS
from eid.crypto.curves import CURVES
from eid.crypto.group import EcGroup
from eid.errors import (
    AlreadyDoneError,
    DecodeError,
    KeyStoreError,
    LifecycleError,
    NotStoredError,
    Reason,
    StoreError,
    VerificationError,
)
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.keystore.ports import KeyStore
from eid.lds.security_infos import ID_RI_ECDH
from eid.pki.cv_chain import CardTrust, load_trust_point, verify_cv_certificate, verify_cv_chain
from eid.pki.cv_request import authenticate_cv_request, build_cv_request
from eid.pki.cv_rights import all_rights, name_rights, rights_of
from eid.protocols.restricted_identification.core import find_terminal_sector, hash_sector_key
from eid.protocols.restricted_identification.sector_key import build_sector_key
from eid.services.pki.authority_backup import restore_backup, write_backup
from eid.services.pki.cv_authority import CvAuthority, create_cv_authority, open_cv_authority
from eid.services.pki.cv_register import CvRegister, CvRole, decode_cv_register
from tests.builders.issuing import clear_token, software_keys
from tests.conftest import SoftHsmToken

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TODAY = NOW.date()
DG3 = rights_of(ID_IS, ("read-dg3",))
BOTH = all_rights(ID_IS)
Make = Callable[..., CvAuthority]


@pytest.fixture(params=["software", "pkcs11"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes holders whose keys are in files, or all in one token."""
    token: Pkcs11KeyStore | None = None
    if request.param == "pkcs11":
        found: SoftHsmToken = request.getfixturevalue("softhsm_token")
        token = Pkcs11KeyStore(str(found.module), found.label, found.pin)
        clear_token(token)

    def build(role: CvRole, holder: str, kind: str = "P-256", hash_name: str = "sha256", **more: str) -> CvAuthority:
        directory = tmp_path / holder
        keys: KeyStore = token or software_keys(directory)
        register = CvRegister(role, holder, more.pop("terminal_type", "is"), kind, hash_name, **more)
        return create_cv_authority(directory, register, keys, operator="SPECIMEN operator")

    yield build
    if token is not None:
        clear_token(token)
        token.close()


@pytest.fixture
def software(tmp_path: Path) -> Make:
    def build(role: CvRole, holder: str, kind: str = "P-256", **more: str) -> CvAuthority:
        register = CvRegister(role, holder, more.pop("terminal_type", "is"), kind, **more)
        return create_cv_authority(tmp_path / holder, register, software_keys(tmp_path / holder))

    return build


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def certify(issuer: CvAuthority, holder: CvAuthority, role: Role, rights: bytes = BOTH, now: datetime = NOW) -> bytes:
    """The first certificate: the request's digest came another way."""
    request = holder.request(now)
    raw = issuer.issue(request, role, rights, 90, now, fingerprint=digest(request))
    point, between = issuer.chain()
    own = () if issuer.register.role == "cvca" else between
    return holder.install(raw, own, (point.certificate.raw,), now)


def build_three(make: Make, kind: str = "P-256", **more: str) -> tuple[CvAuthority, CvAuthority, CvAuthority]:
    cvca = make("cvca", "UTCVCASPEC", kind, **more)
    cvca.renew(NOW, 1095, BOTH)
    dv, terminal = make("dv", "UTDVSPEC", kind, **more), make("terminal", "UTISSPEC", kind, **more)
    certify(cvca, dv, Role.DOMESTIC_DV)
    certify(dv, terminal, Role.TERMINAL, DG3)
    return cvca, dv, terminal


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("P-256", {}),
        ("brainpoolP384r1", {"hash_name": "sha384"}),
        ("RSA-2048", {}),
        ("RSA-2048", {"scheme": "pkcs1"}),
    ],
    ids=["P-256", "brainpoolP384r1", "RSA-PSS", "RSA-PKCS1"],
)
def test_a_chain_from_requests(make: Make, kind: str, more: dict[str, str]) -> None:
    cvca, dv, terminal = build_three(make, kind, **more)
    point, chain = terminal.chain()
    assert point.certificate.raw == cvca.certificate
    assert chain == (dv.certificate, terminal.certificate)
    verified = verify_cv_chain(map(decode_cv_certificate, chain), point, TODAY)
    assert (verified.certificate.holder_reference, verified.rights) == ("UTISSPEC00001", DG3)
    assert name_rights(verified.chat) == ("read-dg3",)
    key = decode_cv_certificate(cvca.certificate).public_key
    assert not isinstance(key, CvEcPublicKey) or key.parameters is not None
    for raw in chain:  # D.3.3: below the CVCA no domain parameters
        below = decode_cv_certificate(raw).public_key
        assert not isinstance(below, CvEcPublicKey) or below.parameters is None
    purposes = [entry.purpose for entry in cvca.record.entries("UTCVCASPEC00001")]
    assert purposes == ["certificate UTCVCASPEC00001", "certificate UTDVSPEC00001"]
    assert {entry.operator for entry in cvca.record.entries("UTCVCASPEC00001")} == {"SPECIMEN operator"}


def test_the_next_certificate_needs_no_digest(make: Make) -> None:
    cvca, dv, _ = build_three(make)
    later = NOW + timedelta(days=60)
    request = dv.request(later, "UTCVCASPEC00001")
    outer = decode_cv_authenticated_request(request)
    assert (outer.authority_reference, outer.request.holder_reference) == ("UTDVSPEC00001", "UTDVSPEC00002")
    assert outer.request.authority_reference == "UTCVCASPEC00001"
    raw = cvca.issue(request, Role.DOMESTIC_DV, BOTH, 90, later)
    dv.install(raw, (), (), later)
    assert dv.verified(later.date()).certificate.holder_reference == "UTDVSPEC00002"
    with pytest.raises(AlreadyDoneError, match="UTDVSPEC00002 has its certificate"):
        cvca.issue(request, Role.DOMESTIC_DV, BOTH, 90, later)
    # A year on, the certificate so far has expired: nobody vouches for the request any more.
    request = dv.request(NOW + timedelta(days=400))
    assert decode_cv_request(request).holder_reference == "UTDVSPEC00003"


def test_a_link_certificate_carries_cards_to_the_next_key(make: Make) -> None:
    cvca, dv, terminal = build_three(make)
    later = NOW + timedelta(days=30)
    new = cvca.renew(later, 1095, BOTH, kind="P-384")
    (link,) = cvca.links()
    first = load_trust_point(cvca.directory.joinpath("own", "UTCVCASPEC00001.cvcert").read_bytes())
    trust = CardTrust((first,), TODAY)
    accepted = trust.accept(verify_cv_certificate(decode_cv_certificate(link), first, TODAY))
    assert [item.certificate.holder_reference for item in accepted.points] == ["UTCVCASPEC00002", "UTCVCASPEC00001"]
    assert accepted.points[0].key.curve == load_trust_point(new).key.curve
    # Document verifiers follow; a key on the old curve cannot stand below the new one.
    request = dv.request(later)
    with pytest.raises(LifecycleError, match="another curve"):
        cvca.issue(request, Role.DOMESTIC_DV, BOTH, 90, later)
    cvca.renew(later, 1095, BOTH, kind="P-256")
    raw = cvca.issue(request, Role.DOMESTIC_DV, BOTH, 90, later)
    with pytest.raises(LifecycleError, match="UTCVCASPEC00003 is not trusted here"):
        dv.install(raw, (), (), later)
    dv.install(raw, (), (cvca.certificate,), later)
    assert terminal.verified(TODAY).rights == DG3


def test_a_foreign_document_verifier(make: Make) -> None:
    home, dv, _ = build_three(make)
    foreign = make("cvca", "XXCVCASPEC")
    foreign.renew(NOW, 1095, BOTH)
    request = dv.request(NOW, "XXCVCASPEC00001")
    countersigned = home.countersign(request, NOW)
    outer = decode_cv_authenticated_request(countersigned)
    assert outer.authority_reference == "UTCVCASPEC00001"
    with pytest.raises(LifecycleError, match="not known here"):
        foreign.issue(countersigned, Role.FOREIGN_DV, DG3, 30, NOW)
    foreign.trust(home.certificate)
    raw = foreign.issue(countersigned, Role.FOREIGN_DV, DG3, 30, NOW)
    assert decode_cv_certificate(raw).chat.role is Role.FOREIGN_DV
    dv.install(raw, (), (foreign.certificate,), NOW)
    assert dv.verified(TODAY).is_accurate
    stranger = make("dv", "XXDVSPEC")
    with pytest.raises(LifecycleError, match="XXDVSPEC is not known here"):
        home.countersign(stranger.request(NOW), NOW)
    with pytest.raises(LifecycleError, match="vouches for a request"):
        dv.countersign(request, NOW)


def test_a_restored_authority_gives_no_reference_twice(software: Make, tmp_path: Path) -> None:
    cvca = software("cvca", "UTCVCASPEC")
    cvca.renew(NOW, 1095, BOTH)
    write_backup(cvca.directory, tmp_path / "backup.tar")
    lost = decode_cv_certificate(cvca.renew(NOW, 1095, BOTH)).holder_reference
    restore_backup(tmp_path / "backup.tar", tmp_path / "again")
    again = open_cv_authority(tmp_path / "again", software_keys(tmp_path / "again"))
    renewed = decode_cv_certificate(again.renew(NOW, 1095, BOTH)).holder_reference
    assert (lost, renewed) == ("UTCVCASPEC00002", "UTCVCASPEC00102")


def test_another_country_does_not_vouch(software: Make) -> None:
    home, dv, _ = build_three(software)
    foreign = software("cvca", "XXCVCASPEC")
    foreign.renew(NOW, 1095, BOTH)
    other = software("cvca", "YYCVCASPEC")
    other.renew(NOW, 1095, BOTH)
    foreign.trust(other.certificate)
    request = decode_cv_authenticated_request(dv.request(NOW)).request.raw
    signer = other.keys.load("YYCVCASPEC00001")
    with pytest.raises(LifecycleError, match="not known here"):
        foreign.issue(authenticate_cv_request(request, signer, "YYCVCASPEC00001"), Role.FOREIGN_DV, DG3, 30, NOW)
    # The right name and another's key.
    foreign.trust(home.certificate)
    with pytest.raises(VerificationError) as caught:
        foreign.issue(authenticate_cv_request(request, signer, "UTCVCASPEC00001"), Role.FOREIGN_DV, DG3, 30, NOW)
    assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE


def test_what_an_issuer_refuses(software: Make) -> None:
    cvca, dv, terminal = build_three(software)
    request = software("dv", "UTDVOTHER").request(NOW)
    with pytest.raises(LifecycleError, match="nobody vouches"):
        cvca.issue(request, Role.DOMESTIC_DV, BOTH, 90, NOW)
    with pytest.raises(LifecycleError, match="whose digest was told"):
        cvca.issue(request, Role.DOMESTIC_DV, BOTH, 90, NOW, fingerprint="00" * 32)
    for role in (Role.TERMINAL, Role.CVCA):
        with pytest.raises(LifecycleError, match="issues no certificate"):
            cvca.issue(request, role, BOTH, 90, NOW, fingerprint=digest(request))
    with pytest.raises(LifecycleError, match="issues no certificate"):
        terminal.issue(request, Role.TERMINAL, DG3, 90, NOW, fingerprint=digest(request))
    with pytest.raises(LifecycleError, match="rights"):
        cvca.issue(request, Role.DOMESTIC_DV, b"\x3f", 90, NOW, fingerprint=digest(request))
    torn = request[:-1] + bytes((request[-1] ^ 1,))
    with pytest.raises(VerificationError) as caught:
        cvca.issue(torn, Role.DOMESTIC_DV, BOTH, 90, NOW, fingerprint=digest(torn))
    assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE
    with pytest.raises(DecodeError):
        cvca.issue(request[:-1], Role.DOMESTIC_DV, BOTH, 90, NOW)
    elsewhere = dv.request(NOW, "XXCVCASPEC00001")
    with pytest.raises(LifecycleError, match="meant for XXCVCASPEC00001"):
        cvca.issue(elsewhere, Role.DOMESTIC_DV, BOTH, 90, NOW)
    assert [item.holder_reference for item in cvca.issued()] == ["UTDVSPEC00001"]
    long = cvca.issue(request, Role.DOMESTIC_DV, BOTH, 9999, NOW, fingerprint=" " + digest(request).upper())
    assert decode_cv_certificate(long).expiration_date == decode_cv_certificate(cvca.certificate).expiration_date
    other = software("dv", "UTDVLATE").request(NOW)
    with pytest.raises(LifecycleError, match="dates"):
        cvca.issue(other, Role.DOMESTIC_DV, BOTH, 9, NOW + timedelta(days=2000), fingerprint=digest(other))
    with pytest.raises(VerificationError):  # its own certificate has expired
        dv.issue(request, Role.TERMINAL, DG3, 9, NOW + timedelta(days=200), fingerprint=digest(request))


def test_what_a_holder_refuses(software: Make) -> None:
    cvca, dv, _ = build_three(software)
    request = dv.request(NOW)
    with pytest.raises(LifecycleError, match="no key waits"):
        dv.install(dv.certificate, (), (), NOW)
    raw = cvca.issue(request, Role.DOMESTIC_DV, BOTH, 90, NOW)
    torn = raw[:-1] + bytes((raw[-1] ^ 1,))
    with pytest.raises(VerificationError):
        dv.install(torn, (), (), NOW)
    impostor = software("dv", "UTDVSPEC2")
    forged = build_cv_request(impostor._next_key("P-256"), "UTDVSPEC00002")
    (cvca.directory / "issued" / "UTDVSPEC00002.cvcert").unlink()
    swapped = cvca.issue(forged, Role.DOMESTIC_DV, BOTH, 90, NOW, fingerprint=digest(forged))
    with pytest.raises(LifecycleError, match="not for the key"):
        dv.install(swapped, (), (), NOW)
    assert dv.request(NOW)[:1] == b"\x67"  # the same key, asked for again
    assert dv.register.pending == "UTDVSPEC00002"
    with pytest.raises(LifecycleError, match="certifies itself"):
        cvca.request(NOW)
    with pytest.raises(LifecycleError, match="only a CVCA"):
        dv.renew(NOW, 1, BOTH)


def test_before_there_is_a_certificate(software: Make, tmp_path: Path) -> None:
    dv = software("dv", "UTDVSPEC")
    for attempt in (dv.chain, lambda: dv.verified(TODAY), lambda: dv.certificate):
        with pytest.raises(LifecycleError, match="no certificate yet"):
            attempt()
    with pytest.raises(AlreadyDoneError):
        software("dv", "UTDVSPEC")
    with pytest.raises(NotStoredError, match="eid pki cv init"):
        open_cv_authority(tmp_path / "nowhere")
    shown = open_cv_authority(tmp_path / "UTDVSPEC")
    with pytest.raises(KeyStoreError, match="without its keys"):
        shown.request(NOW)
    for holder in ("", "ut", "UT", "UTTOOLONGNAME1", "UT../..", "UTÄ"):
        with pytest.raises(LifecycleError, match="holder"):
            software("dv", holder)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError):
        create_cv_authority(tmp_path / "file", CvRegister("dv", "UTDVSPEC", "is", "P-256"))


def test_an_authentication_terminal(software: Make) -> None:
    cvca = software("cvca", "UTCVCAEID", terminal_type="at")
    cvca.renew(NOW, 365, all_rights(ID_AT))
    dv = software("dv", "UTDVEID", terminal_type="at")
    certify(cvca, dv, Role.DOMESTIC_DV, rights_of(ID_AT, ("age-verification", "read-dg4", "write-dg17")))
    assert name_rights(dv.verified(TODAY).chat) == ("age-verification", "read-dg4", "write-dg17")
    assert decode_cv_certificate(dv.certificate).chat.oid == ID_AT


def test_the_sectors_of_an_authentication_terminal(software: Make) -> None:
    cvca, dv, terminal = (
        software(role, holder, terminal_type="at")
        for role, holder in (("cvca", "UTCVCAEID"), ("dv", "UTDVEID"), ("terminal", "UTATEID"))
    )
    cvca.renew(NOW, 365, all_rights(ID_AT))
    certify(cvca, dv, Role.DOMESTIC_DV, all_rights(ID_AT))
    group = EcGroup(next(curve for curve in CURVES if curve.name == "P-256"))
    first, second = (build_sector_key(f"{ID_RI_ECDH}.2", group, group.generate().public) for _ in range(2))
    request = terminal.request(NOW)
    rights = rights_of(ID_AT, ("restricted-identification",))
    told = {"fingerprint": digest(request)}
    with pytest.raises(LifecycleError, match="one or two sectors"):
        dv.issue(request, Role.TERMINAL, rights, 90, NOW, sectors=(first, second, first), **told)
    raw = dv.issue(request, Role.TERMINAL, rights, 90, NOW, sectors=(first, second), **told)
    point, between = dv.chain()
    terminal.install(raw, between, (point.certificate.raw,), NOW)
    named = find_terminal_sector(decode_cv_certificate(terminal.certificate).extensions)
    assert named.first == hash_sector_key("sha256", first.content)
    assert named.second == hash_sector_key("sha256", second.content)
    with pytest.raises(LifecycleError, match="one or two sectors"):
        cvca.issue(dv.request(NOW), Role.DOMESTIC_DV, rights, 90, NOW, sectors=(first,))


def test_a_file_name_is_not_the_senders_to_choose(software: Make) -> None:
    cvca, dv, _ = build_three(software)
    key = dv.keys.load("UTDVSPEC00001")
    request = build_cv_request(key, "UT../../00001")
    with pytest.raises(LifecycleError, match="letters and digits"):
        cvca.issue(request, Role.DOMESTIC_DV, BOTH, 90, NOW, fingerprint=digest(request))


def test_register_round_trip() -> None:
    register = CvRegister("dv", "UTDVSPEC", "at", "RSA-3072", "sha512", "pkcs1", ("UTDVSPEC00001",), 2, "UTDVSPEC00002")
    assert decode_cv_register(register.encode()) == register
    assert register.algorithm.kind == "rsa-pkcs1"
    for changes in (
        {"role": "king"},
        {"holder": "../x"},
        {"keys": ("UTDVOTHER00001",)},
        {"pending": "UTDVSPEC../01"},
        {"sequence": -1},
        {"terminal_type": "xx"},
        {"kind": 1},
    ):
        with pytest.raises(StoreError, match="damaged"):
            decode_cv_register(replace(register, **changes).encode())  # type: ignore[arg-type]  # wrong on purpose
    for raw in (b"", b"[]", b"{}", b'{"format":"x","version":1}', b"[" * 100_000):
        with pytest.raises(StoreError):
            decode_cv_register(raw)
