"""A master list signed below a later CSCA: who pinned the first one accepts it by the links in the list."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from eid.errors import Reason, VerificationError
from eid.pki.list_signer import ListKind
from eid.pki.master_list import encode_master_list
from eid.pki.signed_list import verify_master_list
from eid.services.pki.authority import IssuingAuthority
from eid.services.trust.decisions import pin_anchors
from eid.services.trust.imports import import_trust
from tests.builders.issuance import NOW
from tests.builders.issuing import make_authority

LATER = NOW + timedelta(days=1)


@pytest.fixture
def authority(tmp_path: Path) -> IssuingAuthority:
    """Two roll-overs after its beginning, the second to another name."""
    made = make_authority(tmp_path / "pki", "eu-td1-id-card")
    made.add_csca(NOW)
    made.add_csca(NOW, name="SPECIMEN CSCA of Utopia")
    return made


def sign(authority: IssuingAuthority, links: list[bytes]) -> bytes:
    return authority.sign_list(ListKind.MASTER, encode_master_list([*authority.csca_certificates, *links]), NOW)[1]


def test_the_links_in_the_list_lead_to_the_pinned_anchor(authority: IssuingAuthority, tmp_path: Path) -> None:
    links = [item.raw for _, item in authority.links]
    raw = sign(authority, links)
    for pinned in authority.csca_certificates:
        accepted, certificates = verify_master_list(raw, [pinned], now=LATER)
        assert accepted.path is not None
        assert accepted.path.authorities[-1].raw == pinned
        assert set(certificates) == {*authority.csca_certificates, *links}
    (tmp_path / "list.ml").write_bytes(raw)
    import_trust(tmp_path / "trust", [tmp_path / "pki" / "csca-001.cer"], unsigned=False, now=LATER)
    pin_anchors(tmp_path / "trust", [hashlib.sha256(authority.csca_certificates[0]).hexdigest()], LATER)
    report = import_trust(tmp_path / "trust", [tmp_path / "list.ml"], unsigned=False, now=LATER)
    assert (report.new, report.held, report.unusable) == (4, 0, 0)


def test_the_link_under_the_same_name(tmp_path: Path) -> None:
    authority = make_authority(tmp_path / "pki", "eu-td1-id-card")
    authority.add_csca(NOW)
    accepted, _ = verify_master_list(
        sign(authority, [item.raw for _, item in authority.links]), [authority.csca_certificates[0]], now=LATER
    )
    assert accepted.path is not None
    assert len(accepted.path.authorities) == 2


def test_a_link_that_is_missing_or_forged_leads_nowhere(authority: IssuingAuthority) -> None:
    first, second = (item.raw for _, item in authority.links)
    forged = bytearray(first)
    forged[-1] ^= 1
    for links in ([], [first], [second], [bytes(forged), second]):
        raw = sign(authority, links)
        with pytest.raises(VerificationError) as refused:
            verify_master_list(raw, [authority.csca_certificates[0]], now=LATER)
        assert refused.value.reason is (
            Reason.PATH_SIGNATURE_FAILURE if bytes(forged) in links else Reason.NO_CERTIFICATE_CHAIN_FOUND
        )


def test_an_authority_of_the_list_is_no_anchor(authority: IssuingAuthority, tmp_path: Path) -> None:
    stranger = make_authority(tmp_path / "other", "eu-td1-id-card")
    raw = sign(authority, [item.raw for _, item in authority.links])
    with pytest.raises(VerificationError) as refused:
        verify_master_list(raw, [stranger.csca_certificate], now=LATER)
    assert refused.value.reason is Reason.NO_CERTIFICATE_CHAIN_FOUND
