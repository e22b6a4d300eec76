"""A chip that did not prove its key by PACE-CAM is not the original, whatever it shows (Doc 9303-11 4.4.3.5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.card import VirtualCard
from eid.crypto.curves import curve_by_name
from eid.crypto.group import EcGroup
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import Reason
from eid.evidence import Evidence, Origin, ProtocolName, ProtocolTranscript
from eid.keystore.software import SoftwareSigner
from eid.lds.card_security import decode_card_security
from eid.lds.security_infos import PACEInfo
from eid.personalization.build import CardData
from eid.pki.card_security import sign_card_security
from eid.pki.trust_store import build_trust_store
from eid.profile.card_image import CardImage, FileImage
from eid.profile.loader import load_profile
from eid.protocols.scp03.key_set import default_key_set
from eid.testing.authority import SpecimenAuthority
from eid.testing.specimen import SpecimenCard, build_specimen, issue_data, make_chip_keys, specimen_for
from eid.verification.report import Outcome, Verdict
from tests.builders.document import failed, outcome
from tests.builders.inspected import NOW, Station, gather, specimen, with_file, with_transcript

PROFILE = "de-passport-2023"
CURVE = "brainpoolP256r1"


@pytest.fixture(scope="module")
def genuine() -> SpecimenCard:
    return specimen(PROFILE)


@pytest.fixture(scope="module")
def evidence(genuine: SpecimenCard) -> Evidence:
    return gather(genuine)


@pytest.fixture(scope="module")
def station(genuine: SpecimenCard) -> Station:
    return Station(genuine.trust)


@pytest.fixture(scope="module")
def authority_and_data() -> tuple[SpecimenAuthority, CardData]:
    profile = load_profile(PROFILE).profile
    authority = SpecimenAuthority(profile, NOW)
    return authority, build_specimen(profile, authority, specimen_for(profile, NOW))


def boot(data: CardData, image: CardImage, authority: SpecimenAuthority) -> SpecimenCard:
    """A chip of the attacker's own making, with this content."""
    card = VirtualCard.from_image(image, serial=b"SPECIMEN00", keys=default_key_set(16, 1))
    return replace(issue_data(authority.profile, authority, data), card=card)


def with_own_key(image: CardImage) -> CardImage:
    """All files copied, and a Chip Authentication key that is not the issuer's."""
    private, _ = make_chip_keys(load_profile(PROFILE).profile)
    (application,) = image.applications
    keys = tuple(replace(key, private_key=private[key.purpose]) for key in application.keys)
    return replace(image, applications=(replace(application, keys=keys),))


def test_genuine_chip_passes(evidence: Evidence, station: Station) -> None:
    report = station.judge(evidence)
    assert report.verdict is Verdict.TOTAL_PASSED
    assert outcome(report, "chip.pace_cam") == (Outcome.PASSED, None)


def test_it_suffices_where_chip_authentication_was_not_run(evidence: Evidence, station: Station) -> None:
    pace_alone = replace(evidence, transcripts=evidence.transcripts[:1])
    report = station.judge(pace_alone)
    assert report.verdict is Verdict.TOTAL_PASSED
    assert outcome(report, "chip.ca") == (Outcome.NOT_PERFORMED, Reason.NOT_ATTEMPTED)


def test_copied_card_without_the_key(authority_and_data: tuple[SpecimenAuthority, CardData]) -> None:
    authority, data = authority_and_data
    clone = boot(data, with_own_key(data.image), authority)
    report = Station(authority.trust).judge(gather(clone))
    assert failed(report) == {"chip.pace_cam": Reason.CLONE_SUSPECTED, "chip.ca": Reason.CLONE_SUSPECTED}
    assert report.verdict is Verdict.TOTAL_FAILED


def test_card_security_of_another_card(authority_and_data: tuple[SpecimenAuthority, CardData]) -> None:
    """The same issuer's, and genuine: but its key is another chip's."""
    authority, data = authority_and_data
    other = build_specimen(authority.profile, authority, specimen_for(authority.profile, NOW))
    files = (data.image.master_files[0], other.image.master_files[1])
    report = Station(authority.trust).judge(gather(boot(data, replace(data.image, master_files=files), authority)))
    assert failed(report) == {"chip.pace_cam": Reason.CLONE_SUSPECTED}


