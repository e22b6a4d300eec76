from __future__ import annotations

import json
import os
import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eid.errors import PasswordBlockedError, ReaderUnavailableError
from eid.evidence import Origin, ProtocolName, ProtocolOutcome
from eid.evidence.codec import decode_evidence, decode_signed_evidence
from eid.keystore import pkcs8
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.protocols.exchange import Checkpoint
from eid.services.trust.imports import import_trust
from eid.testing.specimen import issue_specimen
from reader_tools import read
from reader_tools.reading_progress import ReadingProgress
from tests.builders.issuance import CAN, NOW
from tests.builders.keyboard import on_a_terminal

CHALLENGE = bytes(range(8))
AT = ("--at", "2026-06-01T12:00:00Z")


@pytest.fixture
def can_file(tmp_path: Path) -> Path:
    path = tmp_path / "can.txt"
    path.write_text(CAN + "\n")
    return path


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("SPECIMEN passphrase\n")
    monkeypatch.setenv("EID_PASSPHRASE_FILE", str(path))
    return path


@pytest.fixture(autouse=True)
def cheap_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eid.services.reading.station_key.ScryptCost", lambda: pkcs8.ScryptCost(n=16))


@pytest.fixture
def issuer_trust(issued, tmp_path: Path) -> Path:
    (tmp_path / "csca.der").write_bytes(issued.authority.csca_certificate)
    (tmp_path / "issuer.crl").write_bytes(issued.authority.crl)
    import_trust(tmp_path / "store", [tmp_path / "csca.der", tmp_path / "issuer.crl"], unsigned=False, now=NOW)
    return tmp_path / "store"


def test_link_time_is_estimated_step_by_step(eid, card_file, can_file):
    outcome = eid("read", "--card-file", card_file, "--can-file", can_file, "--dg", "1", "--link", "106")
    assert outcome.code == 0, outcome.err
    table = outcome.out[outcome.out.index("on the air at 106 kbit/s") :].splitlines()
    steps = {line[:24].strip(): float(line.split()[-1]) for line in table[1:] if line and line.split()[-1][0].isdigit()}
    assert steps["total"] == pytest.approx(sum(steps.values()) / 2, abs=1)
    assert steps["read EF.SOD"] > steps["read DG1"] > 1
    assert eid("read", "--card-file", card_file, "--can-file", can_file, "--link", "300").code == 64


def test_reads_signs_and_what_it_wrote_verifies(eid, card_file, can_file, passphrase, issuer_trust, tmp_path):
    out = tmp_path / "evidence.cbor"
    challenge = CHALLENGE.hex()
    outcome = eid("read", "--card-file", card_file, "--can-file", can_file, "--challenge", challenge, "--out", out)
    assert outcome.code == 0, outcome.err
    assert "made the station's key" in outcome.err
    assert re.search(r"^read DG2, \d+ octets$", outcome.err, re.MULTILINE)
    for line in ("open chip", "read EF.SOD", "Chip Authentication", "Active Authentication", "total"):
        assert line in outcome.out
    assert "pace: succeeded (oid 0.4.0.127.0.7.2.2.4.2.4" in outcome.out
    assert os.stat(out).st_mode & 0o777 == 0o600
    signed = decode_signed_evidence(out.read_bytes())
    assert (signed.evidence.origin, signed.evidence.challenge) == (Origin.STATION, CHALLENGE)
    station = tmp_path / "home" / "stations" / "station.pem"
    judged = eid("verify", out, "--trust", issuer_trust, "--station", station, *AT, "--challenge", challenge, "--json")
    told = json.loads(judged.out)
    assert (judged.code, told["verdict"]) == (0, "TOTAL_PASSED")
    passed = {item["id"] for item in told["checks"] if item["outcome"] == "PASSED"}
    assert {"station.signature", "access", "chip.ca", "chip.aa", "consistency.issuer"} <= passed
    again = eid("read", "--card-file", card_file, "--can-file", can_file, "--out", out)
    assert (again.code, "made the station's key" in again.err) == (0, False)
    assert decode_signed_evidence(out.read_bytes()).key_id == signed.key_id


