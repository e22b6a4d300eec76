"""Quirks of EF.COM, EF.SOD and the data groups: the card shows them, and who reads and judges it copes."""

from __future__ import annotations

import pytest

from eid.codec.defect import DefectCode
from eid.codec.oid import DATA
from eid.errors import ProfileError, Reason
from eid.lds.com import decode_ef_com
from eid.lds.dg2 import decode_dg2
from eid.lds.dg11 import DG11, decode_dg11
from eid.lds.dg12 import decode_dg12
from eid.lds.dg14 import decode_dg14
from eid.lds.sod import decode_ef_sod
from eid.personalization.departures import UNKNOWN_ELEMENT, depart_groups, depart_sod
from eid.pki.document_signer import sign_sod
from eid.profile.quirks import NO_QUIRKS, Quirks
from eid.testing.authority import SpecimenAuthority
from eid.testing.specimen import build_specimen, specimen_for
from eid.verification.report import Outcome, Verdict, VerificationReport
from tests.builders.quirky import NOW, card_with, judge, read, require_genuine, with_quirks


def tolerated(report: VerificationReport) -> set[str]:
    details = " ".join(item.detail for item in report.checks if item.id in ("sod.format", "sod.signature"))
    return {code for code in DefectCode if code in details}


@pytest.mark.parametrize(
    ("quirks", "codes"),
    [
        ({"sod_content_type": "1.3.27.1.1.1"}, {"CONTENT_TYPE"}),
        ({"sod_content_type": "1.2.528.1.1006.1.20.1"}, {"CONTENT_TYPE"}),
        ({"sod_content_type": DATA}, {"CONTENT_TYPE", "CMS_VERSION"}),
        ({"sod_attributes": "unordered"}, {"SET_ORDER"}),
        ({"sod_attributes": "signed-as-stored"}, {"SET_ORDER", "SIGNED_AS_STORED"}),
        ({"sod_certificate": False}, {"SIGNER_OUTSIDE"}),
        ({"sod_foreign_signer": True}, {"SIGNER_IDENTIFIER"}),
        ({"sod_foreign_signer": True, "sod_attributes": "unordered"}, {"SIGNER_IDENTIFIER", "SET_ORDER"}),
    ],
)
def test_a_security_object_of_another_form_is_taken_by_a_named_leniency_only(quirks, codes):
    specimen = card_with(**quirks)
    evidence, _ = read(specimen)
    require_genuine(specimen, evidence)
    assert tolerated(judge(specimen, evidence, "border")) == codes
    strict = judge(specimen, evidence, "strict")
    assert strict.verdict is not Verdict.TOTAL_PASSED
    refusals = {item.reason for item in strict.checks if item.id.startswith("sod.") and item.outcome is Outcome.FAILED}
    assert refusals <= {Reason.FORMAT_FAILURE, Reason.SIG_CRYPTO_FAILURE}


def test_a_signature_without_time_conforms():
    specimen = card_with(sod_signing_time=False)
    evidence, _ = read(specimen)
    attributes = decode_ef_sod(specimen.files["EF.SOD"]).signed_data.signer_info.signed_attributes
    assert attributes is not None
    assert attributes.signing_time is None
    require_genuine(specimen, evidence)
    assert judge(specimen, evidence, "strict").verdict is Verdict.TOTAL_PASSED


def test_ef_com_of_another_version_than_the_signed_one():
    specimen = card_with(ef_com_lds_version="0107")
    assert decode_ef_com(specimen.files["EF.COM"]).lds_version == "0107"
    assert decode_ef_sod(specimen.files["EF.SOD"]).lds_version == "0108"
    require_genuine(specimen, read(specimen)[0])


@pytest.mark.parametrize("padding", ["00", "0000000000", "FFD9"])
def test_octets_behind_the_portrait(padding):
    specimen = card_with(portrait_padding=padding)
    (image,) = decode_dg2(specimen.files["DG2"]).images
    assert image.image.endswith(bytes.fromhex(padding))
    require_genuine(specimen, read(specimen)[0])


@pytest.mark.parametrize("profile", ["ma-cnie", "icao-td3-passport"])
def test_several_portraits(profile):
    specimen = card_with(profile, portraits=3)
    images = decode_dg2(specimen.files["DG2"]).images
    assert [image.image for image in images] == [images[0].image] * 3
    require_genuine(specimen, read(specimen)[0])


