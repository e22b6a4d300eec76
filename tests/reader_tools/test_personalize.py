"""`eid personalize`: an approved record onto a card, and what is said when it does not come to that."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

import reader_tools.card_connection as connection_module
import reader_tools.personalize as module
from eid.card.memory import LifeCycle
from eid.errors import CardRemovedError
from eid.identity import IdentityRecord, encode_identity_record
from eid.profile.loader import load_profile
from eid.services.emulator.virtual_cards import create_card, open_card
from eid.services.pki.authority_creation import create_authority
from eid.store.card_file import load_card_file
from eid.store.stored_card import StoredCard
from eid.testing.terminals import SpecimenTerminals
from eid.transport.loopback import LoopbackConnection
from eid.transport.pcscd import PcscHost
from eid.transport.virtual_reader import VirtualReader
from tests.builders.issuance import NOW, blank_card, record_for
from tests.builders.issuing import PASSPHRASE, Pulled, software_keys

Eid = Callable[..., Any]
PROFILE = "eu-td1-id-card"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_now", lambda: NOW)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def authority(profile: str) -> Path:
        if profile not in made:
            made[profile] = tmp_path_factory.mktemp("authority") / "pki"
            create_authority(made[profile], profile, software_keys(made[profile]), NOW)
        return made[profile]

    return authority


@dataclass
class Bench:
    """A record, a blank card, an authority, and the command that joins them."""

    eid: Eid
    folder: Path
    authority: Path
    profile: str
    record: IdentityRecord = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
        self.record = record_for(load_profile(self.profile).profile)
        self.write_record(self.record)
        create_card(self.card, self.profile)

    @property
    def card(self) -> Path:
        return self.folder / "card.bin"

    def write_record(self, record: IdentityRecord) -> None:
        (self.folder / "record.json").write_bytes(encode_identity_record(record))

    def run(self, *more: object, card: Path | None = None) -> Any:
        where = ("--card-file", card or self.card) if "--reader" not in more else ()
        return self.eid(
            "personalize", "--record", self.folder / "record.json", "--authority", self.authority,
            "--passphrase-file", self.folder / "passphrase", *where, *more,
        )  # fmt: skip


@pytest.fixture
def bench(eid: Eid, tmp_path: Path, authorities: Callable[[str], Path]) -> Bench:
    return Bench(eid, tmp_path, authorities(PROFILE), PROFILE)


def lose(monkeypatch: pytest.MonkeyPatch, link: Callable[[Any], LoopbackConnection]) -> Callable[[], None]:
    """Put another link between terminal and card, until the function that is returned is called."""
    before = connection_module.LoopbackConnection
    monkeypatch.setattr(connection_module, "LoopbackConnection", link)
    return lambda: monkeypatch.setattr(connection_module, "LoopbackConnection", before)


def is_operational(link: LoopbackConnection) -> bool:
    card = link._card
    assert isinstance(card, StoredCard)
    return card.card.life_cycle is LifeCycle.OPERATIONAL


def job_of(text: str) -> str:
    found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)
    assert found
    return found.group()


# --- a card is issued


def test_issue_and_read_back(bench: Bench, eid: Eid) -> None:
    can = bench.folder / "can"
    done = bench.run("--can-out", can)
    assert done.code == 0, done.err
    assert "verdict         TOTAL_PASSED" in done.out
    assert re.search(r"^write DG1 +2 ", done.out, re.MULTILINE)
    assert re.search(r"^total +\d+ +\d+ +\d+ +[\d.]+$", done.out, re.MULTILINE)
    steps = done.err.splitlines()
    assert steps[0] == "identify the card"
    assert "lock the card" in steps
    assert steps.index("lock the card") < steps.index("read DG1")
    digits = can.read_text().strip()
    assert oct(can.stat().st_mode)[-3:] == "600"
    assert re.fullmatch(r"\d{6}", digits)
    assert digits not in re.findall(r"\d+", done.out + done.err)
    for secret in (bench.record.document_number, bench.record.personal_number, PASSPHRASE.decode()):
        assert secret not in done.out + done.err
    read = eid("read", "--card-file", bench.card, "--can-file", can, "--show")
    assert read.code == 0, read.err
    assert bench.record.document_number in read.out


def test_json(bench: Bench) -> None:
    told = json.loads(bench.run("--json").out)
    assert (told["format"], told["version"], told["verdict"]) == ("eid-personalization", 1, "TOTAL_PASSED")
    assert told["profile"] == PROFILE
    assert told["profile_digest"] == load_profile(PROFILE).digest.hex()
    assert re.fullmatch("[0-9a-f]{64}", told["sod_hash"])
    assert re.fullmatch("[0-9a-f]{20}", told["card_serial"])
    assert sum(step["apdus"] for step in told["steps"]) <= told["total"]["apdus"]
    assert {"step", "apdus", "octets_sent", "octets_received", "seconds"} == set(told["total"])


def test_json_follows_its_schema(bench: Bench) -> None:
    schema = json.loads((Path(__file__).parents[2] / "docs/formats/personalization.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(bench.run("--json").out), schema)


def test_faces(eid: Eid, tmp_path: Path, authorities: Callable[[str], Path]) -> None:
    bench = Bench(eid, tmp_path, authorities("ma-cnie"), "ma-cnie")
    done = bench.run("--faces", tmp_path / "faces", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["faces"] == [str(tmp_path / "faces" / name) for name in ("card-front.png", "card-back.png")]
    for name in told["faces"]:
        assert oct(Path(name).stat().st_mode)[-3:] == "600"
        with Image.open(name) as picture:
            assert picture.size == (1012, 638)
            assert len(picture.convert("L").getcolors() or ()) > 50


def test_faces_are_known_to_be_possible_before_the_card_is_touched(bench: Bench) -> None:
    before = load_card_file(bench.card)
    refused = bench.run("--faces", bench.folder / "faces")  # this product has no layout
    assert refused.code == 64
    assert "no layout" in refused.err
    assert load_card_file(bench.card) == before


def test_a_text_that_cannot_be_printed(eid: Eid, tmp_path: Path, authorities: Callable[[str], Path]) -> None:
    bench = Bench(eid, tmp_path, authorities("ma-cnie"), "ma-cnie")
    broken = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bench.record.portrait[12:]
    bench.write_record(replace(bench.record, signature_image=broken))
    before = load_card_file(bench.card)
    refused = bench.run("--faces", tmp_path / "faces")
    assert refused.code == 65
    assert "signature_image" in refused.err
    assert load_card_file(bench.card) == before
    assert not (tmp_path / "faces").exists()


def test_over_pcsc(bench: Bench, pcsc_daemon: PcscHost) -> None:
    reader: VirtualReader = pcsc_daemon.readers[0]
    card = blank_card(load_profile(PROFILE).profile)
    reader.insert(card)
    try:
        done = bench.run("--reader", reader.name)
        assert done.code == 0, done.err
        assert "TOTAL_PASSED" in done.out
    finally:
        reader.remove()


# --- a card that is lost


@pytest.mark.parametrize("obeyed", [False, True], ids=["before", "after"])
def test_pulled_out_in_the_middle_and_resumed(bench: Bench, monkeypatch: pytest.MonkeyPatch, obeyed: bool) -> None:
    put_back = lose(monkeypatch, lambda card: Pulled(card, 35, obeyed=obeyed))
    lost = bench.run()
    assert (lost.code, lost.out) == (69, "")
    (message,) = [line for line in lost.err.splitlines() if line.startswith("eid: ")]
    assert "The card is not operational" in message
    put_back()
    can = bench.folder / "can"
    done = bench.run("--resume", job_of(message), "--can-out", can)
    assert done.code == 0, done.err
    assert "verdict         TOTAL_PASSED" in done.out
    again = bench.run("--resume", job_of(message))
    assert again.code == 73
    assert "SUCCEEDED" in again.err or "issued already" in again.err


def test_the_answer_to_the_lock_is_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Locking(LoopbackConnection):
        """Loses the answer with which the card says that it is locked."""

        def transmit(self, command: bytes) -> bytes:
            answer = super().transmit(command)
            if is_operational(self):
                raise CardRemovedError("the card was pulled out")
            return answer

    put_back = lose(monkeypatch, Locking)
    lost = bench.run()
    assert lost.code == 69
    assert "do not hand it out" in lost.err
    put_back()
    done = bench.run("--resume", job_of(lost.err))
    assert done.code == 0, done.err


def test_another_card(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    put_back = lose(monkeypatch, lambda card: Pulled(card, 35))
    lost = bench.run()
    put_back()
    other = bench.folder / "other.bin"
    create_card(other, PROFILE)
    before = load_card_file(other)
    refused = bench.run("--resume", job_of(lost.err), card=other)
    assert refused.code == 73
    assert "another card" in refused.err
    assert load_card_file(other) == before
    fresh = bench.run()
    assert fresh.code == 73
    assert f"begun by job {job_of(lost.err)}" in fresh.err


def test_another_record_or_profile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    put_back = lose(monkeypatch, lambda card: Pulled(card, 35))
    lost = bench.run()
    put_back()
    bench.write_record(replace(bench.record, civil_status_number="1/2026", sex="X"))
    refused = bench.run("--resume", job_of(lost.err))
    assert refused.code == 73
    assert "another record" in refused.err
    assert f"--resume {job_of(lost.err)}" in refused.err
    text = (Path(__file__).parents[2] / "card_profiles" / f"{PROFILE}.toml").read_text("utf-8")
    changed = bench.folder / "changed.toml"
    changed.write_text(text + "\n# another version\n", "utf-8")
    refused = bench.run("--resume", job_of(lost.err), "--profile", changed)
    assert refused.code == 73
    assert "another profile, or another version" in refused.err


def test_quality_check(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Flipping(LoopbackConnection):
        def transmit(self, command: bytes) -> bytes:
            answer = bytearray(super().transmit(command))
            if is_operational(self) and len(answer) > 60:
                answer[20] ^= 0x01
            return bytes(answer)

    lose(monkeypatch, Flipping)
    failed = bench.run()
    assert (failed.code, failed.out) == (73, "")
    assert "failed its quality check" in failed.err
    assert "destroy it" in failed.err
    assert "--resume" not in failed.err


def test_interrupted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(LoopbackConnection):
        left = 30

        def transmit(self, command: bytes) -> bytes:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
            return super().transmit(command)

    put_back = lose(monkeypatch, Interrupted)
    stopped = bench.run()
    assert stopped.code != 0
    assert f"--resume {job_of(stopped.err)}" in stopped.err
    put_back()
    assert bench.run("--resume", job_of(stopped.err)).code == 0


# --- what is refused at once


def test_records(bench: Bench) -> None:
    path = bench.folder / "record.json"
    before = load_card_file(bench.card)
    stated = json.loads(path.read_text("utf-8"))
    for content, says in (
        (json.dumps(stated | {"sex": "?"}), "sex"),
        (json.dumps({key: value for key, value in stated.items() if key != "nationality"}), "nationality"),
        (json.dumps(stated | {"colour": 1}), "unknown key"),
        ("{", str(path)),
        ("", str(path)),
        ("[" * 100_000, str(path)),
    ):
        path.write_text(content, "utf-8")
        refused = bench.run()
        assert (refused.code, refused.out) == (65, ""), content[:40]
        assert says in refused.err
        assert refused.err.count("\n") == 1
    bench.write_record(replace(bench.record, issuing_state="XOM"))
    assert "issuing_state" in bench.run().err
    past = replace(bench.record, issued_on=NOW.date() - timedelta(9), expires_on=NOW.date() - timedelta(1))
    bench.write_record(past)
    refused = bench.run()
    assert refused.code == 65
    assert "expires_on has passed" in refused.err
    path.unlink()
    assert bench.run().code == 65
    assert load_card_file(bench.card) == before


def test_script_warnings(bench: Bench) -> None:
    mixed = replace(bench.record, father=replace(bench.record.father, native="SPECIMEN"))
    bench.write_record(mixed)
    done = bench.run()
    assert done.code == 0
    assert "father.arabic has letters that are not Arabic" in done.err


def test_cards_and_readers(bench: Bench) -> None:
    assert bench.run(card=bench.folder / "missing").code == 73
    junk = bench.folder / "junk"
    junk.write_bytes(b"junk")
    assert bench.run(card=junk).code == 65
    assert bench.run("--reader", "x", "--card-file", bench.card).code == 64
    with open_card(bench.card):
        refused = bench.run()
    assert refused.code == 73
    assert "another process" in refused.err


def test_keys_and_jobs(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "passphrase").write_text("wrong")
    assert bench.run().code == 77
    (bench.folder / "passphrase").write_bytes(PASSPHRASE)
    assert bench.run("--resume", "not-a-job").code == 64
    assert bench.run("--resume", "00000000-0000-0000-0000-000000000000").code == 73
    bench.authority = tmp_path / "nowhere"
    refused = bench.run()
    assert refused.code == 73
    assert "eid pki init" in refused.err
    assert not (tmp_path / "nowhere").exists()


def test_the_database_is_where_home_says(bench: Bench, eid: Eid) -> None:
    assert bench.run("--home", bench.folder / "elsewhere").code == 0
    assert (bench.folder / "elsewhere" / "eid.db").is_file()
    assert not (bench.folder / "home" / "eid.db").exists()
    (bench.folder / "spoiled").mkdir()
    (bench.folder / "spoiled" / "eid.db").write_bytes(b"no database at all" * 100)
    assert bench.run("--home", bench.folder / "spoiled").code == 73


# --- a card with rights and a PIN


def test_trust_points_and_the_pin_letter(eid: Eid, tmp_path: Path, authorities: Callable[[str], Path]) -> None:
    """The issuer says whom the card trusts and where PIN and PUK go; then the right terminal reads the fingers."""
    profile = "eu-residence-permit"
    bench = Bench(eid, tmp_path, authorities(profile), profile)
    terminals = SpecimenTerminals(load_profile(profile).profile, NOW)
    for name, raw in (("cvca", terminals.cvca_certificate), ("dv", terminals.dv_certificate)):
        (tmp_path / name).write_bytes(raw)
    (tmp_path / "is").write_bytes(terminals.terminal_certificate)
    (tmp_path / "key").write_bytes(terminals.export_key())
    letter = tmp_path / "letter"
    before = load_card_file(bench.card)
    assert bench.run("--trust-point", tmp_path / "cvca").code == 64  # a PIN that nobody would ever know
    assert bench.run("--pin-out", letter).code == 73
    assert bench.run("--pin-out", letter, "--trust-point", tmp_path / "is").code == 73
    assert load_card_file(bench.card) == before
    assert not letter.exists()
    done = bench.run("--pin-out", letter, "--trust-point", tmp_path / "cvca")
    assert done.code == 0, done.err
    secrets = dict(line.split() for line in letter.read_text().splitlines())
    assert (letter.stat().st_mode & 0o777, secrets.keys()) == (0o600, {"PIN", "PUK"})
    assert secrets["PIN"] not in done.out + done.err
    (tmp_path / "pin").write_text(secrets["PIN"] + "\n")
    chain = [item for name in ("dv", "is") for item in ("--terminal-chain", tmp_path / name)]
    chain += ["--terminal-key", tmp_path / "key"]
    read = eid("read", "--card-file", bench.card, "--pin-file", tmp_path / "pin", "--dg", "3", *chain)
    assert read.code == 0, read.err
    assert "terminal_authentication: succeeded" in read.out
    assert "closed" not in read.out