def test_card_security_that_the_attacker_signed(authority_and_data: tuple[SpecimenAuthority, CardData]) -> None:
    """The clone's own key under a certificate of an authority that nobody trusts."""
    authority, data = authority_and_data
    profile = authority.profile
    own = SpecimenAuthority(profile, NOW)
    own_data = build_specimen(profile, own, specimen_for(profile, NOW))
    (application,), (forged,) = data.image.applications, own_data.image.applications
    image = replace(
        data.image,
        master_files=own_data.image.master_files,
        applications=(replace(application, keys=forged.keys),),
    )
    report = Station(authority.trust).judge(gather(boot(data, image, authority)))
    assert outcome(report, "chip.pace_cam") == (Outcome.INDETERMINATE, Reason.NO_CERTIFICATE_CHAIN_FOUND)
    assert failed(report) == {"chip.ca": Reason.CLONE_SUSPECTED}
    assert report.verdict is Verdict.TOTAL_FAILED


def test_every_flipped_octet_of_the_signed_keys_is_noticed(evidence: Evidence, station: Station) -> None:
    raw = evidence.content("EF.CardSecurity")
    assert raw is not None
    content = decode_card_security(raw).signed_data.content
    start = raw.index(content)
    for place in range(start, start + len(content), 7):
        flipped = raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
        report = station.judge(with_file(evidence, "EF.CardSecurity", flipped))
        assert outcome(report, "chip.pace_cam")[0] is Outcome.FAILED, place


def changed(**messages: bytes):
    def change(transcript: ProtocolTranscript) -> ProtocolTranscript:
        return replace(transcript, messages={**transcript.messages, **messages})

    return change


@pytest.mark.parametrize(
    "messages",
    [
        {"chip_authentication_data": b""},
        {"chip_authentication_data": bytes(32)},
        {"chip_authentication_data": b"\xff" * 32},
        {"mapping_public_key": b""},
        {"mapping_public_key": b"\x04" + bytes(64)},
    ],
)
def test_data_that_do_not_fit(evidence: Evidence, station: Station, messages: dict[str, bytes]) -> None:
    report = station.judge(with_transcript(evidence, ProtocolName.PACE, changed(**messages)))
    assert failed(report) == {"chip.pace_cam": Reason.CLONE_SUSPECTED}


def test_transcript_of_a_protocol_that_nobody_signed_for(evidence: Evidence, station: Station) -> None:
    def change(transcript: ProtocolTranscript) -> ProtocolTranscript:
        return replace(transcript, parameters={**transcript.parameters, "parameter_id": "12"})

    report = station.judge(with_transcript(evidence, ProtocolName.PACE, change))
    assert failed(report) == {"chip.pace_cam": Reason.KEY_MISMATCH, "access": Reason.DOWNGRADED}


def test_invented_transcript_counts_from_a_known_station_only(evidence: Evidence, station: Station) -> None:
    """Anybody can choose CA_IC and compute a mapping key to it: so a client's word is nothing."""
    raw = evidence.content("EF.CardSecurity")
    curve = curve_by_name(CURVE)
    assert raw is not None
    assert curve is not None
    key = decode_card_security(raw).public_keys[0].public_key_info[-65:]
    mapping = EcGroup(curve).key(4711).multiply(key)
    invented = changed(chip_authentication_data=(4711).to_bytes(32, "big"), mapping_public_key=mapping)
    claimed = with_transcript(evidence, ProtocolName.PACE, invented)
    upload = replace(claimed, origin=Origin.UPLOAD)
    report = station.judge(upload, signed=False)
    assert outcome(report, "chip.pace_cam") == (Outcome.NOT_PERFORMED, Reason.CLIENT_ASSERTED)
    unknown = station.judge(claimed, known=False)
    assert outcome(unknown, "chip.pace_cam") == (Outcome.NOT_PERFORMED, Reason.UNTRUSTED_STATION)


def test_withheld_file_is_no_proof(evidence: Evidence, station: Station) -> None:
    report = station.judge(with_file(evidence, "EF.CardSecurity", None))
    assert outcome(report, "chip.pace_cam") == (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)


def test_generic_mapping_where_the_chip_can_do_better(evidence: Evidence, station: Station) -> None:
    def change(transcript: ProtocolTranscript) -> ProtocolTranscript:
        return replace(transcript, parameters={**transcript.parameters, "oid": "0.4.0.127.0.7.2.2.4.2.2"}, messages={})

    report = station.judge(with_transcript(evidence, ProtocolName.PACE, change))
    assert outcome(report, "chip.pace_cam") == (Outcome.NOT_PERFORMED, Reason.NOT_ATTEMPTED)