def test_unsigned_evidence_is_an_upload_and_needs_no_key(eid, card_file, can_file, tmp_path):
    out = tmp_path / "evidence.cbor"
    assert eid("read", "--card-file", card_file, "--can-file", can_file, "--out", out, "--unsigned").code == 0
    assert decode_evidence(out.read_bytes()).origin is Origin.UPLOAD
    assert not (tmp_path / "home").exists()


def test_nothing_of_the_holder_unless_asked(eid, card_file, can_file):
    plain = eid("read", "--card-file", card_file, "--can-file", can_file, "--trace")
    assert "SPECIMEN" not in plain.out + plain.err
    shown = eid("read", "--card-file", card_file, "--can-file", can_file, "--show")
    assert "SPECIMEN" in shown.out
    for label in ("Family name", "Personal number", "Address", "Father", "Status list"):
        assert label in shown.out


def test_trace_shows_headers_and_no_data(eid, card_file, can_file):
    outcome = eid("read", "--card-file", card_file, "--can-file", can_file, "--dg", "1", "--trace")
    assert "SM READ BINARY" in outcome.err
    assert "GENERAL AUTHENTICATE" in outcome.err
    assert "\x1b" not in outcome.err


def test_chosen_data_groups(eid, card_file, can_file, tmp_path):
    out = tmp_path / "evidence"
    given = ("--card-file", card_file, "--can-file", can_file, "--unsigned", "--out", out)
    assert eid("read", *given, "--dg", "DG1, 11").code == 0
    names = {item.name for item in decode_evidence(out.read_bytes()).files}
    assert names == {"EF.CardAccess", "EF.COM", "EF.SOD", "DG1", "DG11", "DG14", "DG15"}  # 14 and 15 prove the chip


def test_every_data_group(eid, card_file, can_file, tmp_path):
    given = ("--card-file", card_file, "--can-file", can_file, "--unsigned", "--out")
    assert eid("read", *given, tmp_path / "all", "--all").code == eid("read", *given, tmp_path / "default").code == 0
    everything, default = (decode_evidence((tmp_path / name).read_bytes()).files for name in ("all", "default"))
    assert {item.name for item in everything} == {item.name for item in default} >= {"DG1", "DG2", "DG11"}


def test_longer_pieces_need_fewer_commands(eid, card_file, can_file):
    def commands(*given: str) -> int:
        last = eid("read", "--card-file", card_file, "--can-file", can_file, *given).out.split("total")[1]
        return int(last.split()[0])

    assert commands("--max-response", "4096") < commands() / 2


def test_wrong_can_is_no_permission(eid, card_file, tmp_path):
    (tmp_path / "can").write_text("999999")
    outcome = eid("read", "--card-file", card_file, "--can-file", tmp_path / "can")
    assert outcome.code == 77
    assert outcome.err.splitlines()[-1] == "eid: the CAN is not the one of this card"


def test_blocked_password_is_no_permission(eid, card_file, can_file, monkeypatch):
    def blocked(*_: object, **__: object) -> None:
        raise PasswordBlockedError("CAN")

    monkeypatch.setattr(read, "inspect_card", blocked)
    assert eid("read", "--card-file", card_file, "--can-file", can_file).code == 81


