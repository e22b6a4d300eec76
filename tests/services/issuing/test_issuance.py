"""Issuing through the services: end to end, torn at every command, resumed; what must be refused is refused early."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from eid.card import VirtualCard
from eid.card.memory import LifeCycle
from eid.codec.der import encode_oid
from eid.codec.tlv import encode_tlv
from eid.codec.x509 import decode_certificate
from eid.crypto.curves import curve_by_name
from eid.crypto.key_agreement import EcKeyPair
from eid.errors import (
    AlreadyDoneError,
    AuthenticationError,
    LifecycleError,
    NotStoredError,
    PeerProtocolError,
    RecordError,
    StatusWordError,
    StoreError,
)
from eid.identity import BILINGUAL_FIELDS, BilingualText, IdentityRecord
from eid.keystore.card_keys import default_card_keys
from eid.lds.dg13 import decode_dg13
from eid.personalization.public_keys import collect_public_keys
from eid.pki.crl import RevocationReason
from eid.profile.card_image import AccessCondition, KeyAlgorithm, KeyImage, KeyPurpose, PasswordId
from eid.profile.loader import load_profile, shipped_profiles
from eid.protocols.access_rules import SECURITY_CONDITIONS
from eid.services.issuing.attempt import LOCK, SIGN, SIGN_CARD_SECURITY, TRUST, Stage
from eid.services.issuing.card_material import derive_secrets
from eid.services.issuing.issuance import BrokenOffError, Issuance, begin, resume
from eid.services.issuing.quality_check import QualityError
from eid.services.pki.authority import IssuingAuthority
from eid.store.database import in_transaction
from eid.store.issued_documents import find_by_sod
from eid.store.journal import read_journal
from eid.store.personalization_jobs import load_job
from eid.transport.loopback import LoopbackConnection
from eid.verification.report import Outcome, Verdict
from tests.builders.issuance import NOW
from tests.builders.issuing import Corrupted, Counted, Pulled, Steps, Workshop, make_authority
from tests.builders.sweep import places
from tests.builders.terminals import build_terminal_pki

SMALL = "eu-td1-id-card"
CANARIES = {name: ("كناري" + chr(0x0628 + at), f"CANARY {chr(65 + at)}") for at, name in enumerate(BILINGUAL_FIELDS)}


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workshop]:
    """One workshop for each profile."""
    made: dict[str, Workshop] = {}

    def shop(profile: str = SMALL) -> Workshop:
        if profile not in made:
            made[profile] = Workshop(tmp_path_factory.mktemp("workshop"), profile)
        return made[profile]

    return shop


@pytest.fixture
def shop(shops: Callable[[str], Workshop]) -> Workshop:
    return shops(SMALL)


def state_of(shop: Workshop, job_id: uuid.UUID) -> str:
    job = in_transaction(shop.engine, lambda connection: load_job(connection, job_id))
    assert job is not None
    return job.state


def count_commands(shop: Workshop) -> tuple[int, int, Steps]:
    """Commands until the card is locked, commands in all, and where each step begins."""
    card = shop.blank()
    link = Counted(card)
    steps = Steps(link)
    shop.begin().run(shop.record(), link, steps)
    return steps.first["read EF.CardAccess:begin"], link.sent, steps


# --- end to end


@pytest.mark.parametrize("name", shipped_profiles())
def test_every_profile_is_issued_verified_and_registered(name: str, shops: Callable[[str], Workshop]) -> None:
    shop = shops(name)
    card = shop.blank()
    issuance = shop.begin()
    issued = issuance.run(shop.record(), LoopbackConnection(card))
    assert card.life_cycle is LifeCycle.OPERATIONAL
    assert issued.report.verdict is Verdict.TOTAL_PASSED
    assert issuance.job.state == "SUCCEEDED"
    stored = in_transaction(shop.engine, lambda connection: find_by_sod(connection, issued.data.sod_hash))
    assert stored == issued.document
    assert stored is not None
    assert stored.profile_digest == shop.loaded.digest
    assert stored.card_serial == issuance.job.card_serial
    assert stored.key_versions == {"scp03": shop.loaded.profile.security_domain.key_version}
    active = issued.report.check("chip.aa")
    assert active is not None
    signs = "DG15" in shop.loaded.profile.application.data_groups
    assert active.outcome is (Outcome.PASSED if signs else Outcome.NOT_SUPPORTED)


def test_every_step_is_an_intent_and_a_result(shop: Workshop) -> None:
    issuance = shop.begin()
    issuance.run(shop.record(), LoopbackConnection(shop.blank()))
    entries = in_transaction(shop.engine, lambda connection: read_journal(connection, issuance.job.id))
    assert (entries[0].step, entries[0].phase) == ("identify the card", "result")
    pairs = entries[1:]
    for intent, result in zip(pairs[::2], pairs[1::2], strict=True):
        assert (intent.step, intent.phase, result.phase) == (result.step, "intent", "result")
    assert pairs[-1].step == LOCK


def test_can_is_the_cards_own() -> None:
    profile = load_profile(SMALL).profile
    keys = default_card_keys(16)
    first, second = (derive_secrets(keys, uuid.UUID(int=number), profile).can for number in (1, 2))
    assert first != second
    assert first == derive_secrets(keys, uuid.UUID(int=1), profile).can
    assert len(first) == profile.document.can_digits
    assert first.isdigit()


# --- torn and resumed


@pytest.mark.sweep
@pytest.mark.parametrize("obeyed", [False, True], ids=["before", "after"])
def test_torn_at_every_command_then_resumed(shop: Workshop, obeyed: bool) -> None:
    until_locked, total, steps = count_commands(shop)
    # Obeyed and unanswered inside a step is the same as unseen at the next command; only where a step ends does the
    # journal know less than the card.
    ends = {number - 1 for name, number in steps.first.items() if name.endswith((":result", ":end"))}
    assert len(ends) > 25
    about_the_lock = {until_locked - 1, until_locked}
    for at in sorted({*places(sorted(ends) if obeyed else range(total), 5), *about_the_lock}):
        card, record = shop.blank(), shop.record()
        issuance = shop.begin()
        with pytest.raises(BrokenOffError, match=f"resume job {issuance.job.id}") as broken:
            issuance.run(record, Pulled(card, at, obeyed=obeyed))
        locked = at >= until_locked or (obeyed and at == until_locked - 1)
        assert (card.life_cycle is LifeCycle.OPERATIONAL) == locked
        assert broken.value.job_id == issuance.job.id
        if locked:
            assert broken.value.stage is Stage.LOCKING
        if broken.value.stage is not Stage.LOCKING:
            assert not locked
        again = resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now)
        issued = again.run(record, LoopbackConnection(card))
        assert issued.report.verdict is Verdict.TOTAL_PASSED
        assert card.life_cycle is LifeCycle.OPERATIONAL
        assert again.job.state == "SUCCEEDED"
        assert issued.document.sod_hash == issued.data.sod_hash


def test_what_the_stages_say(shop: Workshop) -> None:
    until_locked, _, steps = count_commands(shop)
    for at, stage, words in (
        (2, Stage.UNTOUCHED, "Nothing was written"),
        (steps.first["write DG1:intent"], Stage.WRITING, "not operational"),
        (until_locked - 1, Stage.LOCKING, "do not hand it out"),
    ):
        with pytest.raises(BrokenOffError, match=words) as broken:
            shop.begin().run(shop.record(), Pulled(shop.blank(), at))
        assert broken.value.stage is stage


def test_lock_whose_answer_was_lost_is_found_done(shop: Workshop) -> None:
    until_locked, _, _ = count_commands(shop)
    card, record, issuance = shop.blank(), shop.record(), shop.begin()
    with pytest.raises(BrokenOffError):
        issuance.run(record, Pulled(card, until_locked - 1, obeyed=True))
    assert card.life_cycle is LifeCycle.OPERATIONAL
    link = Counted(card)
    resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now).run(record, link)
    entries = in_transaction(shop.engine, lambda connection: read_journal(connection, issuance.job.id))
    assert [entry.detail for entry in entries if (entry.step, entry.phase) == (LOCK, "result")] == [
        {"found": "done already"}
    ]
    assert [entry.step for entry in entries].count(SIGN) == 2  # once: the card holds the EF.SOD that was signed then


# --- Terminal Authentication, PIN, EF.CardSecurity


RIGHTS = "eu-residence-permit"


def test_every_step_of_a_card_with_rights_can_be_resumed(shops: Callable[[str], Workshop]) -> None:
    """EF.CardSecurity and the trust points are chosen once, whatever is torn; PIN and PUK are the card's own."""
    shop = shops(RIGHTS)
    trusted = shop.trust_points

    def go_on(job: uuid.UUID) -> Issuance:
        return resume(shop.engine, shop.authority, shop.loaded, job, shop.now, trusted)

    card, record = shop.blank(), shop.record()
    issuance = begin(shop.engine, shop.authority, shop.loaded, "test reader", shop.now, trusted)
    with pytest.raises(BrokenOffError):
        issuance.run(record, Pulled(card, 30, obeyed=True))
    for at in (8, 20, 40):
        with pytest.raises(BrokenOffError):
            go_on(issuance.job.id).run(record, Pulled(card, at))
    with pytest.raises(LifecycleError, match="other trust points"):
        resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now, shop.trust_points).run(
            record, LoopbackConnection(card)
        )
    issued = go_on(issuance.job.id).run(record, LoopbackConnection(card))
    assert issued.report.verdict is Verdict.TOTAL_PASSED
    entries = in_transaction(shop.engine, lambda connection: read_journal(connection, issuance.job.id))
    steps = [entry.step for entry in entries if entry.phase == "result"]
    assert [steps.count(step) for step in (SIGN, SIGN_CARD_SECURITY, TRUST)] == [1, 1, 1]
    secrets = issued.data.secrets
    assert (len(secrets.pin), len(secrets.puk)) == (6, 10)
    assert secrets.pin not in repr(issued.data)
    told = " ".join(str(entry.detail) for entry in entries)
    assert secrets.puk not in told
    stored = card._card.memory
    assert stored.passwords[PasswordId.PIN].value == secrets.pin.encode()
    assert stored.trust.today == shop.now().date()