def test_revoked_signer(genuine: SpecimenCard, evidence: Evidence) -> None:
    from eid.codec.x509 import decode_certificate
    from eid.pki.crl import Revocation, RevocationReason, build_crl

    authority = genuine.authority
    serial = decode_certificate(authority.signer_certificate).serial
    crl = build_crl(
        authority.csca,
        authority.csca_certificate,
        number=2,
        this_update=NOW,
        next_update=NOW.replace(month=7),
        revocations=(Revocation(serial, NOW, RevocationReason.KEY_COMPROMISE),),
    )
    report = Station(build_trust_store((authority.csca_certificate,), (crl,))).judge(evidence)
    assert outcome(report, "chip.pace_cam") == (Outcome.FAILED, Reason.REVOKED)


def test_signer_of_another_state(genuine: SpecimenCard, evidence: Evidence) -> None:
    """A foreign authority, trusted for its own documents, must not vouch for this state's chips."""
    foreign = specimen("fi-id-2023")
    trust = build_trust_store(
        (genuine.authority.csca_certificate, foreign.authority.csca_certificate),
        (genuine.authority.crl, foreign.authority.crl),
    )
    infos = decode_card_security(evidence.content("EF.CardSecurity") or b"").security_infos
    signed = foreign.authority.sign_card_security(infos)
    report = Station(trust).judge(with_file(evidence, "EF.CardSecurity", signed))
    assert outcome(report, "chip.pace_cam") == (Outcome.FAILED, Reason.ISSUER_MISMATCH)


def test_weak_hash_under_the_keys(genuine: SpecimenCard, evidence: Evidence, station: Station) -> None:
    authority = genuine.authority
    infos = decode_card_security(evidence.content("EF.CardSecurity") or b"").security_infos
    weak = SoftwareSigner("ds", authority.signer._key, SignatureAlgorithm("ecdsa", "sha1"))
    signed = sign_card_security(infos, weak, authority.signer_certificate, signing_time=NOW)
    report = station.judge(with_file(evidence, "EF.CardSecurity", signed))
    assert outcome(report, "chip.pace_cam") == (Outcome.INDETERMINATE, Reason.CRYPTO_CONSTRAINTS_FAILURE)


def test_issuer_that_signed_no_key(genuine: SpecimenCard, evidence: Evidence, station: Station) -> None:
    file = decode_card_security(evidence.content("EF.CardSecurity") or b"")
    signed = genuine.authority.sign_card_security(file.pace_infos)
    report = station.judge(with_file(evidence, "EF.CardSecurity", signed))
    assert failed(report) == {"chip.pace_cam": Reason.KEY_MISMATCH}


def test_parameters_that_are_not_spoken_here(genuine: SpecimenCard, evidence: Evidence, station: Station) -> None:
    infos = decode_card_security(evidence.content("EF.CardSecurity") or b"").security_infos
    signed = genuine.authority.sign_card_security((*infos, PACEInfo("0.4.0.127.0.7.2.2.4.6.2", 2, 31)))

    def change(transcript: ProtocolTranscript) -> ProtocolTranscript:
        return replace(transcript, parameters={**transcript.parameters, "parameter_id": "31"})

    changed_evidence = with_transcript(with_file(evidence, "EF.CardSecurity", signed), ProtocolName.PACE, change)
    report = station.judge(changed_evidence)
    assert outcome(report, "chip.pace_cam") == (Outcome.INDETERMINATE, Reason.ALGORITHM_UNSUPPORTED)


@pytest.mark.parametrize("raw", [b"", b"\x30\x00", bytes(70_000)])
def test_file_that_is_none(evidence: Evidence, station: Station, raw: bytes) -> None:
    report = station.judge(with_file(evidence, "EF.CardSecurity", raw))
    assert failed(report) == {"chip.pace_cam": Reason.FORMAT_FAILURE}


def test_file_image_opens_by_pace_only(genuine: SpecimenCard, authority_and_data: tuple[SpecimenAuthority, CardData]):
    _, data = authority_and_data
    file = next(file for file in data.image.master_files if file.name == "EF.CardSecurity")
    assert isinstance(file, FileImage)
    assert file.read == "pace"
    assert "EF.CardSecurity" in genuine.files