@pytest.mark.parametrize("lines", [True, False])
def test_opens_with_the_mrz_of_a_file(eid, issued, card_file, tmp_path, lines):
    mrz = issued.data.mrz
    short = f"{mrz.document_number} {mrz.date_of_birth} {mrz.date_of_expiry}\n"
    (tmp_path / "mrz.txt").write_text("\n".join(mrz.encode()) if lines else short)
    out = tmp_path / "evidence"
    given = ("--card-file", card_file, "--mrz-file", tmp_path / "mrz.txt", "--unsigned", "--out", out)
    assert eid("read", *given).code == 0
    transcript = decode_evidence(out.read_bytes()).transcript(ProtocolName.PACE)
    assert transcript.outcome is ProtocolOutcome.SUCCEEDED
    assert transcript.parameters["password"] == "MRZ"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "empty"),
        ("12345x", "not digits"),
        ("12", "not digits"),
        ("123456\n123456\n", "not one line"),
        ("\n", "not one line"),
        ("９９９９９９", "not digits"),
        ("x" * 5000, "over 4096 octets"),
    ],
)
def test_malformed_can_file(eid, card_file, tmp_path, text, what):
    (tmp_path / "can").write_text(text)
    outcome = eid("read", "--card-file", card_file, "--can-file", tmp_path / "can")
    assert outcome.code == 65
    assert what in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"SPEC 850214 35060", b"I<UTO", b"SPEC 85021x 350601"])
def test_malformed_mrz_file(eid, card_file, tmp_path, content):
    (tmp_path / "mrz").write_bytes(content)
    outcome = eid("read", "--card-file", card_file, "--mrz-file", tmp_path / "mrz")
    assert (outcome.code, outcome.err.count("\n")) == (65, 1)
    assert "SPEC" not in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--can", "--mrz"),
        ("--can-file", "x", "--mrz-file", "x"),
        ("--reader", "0"),
        ("--dg", "0"),
        ("--dg", ""),
        ("--dg", "1,x"),
        ("--dg", "1", "--all"),
        ("--challenge", "00"),
        ("--aid", "A0000000"),
        ("--max-response", "10"),
    ],
)
def test_wrong_usage(eid, card_file, arguments):
    outcome = eid("read", "--card-file", card_file, *arguments)
    assert (outcome.code, outcome.out) == (64, "")


def test_no_reader_is_told_before_a_secret_is_asked_for(eid, monkeypatch):
    def nothing(_reader: object) -> None:
        raise ReaderUnavailableError("no PC/SC service")

    monkeypatch.setattr(read, "find_reader", nothing)
    outcome = eid("read")
    assert (outcome.code, outcome.err) == (69, "eid: no PC/SC service\n")


def test_no_card_file(eid, can_file, tmp_path):
    outcome = eid("read", "--card-file", tmp_path / "none", "--can-file", can_file)
    assert outcome.code == 73


def test_blank_card_has_no_application(eid, can_file, tmp_path):
    assert eid("card", "new", "--profile", "ma-cnie", "--out", tmp_path / "blank").code == 0
    outcome = eid("read", "--card-file", tmp_path / "blank", "--can-file", can_file)
    assert outcome.code == 76
    assert "no access protocol" in outcome.err


def test_wrong_passphrase_and_unwritable_output(eid, card_file, can_file, passphrase, tmp_path):
    given = ("read", "--card-file", card_file, "--can-file", can_file)
    outcome = eid(*given, "--out", tmp_path / "none" / "evidence")
    assert outcome.code == 73
    passphrase.write_text("another one\n")
    outcome = eid(*given, "--out", tmp_path / "evidence")
    assert outcome.code == 77
    assert "another one" not in outcome.err
    assert not (tmp_path / "evidence").exists()


def test_another_station_key(eid, card_file, can_file, passphrase, tmp_path):
    given = ("read", "--card-file", card_file, "--can-file", can_file, "--out", tmp_path / "evidence")
    assert eid(*given, "--station-key", "gate-2").code == 0
    assert (tmp_path / "home" / "stations" / "gate-2.pem").is_file()
    assert eid(*given, "--station-key", "../gate").code == 77


def test_progress_is_live_on_a_terminal(capsys):
    for live, text in ((True, "read DG1 ... done\nread DG2 ... failed\n"), (False, "read DG1\n")):
        with closing(ReadingProgress(live)) as progress:
            for step, phase in (("read DG1", "begin"), ("read DG1", "end"), ("read DG2", "begin")):
                progress.record(Checkpoint(step, phase))
        assert capsys.readouterr().err == text