@pytest.mark.parametrize(
    ("profile", "change", "message"),
    [
        (RIGHTS, lambda points: (), "one to 2 trust points"),
        (RIGHTS, lambda points: points * 3, "one to 2 trust points"),
        (RIGHTS, lambda points: (points[0][:-1],), "trust point"),
        (RIGHTS, lambda points: (build_terminal_pki().dv_certificate(),), "trust point is a CVCA"),
        (SMALL, lambda points: (build_terminal_pki().cvca_certificate(),), "takes no trust point"),
    ],
)
def test_trust_points_are_judged_before_the_card_is_touched(
    shops: Callable[[str], Workshop],
    profile: str,
    change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]],
    message: str,
) -> None:
    shop = shops(profile)
    card = shop.blank()
    state = card.state()
    given = change(shop.trust_points)
    with pytest.raises(LifecycleError, match=message):
        begin(shop.engine, shop.authority, shop.loaded, "test reader", shop.now, given).run(
            shop.record(), LoopbackConnection(card)
        )
    assert card.state() == state


def test_a_trust_point_that_is_out_of_date(shops: Callable[[str], Workshop]) -> None:
    old = replace(build_terminal_pki(), begin=date(2020, 1, 1), end=date(2023, 1, 1)).cvca_certificate()
    shop = shops(RIGHTS)
    with pytest.raises(LifecycleError, match="not valid today"):
        begin(shop.engine, shop.authority, shop.loaded, "test reader", shop.now, (old,)).run(
            shop.record(), LoopbackConnection(shop.blank())
        )