def test_dates_in_four_octets():
    plain, packed = card_with(), card_with(details_dates_in_bcd=True)
    first, second = decode_dg11(plain.files["DG11"]), decode_dg11(packed.files["DG11"])
    assert first == second
    assert len(packed.files["DG11"]) == len(plain.files["DG11"]) - 4
    require_genuine(packed, read(packed)[0])


def test_dates_of_issue_in_four_octets():
    plain, packed = card_with(), card_with(details_dates_in_bcd=True)
    assert decode_dg12(plain.files["DG12"]).date_of_issue == decode_dg12(packed.files["DG12"]).date_of_issue
    assert len(packed.files["DG12"]) == len(plain.files["DG12"]) - 4


def test_points_of_the_face_before_the_portrait():
    specimen = card_with(portrait_feature_points=3)
    (image,) = decode_dg2(specimen.files["DG2"]).images
    (plain,) = decode_dg2(card_with().files["DG2"]).images
    assert (len(image.feature_points), plain.feature_points) == (24, b"")
    assert (image.width, image.height, image.image[:4]) == (plain.width, plain.height, plain.image[:4])
    require_genuine(specimen, read(specimen)[0])


def test_text_in_latin_1_is_read_and_told():
    issued = DG11(full_name="SPÉCIMEN<<AÏCHA", place_of_birth=("RABAT",)).encode()
    departed = depart_groups({"DG11": issued}, Quirks(details_in_latin_1=True))["DG11"]
    assert "SPÉCIMEN".encode("latin-1") in departed
    details = decode_dg11(departed)
    assert details.full_name == "SPÉCIMEN<<AÏCHA"
    assert details.defects == ("data object 5F0E is not UTF-8",)
    specimen = card_with(details_in_latin_1=True)
    require_genuine(specimen, read(specimen)[0])


def test_elements_that_are_empty_unknown_or_out_of_place():
    specimen = card_with(details_empty=True, details_unknown=True, details_bare_other_name=True)
    details = decode_dg11(specimen.files["DG11"])
    assert details.telephone == ""
    assert [item.tag for item in details.other] == [UNKNOWN_ELEMENT]
    assert details.other_names == (details.full_name,)
    assert "data object 5F0F outside template A0" in details.defects
    require_genuine(specimen, read(specimen)[0])


def test_security_infos_out_of_order():
    plain, specimen = card_with(), card_with(security_infos_unordered=True)
    infos = decode_dg14(specimen.files["DG14"]).security_infos
    assert len(infos) > 1
    assert [info.protocol for info in infos] == [
        info.protocol for info in reversed(decode_dg14(plain.files["DG14"]).security_infos)
    ]
    require_genuine(specimen, read(specimen)[0])


@pytest.mark.parametrize(
    "quirks",
    [{"sod_content_type": DATA}, {"sod_signing_time": False}, {"sod_attributes": "signed-as-stored"}],
)
def test_what_the_signature_covers_only_a_signer_can_do(quirks):
    ordinary = with_quirks("ma-cnie", details_empty=True)
    authority = SpecimenAuthority(ordinary, NOW)
    with pytest.raises(ProfileError, match="signs"):
        build_specimen(with_quirks("ma-cnie", **quirks), authority, specimen_for(ordinary, NOW))


def test_without_quirks_nothing_departs():
    assert depart_sod(b"not looked at", NO_QUIRKS) == b"not looked at"
    assert Quirks(sod_certificate=False) != NO_QUIRKS


def test_a_specimen_signer_without_quirks_signs_as_any_other():
    profile = with_quirks("ma-cnie")
    authority = SpecimenAuthority(profile, NOW)
    sod = decode_ef_sod(
        build_specimen(profile, authority, specimen_for(profile, NOW)).image.applications[0].files[-1].content
    )
    content = sod.signed_data.content
    again = decode_ef_sod(sign_sod(content, authority.signer, authority.signer_certificate, signing_time=authority.now))
    assert again.signed_data.signed_attributes_der == sod.signed_data.signed_attributes_der
    assert again.certificates == sod.certificates


def test_a_signer_that_nothing_leads_to_is_no_quirk():
    with pytest.raises(ValueError, match="quirks"):
        with_quirks("ma-cnie", sod_certificate=False, sod_foreign_signer=True)