def test_prompts_hide_what_is_typed(card_file, tmp_path):
    """On a terminal of its own: neither CAN nor passphrase is echoed."""
    out = tmp_path / "evidence"
    answers = {b"Card access number": CAN, b"Passphrase": "SPECIMEN secret", b"Repeat": "SPECIMEN secret"}
    code, seen = on_a_terminal(["read", "--card-file", str(card_file), "--can", "--out", str(out)], answers, tmp_path)
    assert code == 0, seen
    assert out.is_file()
    assert CAN.encode() not in seen
    assert b"SPECIMEN secret" not in seen
    assert b"Active Authentication" in seen


def test_octets_are_a_bar_on_a_terminal(capsys):
    with closing(ReadingProgress(True)) as progress:
        progress.record(Checkpoint("read DG2", "begin"))
        progress.record(Checkpoint("read DG2", "progress", {"octets": "500", "total": "1000"}))
        assert capsys.readouterr().err.endswith("\rread DG2 ... [############............] 500/1000")
        progress.record(Checkpoint("read DG2", "progress", {"octets": "1000", "total": "1000"}))
        progress.record(Checkpoint("read DG2", "end"))
        assert capsys.readouterr().err.rstrip().endswith("\rread DG2 ... done, 1000 octets")
        progress.record(Checkpoint("empty", "begin"))
        progress.record(Checkpoint("empty", "progress", {"octets": "0", "total": "0"}))
        assert "0/0" in capsys.readouterr().err


def test_what_is_learnt_of_a_kind_of_card_is_kept_unless_forgotten(eid, tmp_path, can_file):
    profile = load_profile("ma-cnie").profile.model_dump(mode="json")
    stated = CardProfile.model_validate(profile | {"quirks": {"largest_read": 160, "too_long": "6700"}})
    specimen = issue_specimen(stated, datetime.now(UTC))
    (tmp_path / "card").write_bytes(specimen.card.state())
    can_file.write_text(specimen.can)
    habits = tmp_path / "home" / "reading-habits.json"

    def commands(*given: str) -> int:
        read_again = eid("read", "--card-file", tmp_path / "card", "--can-file", can_file, *given)
        assert read_again.code == 0, read_again.err
        return int(read_again.out.split("total")[1].split()[0])

    first = commands("--forget")
    assert not habits.exists()
    assert commands() == first
    assert [item["piece"] for item in json.loads(habits.read_text())["kinds"].values()] == [160]
    assert commands() < first
    assert commands("--forget") == first


def test_an_application_of_another_name(eid, tmp_path, can_file):
    profile = load_profile("ma-cnie").profile.model_dump(mode="json")
    profile["application"]["aid"] = "F04F4D414E01"
    specimen = issue_specimen(CardProfile.model_validate(profile), datetime.now(UTC))
    (tmp_path / "card").write_bytes(specimen.card.state())
    can_file.write_text(specimen.can)
    given = ("read", "--card-file", tmp_path / "card", "--can-file", can_file, "--dg", "1", "--forget")
    refused = eid(*given)
    assert refused.code == 76
    assert "6A82" in refused.err
    assert eid(*given, "--aid", "F0:4F:4D:41:4E:01").code == 0


def test_a_chip_that_offers_no_way_in_names_the_options_that_would_make_one(eid, tmp_path):
    card = tmp_path / "own.card"
    assert eid("card", "new", "--profile", "own-curve", "--record", "specimen", "--out", card).code == 0
    opened = ("read", "--card-file", card, "--unsigned", "--can-file", f"{card}.can")
    refused = eid(*opened)
    assert refused.code == 76
    assert (
        "written out, of no known group), and BAC is not allowed (see --allow-bac, --mrz, --foreign-curves)"
        in refused.err
    )
    read = eid(*opened, "--foreign-curves")
    assert read.code == 0, read.err
    assert "pace: succeeded" in read.out
    assert "of no known curve, validated" in read.out
    by_bac = eid("read", "--card-file", card, "--unsigned", "--mrz-file", f"{card}.mrz", "--allow-bac")
    assert "bac: succeeded" in by_bac.out