def test_a_card_whose_fingers_are_open_is_spoiled(
    shops: Callable[[str], Workshop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quality check reads as a stranger does, and a stranger must not get them."""
    shop = shops(RIGHTS)
    monkeypatch.setitem(SECURITY_CONDITIONS, AccessCondition.TA_DG3, SECURITY_CONDITIONS[AccessCondition.PACE])
    issuance = shop.begin()
    with pytest.raises(QualityError, match="DG3 is open to everybody"):
        issuance.run(shop.record(), LoopbackConnection(shop.blank()))
    assert issuance.job.state == "SPOILED"


def test_finished_steps_are_not_done_again(shop: Workshop) -> None:
    _, _, steps = count_commands(shop)
    card, record, issuance = shop.blank(), shop.record(), shop.begin()
    with pytest.raises(BrokenOffError):
        issuance.run(record, Pulled(card, steps.first["write DG2:intent"] + 1, obeyed=True))
    again = resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now)
    again.run(record, LoopbackConnection(card))
    entries = in_transaction(shop.engine, lambda connection: read_journal(connection, issuance.job.id))
    intents = [entry.step for entry in entries if entry.phase == "intent"]
    assert (
        len(intents) == len(set(intents)) or [step for step in intents if intents.count(step) > 1] == ["write DG2"] * 2
    )


def test_torn_twice(shop: Workshop) -> None:
    _, _, steps = count_commands(shop)
    card, record, issuance = shop.blank(), shop.record(), shop.begin()
    with pytest.raises(BrokenOffError):
        issuance.run(record, Pulled(card, steps.first["write DG1:intent"] + 1, obeyed=True))
    for at in (0, 3, 9, 14):
        with pytest.raises(BrokenOffError) as broken:
            resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now).run(record, Pulled(card, at))
        assert broken.value.stage is Stage.WRITING
    again = resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now)
    assert again.run(record, LoopbackConnection(card)).report.verdict is Verdict.TOTAL_PASSED


def test_a_portrait_beyond_plain_offsets(shop: Workshop) -> None:
    """Over 32 KiB UPDATE BINARY has its odd instruction; a torn file of that size is written again as a whole."""
    record = shop.record()
    comment = b"\xff\xfe" + (40_000).to_bytes(2, "big") + bytes(39_998)  # ISO/IEC 10918-1 B.2.4.5
    record = replace(record, portrait=record.portrait[:2] + comment + record.portrait[2:])
    card = shop.blank()
    link = Counted(card)
    steps = Steps(link)
    shop.begin().run(record, link, steps)
    begun, ended = steps.first["write DG2:intent"], steps.first["write DG2:result"]
    assert ended > begun
    for at in (begun, ended - 1):
        card, again = shop.blank(), replace(record, document_number=shop.record().document_number)
        issuance = shop.begin()
        with pytest.raises(BrokenOffError):
            issuance.run(again, Pulled(card, at, obeyed=True))
        issued = resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now).run(
            again, LoopbackConnection(card)
        )
        assert len(issued.evidence.content("DG2") or b"") > 0x8000


# --- resuming what must not be resumed


def half_written(shop: Workshop, step: str = "write DG1:intent") -> tuple[VirtualCard, IdentityRecord, uuid.UUID]:
    _, _, steps = count_commands(shop)
    card, record, issuance = shop.blank(), shop.record(), shop.begin()
    with pytest.raises(BrokenOffError):
        issuance.run(record, Pulled(card, steps.first[step]))
    return card, record, issuance.job.id


def test_another_card_is_refused_and_not_touched(shop: Workshop) -> None:
    _, record, job = half_written(shop)
    other = shop.blank()
    before = other.state()
    with pytest.raises(LifecycleError, match="begun with another card"):
        resume(shop.engine, shop.authority, shop.loaded, job, shop.now).run(record, LoopbackConnection(other))
    assert other.state() == before
    assert state_of(shop, job) == "RUNNING"


def test_another_record_is_refused(shop: Workshop) -> None:
    card, _, job = half_written(shop)
    before = card.state()
    with pytest.raises(LifecycleError, match="another record"):
        resume(shop.engine, shop.authority, shop.loaded, job, shop.now).run(shop.record(), LoopbackConnection(card))
    assert card.life_cycle is not LifeCycle.OPERATIONAL
    assert len(card.state()) == len(before)  # a channel was opened, which counts; nothing was written
    assert state_of(shop, job) == "RUNNING"


def test_another_profile_is_refused(shop: Workshop) -> None:
    _, _, job = half_written(shop)
    for other in (load_profile("ma-cnie"), replace(shop.loaded, digest=bytes(32))):
        with pytest.raises(LifecycleError, match="another profile, or another version"):
            resume(shop.engine, shop.authority, other, job, shop.now)


def test_a_half_written_card_belongs_to_its_job(shop: Workshop) -> None:
    card, _, job = half_written(shop)
    issuance = shop.begin()
    with pytest.raises(LifecycleError, match=f"begun by job {job}"):
        issuance.run(shop.record(), LoopbackConnection(card))
    assert issuance.job.state == "FAILED"
    assert state_of(shop, job) == "RUNNING"


def test_unknown_and_ended_jobs(shop: Workshop) -> None:
    with pytest.raises(NotStoredError, match="no job"):
        resume(shop.engine, shop.authority, shop.loaded, uuid.uuid4(), shop.now)
    issuance = shop.begin()
    issuance.run(shop.record(), LoopbackConnection(shop.blank()))
    with pytest.raises(LifecycleError, match="SUCCEEDED"):
        resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now)


def test_an_issued_card_is_not_written_again(shop: Workshop) -> None:
    card = shop.blank()
    shop.begin().run(shop.record(), LoopbackConnection(card))
    before = card.state()
    issuance = shop.begin()
    with pytest.raises(LifecycleError, match="SECURED"):
        issuance.run(shop.record(), LoopbackConnection(card))
    assert issuance.job.state == "FAILED"
    assert len(card.state()) == len(before)


def test_a_card_of_another_authority_does_not_open(shop: Workshop, tmp_path: Path) -> None:
    card, record, job = half_written(shop)
    foreign = make_authority(tmp_path / "pki", SMALL)
    with pytest.raises(AuthenticationError):
        resume(shop.engine, foreign, shop.loaded, job, shop.now).run(record, LoopbackConnection(card))
    assert state_of(shop, job) == "RUNNING"


# --- the quality check


def test_one_octet_that_is_read_back_otherwise_spoils_the_card(shop: Workshop) -> None:
    until_locked, total, _ = count_commands(shop)
    for at in range(until_locked, total):
        issuance = shop.begin()
        with pytest.raises(QualityError, match=r"quality check.*destroy it"):
            issuance.run(shop.record(), Corrupted(shop.blank(), at))
        assert issuance.job.state == state_of(shop, issuance.job.id) == "SPOILED"
        with pytest.raises(LifecycleError, match="SPOILED"):
            resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now)


def test_a_spoiled_document_number_can_be_issued_again(shop: Workshop) -> None:
    _, total, _ = count_commands(shop)
    record = shop.record()
    with pytest.raises(QualityError):
        shop.begin().run(record, Corrupted(shop.blank(), total - 1))
    assert shop.begin().run(record, LoopbackConnection(shop.blank())).report.verdict is Verdict.TOTAL_PASSED


class Revoking(LoopbackConnection):
    """The document signer is revoked while the card is being written."""

    def __init__(self, card: VirtualCard, authority: IssuingAuthority, at: int) -> None:
        super().__init__(card)
        self.authority = authority
        self.left = at

    def transmit(self, command: bytes) -> bytes:
        if self.left == 0:
            serial = decode_certificate(self.authority.signer_certificate).serial
            self.authority.revoke(serial, RevocationReason.KEY_COMPROMISE, NOW)
        self.left -= 1
        return super().transmit(command)


def test_a_signer_that_is_revoked_meanwhile_spoils_the_card(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, SMALL)
    until_locked, _, _ = count_commands(shop)
    with pytest.raises(QualityError, match=r"ds\.revocation"):
        shop.begin().run(shop.record(), Revoking(shop.blank(), shop.authority, until_locked - 1))


# --- refused before the card is touched


def refused(shop: Workshop, error: type[Exception], match: str, **changes: object) -> None:
    card = shop.blank()
    before = card.state()
    issuance = shop.begin()
    with pytest.raises(error, match=match):
        issuance.run(replace(shop.record(), **changes), LoopbackConnection(card))  # type: ignore[arg-type]  # by field
    assert card.state() == before
    assert issuance.job.state == "FAILED"


def test_records_that_do_not_fit_are_refused_untouched(shop: Workshop) -> None:
    refused(shop, RecordError, "issuing_state", issuing_state="D")
    refused(shop, RecordError, "document_number", document_number="X")
    refused(
        shop,
        RecordError,
        "expires_on has passed",
        issued_on=NOW.date() - timedelta(days=9),
        expires_on=NOW.date() - timedelta(days=1),
    )
    refused(shop, RecordError, "expires_on lies after", expires_on=NOW.date() + timedelta(days=36_000))
    until = decode_certificate(shop.authority.signer_certificate).not_after  # at noon: the day would outlive it
    refused(shop, RecordError, "expires_on lies after", expires_on=until.date())
    refused(shop, RecordError, "portrait", portrait=b"\xff\xd8\xff" + bytes(40))


def test_a_document_number_is_issued_once(shop: Workshop) -> None:
    record = shop.record()
    shop.begin().run(record, LoopbackConnection(shop.blank()))
    refused(shop, AlreadyDoneError, "document_number is issued already", document_number=record.document_number)


def test_a_full_status_list_is_followed_by_the_next(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, "ma-cnie")
    stated = shop.loaded.profile.authority.model_copy(update={"status_list_size": 1})
    shop.loaded = replace(shop.loaded, profile=shop.loaded.profile.model_copy(update={"authority": stated}))
    places = []
    for number in ("SPM00001", "SPM00002"):
        issued = shop.begin().run(replace(shop.record(), document_number=number), LoopbackConnection(shop.blank()))
        place = decode_dg13(issued.evidence.content("DG13") or b"").status_list
        assert place is not None
        places.append((place.uri, place.index))
    assert places == [(stated.status_list_uri, 0), (f"{stated.status_list_uri}-2", 0)]


def test_an_authority_that_cannot_sign_is_found_first(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, SMALL)
    stated = shop.loaded.profile.authority
    shop.clock = NOW + timedelta(days=stated.crl_days + 1)
    refused(shop, LifecycleError, "eid pki crl")
    shop.clock = NOW
    serial = decode_certificate(shop.authority.signer_certificate).serial
    shop.authority.revoke(serial, None, NOW)
    refused(shop, LifecycleError, "is revoked.*eid pki ds")
    with pytest.raises(LifecycleError, match="is revoked"):
        shop.authority.sign_sod(b"", NOW)
    shop.authority.add_signer(NOW)
    assert shop.begin().run(shop.record(), LoopbackConnection(shop.blank())).report.verdict is Verdict.TOTAL_PASSED


def test_a_signer_whose_time_is_over_is_followed_by_the_next(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, SMALL)
    shop.clock = NOW + timedelta(days=shop.loaded.profile.authority.signer_key_days + 1)
    shop.authority.issue_crl(shop.clock)
    assert shop.begin().run(shop.record(), LoopbackConnection(shop.blank())).report.verdict is Verdict.TOTAL_PASSED
    assert shop.authority.register.signers == ("ds-001", "ds-002")


@pytest.mark.parametrize(
    ("part", "changes", "match"),
    [
        ("document", {"issuing_state": "XOM"}, "does not sign for XOM"),
        ("document", {"code": "AR"}, "not AR"),
        ("security_domain", {"key_length": 16}, "of another length"),
    ],
    ids=["state", "code", "key length"],
)
def test_an_authority_of_another_product_is_found_first(
    shop: Workshop, part: str, changes: dict[str, object], match: str
) -> None:
    profile = shop.loaded.profile
    changed = profile.model_copy(update={part: getattr(profile, part).model_copy(update=changes)})
    other = replace(shop.loaded, profile=changed)
    card = shop.blank()
    before = card.state()
    issuance = begin(shop.engine, shop.authority, other, "test reader", shop.now)
    with pytest.raises(LifecycleError, match=match):
        issuance.run(shop.record(), LoopbackConnection(card))
    assert card.state() == before


# --- the keys that the chip made


def template(curve: str) -> bytes:
    known = curve_by_name(curve)
    assert known is not None
    return encode_tlv(0x7F49, encode_oid(known.oid) + encode_tlv(0x86, EcKeyPair.generate(known).encoded_public))


def test_keys_other_than_ordered_are_refused() -> None:
    purpose = KeyPurpose.CHIP_AUTHENTICATION
    ordered = KeyImage(purpose, 1, KeyAlgorithm("ec", "P-256", "sha256"), None)
    rsa = encode_tlv(0x7F49, encode_tlv(0x81, b"\x80" + bytes(126) + b"\x01") + encode_tlv(0x82, b"\x01\x00\x01"))
    sized = KeyImage(purpose, 1, KeyAlgorithm("rsa", "2048", "sha256"), None)
    assert purpose in collect_public_keys({purpose.value: template("P-256")}, explicit=False, orders=(ordered,))
    for answer, order, words in (
        (template("brainpoolP256r1"), ordered, "brainpoolP256r1 where P-256 was ordered"),
        (rsa, sized, "1024 bits where 2048 was ordered"),
        (encode_tlv(0x7F49, b""), ordered, "chip-authentication key"),
        (b"junk", ordered, "chip-authentication key"),
    ):
        with pytest.raises(PeerProtocolError, match=words):
            collect_public_keys({purpose.value: answer}, explicit=False, orders=(order,))


# --- what the database keeps


def test_the_database_holds_no_secret_and_no_person(tmp_path: Path) -> None:
    shop = Workshop(tmp_path, "ma-cnie")
    canaries = {name: BilingualText(arabic, latin) for name, (arabic, latin) in CANARIES.items()}
    record, card = replace(shop.record(), **canaries), shop.blank()  # type: ignore[arg-type]  # by field
    issuance = shop.begin()
    with pytest.raises(BrokenOffError):
        issuance.run(record, Pulled(card, 30))
    issued = resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now).run(
        record, LoopbackConnection(card)
    )
    shop.engine.dispose()
    with sqlite3.connect(shop.database) as connection:
        told = repr([row for table in tables(connection) for row in connection.execute(f"SELECT * FROM {table}")])
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("eid.db*"))
    master = shop.authority.master_key
    keys = master.card_keys(bytes.fromhex(issued.document.card_serial), 1)
    secrets = [
        record.document_number,
        record.personal_number,
        record.civil_status_number,
        *(getattr(getattr(record, name), script) for name in CANARIES for script in ("native", "latin")),
        issued.data.mrz.information,
        issued.data.mrz.primary_identifier,
        *issued.data.mrz.encode(),
    ]
    for secret in secrets:
        assert secret.encode() not in raw
        assert secret.encode().hex().encode() not in raw.lower()
        assert secret not in told
    for name in ("_enc", "_mac", "_dek"):
        key = getattr(keys, name)
        assert key not in raw
        assert key.hex().encode() not in raw.lower()
    # Six digits may stand in random octets by chance; as a text of their own they must not.
    assert f"'{issued.data.can}'" not in told
    assert f'"{issued.data.can}"' not in told
    assert record.portrait[:64] not in raw
    for line in (repr(issued), repr(issuance), repr(issued.data)):
        assert issued.data.can not in line
        assert record.document_number not in line


def tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def test_a_database_that_fails_leaves_the_card_unlocked(shop: Workshop) -> None:
    """What cannot be journalled is not done to the card."""

    class Full:
        left = 12

        def record(self, _: object) -> None:
            self.left -= 1
            if self.left == 0:
                raise StoreError("the disk is full")

    card = shop.blank()
    issuance = shop.begin()
    record = shop.record()
    with pytest.raises(StoreError):
        issuance.run(record, LoopbackConnection(card), Full())
    assert card.life_cycle is not LifeCycle.OPERATIONAL
    assert issuance.job.state == "RUNNING"
    again = resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now)
    assert again.run(record, LoopbackConnection(card)).report.verdict is Verdict.TOTAL_PASSED


class Refusing(LoopbackConnection):
    """Answers one command with a memory failure."""

    def __init__(self, card: VirtualCard, at: int) -> None:
        super().__init__(card)
        self.left = at

    def transmit(self, command: bytes) -> bytes:
        self.left -= 1
        return b"\x65\x81" if self.left < 0 else super().transmit(command)


def test_a_card_that_refuses_can_be_taken_up_again(shop: Workshop) -> None:
    card, record, issuance = shop.blank(), shop.record(), shop.begin()
    with pytest.raises((StatusWordError, AuthenticationError, PeerProtocolError)):
        issuance.run(record, Refusing(card, 25))
    assert issuance.job.state == "RUNNING"
    again = resume(shop.engine, shop.authority, shop.loaded, issuance.job.id, shop.now)
    assert again.run(record, LoopbackConnection(card)).report.verdict is Verdict.TOTAL_PASSED
