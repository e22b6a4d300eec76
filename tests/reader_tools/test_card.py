from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from eid.card import VirtualCard
from eid.identity import encode_identity_record
from eid.profile.loader import load_profile
from eid.services.trust.imports import import_trust
from eid.store.card_file import load_card_file, open_card_file
from eid.testing.specimen import specimen_for
from tests.builders.issuance import CAN, NOW

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/formats/card-description.schema.json").read_text("utf-8"))
SELECT_MASTER_FILE = bytes.fromhex("00A4000C023F00")
INITIALIZE_UPDATE = bytes.fromhex("8050000008") + b"hostchal" + b"\x00"


def test_new_card_is_blank_and_has_its_serial(eid, tmp_path):
    path = tmp_path / "card.bin"
    outcome = eid("card", "new", "--profile", "ma-cnie", "--out", path, "--serial", "00112233445566778899")
    assert (outcome.code, outcome.out) == (0, f"{path}: blank card 00112233445566778899\n")
    assert os.stat(path).st_mode & 0o777 == 0o600
    told = json.loads(eid("card", "show", path, "--json").out)
    jsonschema.validate(told, SCHEMA)
    assert told["life_cycle"] == "blank"
    assert told["serial"] == "00112233445566778899"
    assert told["security_domain"]["key_version"] == "FF"
    assert (told["applications"], told["passwords"], told["used"]) == ([], [], 0)


def test_serials_differ(eid, tmp_path):
    outs = [eid("card", "new", "--profile", "eu-td1-id-card", "--out", tmp_path / name).out for name in "ab"]
    assert outs[0].split()[-1] != outs[1].split()[-1]


def test_a_card_is_not_overwritten(eid, card_file):
    before = card_file.read_bytes()
    outcome = eid("card", "new", "--profile", "ma-cnie", "--out", card_file)
    assert outcome.code == 73
    assert "a card is not overwritten" in outcome.err
    assert card_file.read_bytes() == before


def test_new_card_refusals(eid, tmp_path):
    path = tmp_path / "card.bin"
    assert eid("card", "new", "--profile", "nowhere", "--out", path).code == 65
    assert eid("card", "new", "--profile", "ma-cnie", "--out", path, "--serial", "0011").code == 64
    assert eid("card", "new", "--profile", "ma-cnie").code == 64
    assert eid("card", "new", "--profile", "ma-cnie", "--out", tmp_path / "none" / "card.bin").code == 73
    assert not path.exists()


def test_a_card_is_issued_from_a_record_and_verifies(eid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "card.bin"
    made = eid("card", "new", "--profile", "fr-id-2024", "--record", "specimen", "--out", path)
    assert made.code == 0, made.err
    beside = {line.split(": ")[0]: Path(line.split(": ")[1]) for line in made.out.splitlines()[1:]}
    assert beside.keys() == {"CSCA", "CRL", "MRZ", "CAN"}
    assert all(os.stat(beside[name]).st_mode & 0o777 == 0o600 for name in ("MRZ", "CAN"))
    store = tmp_path / "store"
    import_trust(store, [beside["CSCA"], beside["CRL"]], unsigned=False, now=datetime.now(UTC))
    for option in (("--can-file", beside["CAN"]), ("--mrz-file", beside["MRZ"])):
        out = tmp_path / "evidence"
        read = eid("read", "--card-file", path, *option, "--out", out, "--unsigned")
        assert read.code == 0, read.err
        judged = eid("verify", out, "--trust", store, "--policy", "border", "--json")
        assert json.loads(judged.out)["verdict"] == "TOTAL_PASSED", judged.out
    again = eid("card", "new", "--profile", "fr-id-2024", "--record", "specimen", "--out", path)
    assert again.code == 73


def test_a_record_of_a_person_is_issued(eid, tmp_path):
    record = specimen_for(load_profile("ma-cnie").profile, NOW)
    (tmp_path / "record.json").write_bytes(encode_identity_record(record))
    given = ("--record", tmp_path / "record.json", "--out", tmp_path / "card.bin", "--serial", "00112233445566778899")
    assert eid("card", "new", "--profile", "ma-cnie", *given).out.startswith(
        f"{tmp_path}/card.bin: issued card 00112233445566778899\n"
    )
    told = json.loads(eid("card", "show", tmp_path / "card.bin", "--json").out)
    assert (told["life_cycle"], told["serial"]) == ("operational", "00112233445566778899")
    (tmp_path / "record.json").write_text("{}")
    assert eid("card", "new", "--profile", "ma-cnie", *given[:3], tmp_path / "other.bin").code == 65
    assert not (tmp_path / "other.bin").exists()
    passport = eid("card", "new", "--profile", "au-passport-2016", "--record", "specimen", "--out", tmp_path / "p.bin")
    assert "CAN" not in passport.out


def test_show_tells_what_is_on_an_issued_card(eid, card_file):
    told = json.loads(eid("card", "show", card_file, "--json").out)
    jsonschema.validate(told, SCHEMA)
    assert told["life_cycle"] == "operational"
    (application,) = told["applications"]
    assert application["name"] == "eMRTD (LDS1)"
    files = {item["name"]: item for item in application["files"]}
    assert {"EF.COM", "EF.SOD", "DG1", "DG2", "DG14", "DG15"} <= files.keys()
    assert files["DG1"]["fid"] == "0101"
    assert files["DG1"]["update"] == "never"
    assert {key["purpose"] for key in application["keys"]} == {"active-authentication", "chip-authentication"}
    assert {item["name"] for item in told["passwords"]} >= {"CAN", "MRZ"}
    assert (told["pace"][0]["cipher"], told["pace"][0]["curve"]) == ("AES_256", "brainpoolP256r1")
    assert [item["name"] for item in told["master_files"]] == ["EF.CardAccess"]
    assert (told["trust_points"], told["date"]) == ([], None)


@pytest.mark.parametrize("profile", ["eu-residence-permit", "eid-application"])
def test_show_tells_whom_a_card_trusts(eid, tmp_path, profile):
    card = tmp_path / "card.bin"
    assert eid("card", "new", "--profile", profile, "--record", "specimen", "--out", card).code == 0
    told = json.loads(eid("card", "show", card, "--json").out)
    jsonschema.validate(told, SCHEMA)
    assert told["date"] == told["trust_points"][0]["valid_from"]
    words = eid("card", "show", card).out
    assert told["trust_points"][0]["holder"] in words
    assert f"the card's own date is {told['date']}" in words


def test_show_in_words(eid, card_file):
    outcome = eid("card", "show", card_file)
    assert outcome.code == 0
    for word in ("life cycle", "operational", "historical bytes", '"EID-CARD"', "DG15", "never blocks", "SCP03 i="):
        assert word in outcome.out


def test_show_holds_no_secret(eid, card_file, issued):
    """Neither passwords, nor keys, nor what the files say."""
    for flag in ((), ("--json",)):
        text = eid("card", "show", card_file, *flag).out
        assert CAN not in text
        for directory in issued.card._card.memory.directories:
            for key in directory.keys.values():
                assert key.private_key[-16:].hex().upper() not in text
        assert "SPECIMEN" not in text


@pytest.mark.parametrize("content", [b"", b"no card", bytes(5000)])
def test_what_is_no_card(eid, tmp_path, content):
    path = tmp_path / "card.bin"
    path.write_bytes(content)
    for command in ("show", "run"):
        outcome = eid("card", command, path)
        assert (outcome.code, outcome.err.count("\n")) == (65, 1)
        assert str(path) in outcome.err


def test_no_card_file(eid, tmp_path):
    for command in ("show", "run"):
        outcome = eid("card", command, tmp_path / "none")
        assert outcome.code == 73
        assert "there is no card file" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_fault_that_is_none_is_told_before_the_card_runs(eid, card_file):
    outcome = eid("card", "run", card_file, "--fault", "tear@5, burn@6")
    assert outcome.code == 65
    assert "no fault 'burn'" in outcome.err


def test_altered_card_is_refused(eid, card_file):
    raw = bytearray(card_file.read_bytes())
    raw[len(raw) // 2] ^= 1
    card_file.write_bytes(raw)
    outcome = eid("card", "show", card_file)
    assert outcome.code == 65
    assert "torn or altered" in outcome.err


# --- run


class Vpcd:
    """The reader's end of the socket, as vpcd speaks; closed at the end of a `with`."""

    def __enter__(self) -> Vpcd:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.settimeout(60)

    def send(self, body: bytes) -> None:
        self._socket.sendall(len(body).to_bytes(2, "big") + body)

    def ask(self, body: bytes) -> bytes:
        self.send(body)
        return self._read(int.from_bytes(self._read(2), "big"))

    def _read(self, size: int) -> bytes:
        got = b""
        while len(got) < size:
            part = self._socket.recv(size - len(got))
            if not part:
                raise EOFError
            got += part
        return got

    def close(self) -> None:
        self._socket.close()


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    program = subprocess.Popen(
        [sys.executable, "-u", "-m", "reader_tools.main", "card", "run", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield program
    finally:
        if program.poll() is None:
            program.kill()
        program.communicate()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


def test_run_serves_the_card_and_stops_on_sigterm(card_file, listener):
    port = listener.getsockname()[1]
    with running(card_file, "--vpcd", f"127.0.0.1:{port}") as program, Vpcd(listener.accept()[0]) as vpcd:
        assert program.stdout.readline() == f"{card_file}: in the reader at 127.0.0.1:{port} (operational)\n"
        vpcd.send(b"\x01")
        assert vpcd.ask(b"\x04") == VirtualCard.from_state(load_card_file(card_file)).atr
        assert vpcd.ask(SELECT_MASTER_FILE) == b"\x90\x00"
        program.send_signal(signal.SIGTERM)
        out, err = program.communicate(timeout=60)
        assert (program.returncode, out, err) == (0, "pulled out\n", "")


def test_run_with_faults_and_a_trace_in_words(card_file, listener):
    port = listener.getsockname()[1]
    faulty = ("--trace", "--fault", "sw@2:6F00, drop@3")
    with running(card_file, "--vpcd", f"127.0.0.1:{port}", *faulty) as program, Vpcd(listener.accept()[0]) as vpcd:
        read = bytes.fromhex("00B09C0004")
        assert vpcd.ask(read)[-2:] == b"\x90\x00"
        assert vpcd.ask(read) == b"\x6f\x00"
        assert vpcd.ask(read) == b"\x00", "no answer, as PC/SC sees it"
        program.send_signal(signal.SIGTERM)
        _, err = program.communicate(timeout=60)
        assert err == "00B09C00     0 in     4 out 9000        READ BINARY: EF.CardAccess from 0\n"


@pytest.mark.parametrize("fault", ["tear@2", "remove@2"])
def test_a_card_that_leaves_by_a_fault_says_so_and_comes_back_where_it_is_asked_to(card_file, listener, fault):
    read = bytes.fromhex("00B09C0004")
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    with running(card_file, "--vpcd", address, "--fault", fault) as program, Vpcd(listener.accept()[0]) as vpcd:
        assert vpcd.ask(read)[-2:] == b"\x90\x00"
        vpcd.send(read)
        out, _ = program.communicate(timeout=60)
        assert out.splitlines()[1:] == ["the card has left, by a fault"]
    with running(card_file, "--vpcd", address, "--fault", fault, "--again", "0.1") as program:
        with Vpcd(listener.accept()[0]) as vpcd:
            assert vpcd.ask(read)[-2:] == b"\x90\x00"
            vpcd.send(read)
            second = listener.accept()[0]  # commands are numbered on: the fault has struck
        with Vpcd(second) as vpcd:
            vpcd.send(b"\x01")
            assert [vpcd.ask(read)[-2:] for _ in range(3)] == [b"\x90\x00"] * 3
            program.send_signal(signal.SIGTERM)
            out, _ = program.communicate(timeout=60)
        assert out.splitlines() == [
            f"{card_file}: in the reader at {address} (operational)",
            "the card has left, by a fault",
            f"{card_file}: in the reader again",
            "pulled out",
        ]


def test_run_with_a_live_page(card_file, listener):
    port = listener.getsockname()[1]
    arguments = ("--vpcd", f"127.0.0.1:{port}", "--trace-page", "0")
    with running(card_file, *arguments) as program, Vpcd(listener.accept()[0]) as vpcd:
        address = program.stdout.readline().removeprefix("trace: ").strip()
        assert vpcd.ask(bytes.fromhex("00B09C0004"))[-2:] == b"\x90\x00"
        with urllib.request.urlopen(address, timeout=60) as page:
            assert f"Trace of {card_file.name}" in page.read().decode()
        with urllib.request.urlopen(f"{address}events", timeout=60) as events:
            assert events.readline() == b"id: 1\n"
            assert json.loads(events.readline().removeprefix(b"data: "))["detail"] == "EF.CardAccess from 0"
            program.send_signal(signal.SIGTERM)
            assert events.read().endswith(b"event: end\ndata: {}\n\n")
        out, err = program.communicate(timeout=60)
        assert (program.returncode, out.splitlines()[-1], err) == (0, "pulled out", "")


def test_run_stops_on_ctrl_c_while_it_waits_for_a_reader(card_file, listener):
    port = listener.getsockname()[1]
    listener.close()
    with running(card_file, "--vpcd", f"127.0.0.1:{port}", "--wait", "60") as program:
        assert program.stderr.readline() == f"no virtual reader at 127.0.0.1:{port} yet, trying on\n"
        program.send_signal(signal.SIGINT)
        out, _ = program.communicate(timeout=60)
        assert (program.returncode, out) == (0, "pulled out\n")


def test_run_gives_up_where_nothing_listens(eid, card_file, listener):
    port = listener.getsockname()[1]
    listener.close()
    outcome = eid("card", "run", card_file, "--vpcd", f"127.0.0.1:{port}", "--wait", "0.3")
    assert outcome.code == 69
    assert f"no virtual reader at 127.0.0.1:{port}" in outcome.err


def test_run_listens_for_a_reader_that_dials_out(card_file):
    with running(card_file, "--listen", "127.0.0.1:0", "--trace") as program:
        line = program.stdout.readline()
        assert line.startswith("waiting for a virtual reader at 127.0.0.1:")
        vpcd = Vpcd(socket.create_connection(("127.0.0.1", int(line.rpartition(":")[2])), 10))
        assert vpcd.ask(SELECT_MASTER_FILE) == b"\x90\x00"
        vpcd.close()
        out, err = program.communicate(timeout=60)
        assert program.returncode == 0
        assert out.splitlines() == [f"{card_file}: in the reader (operational)", "the reader has hung up"]
        assert "00A4000C" in err
        assert "SELECT" in err


def test_run_stops_while_it_listens(card_file):
    with running(card_file, "--listen", "127.0.0.1:0") as program:
        program.stdout.readline()
        program.send_signal(signal.SIGTERM)
        out, _ = program.communicate(timeout=60)
        assert (program.returncode, out) == (0, "pulled out\n")


def test_what_a_command_changes_is_in_the_file_before_the_answer(eid, tmp_path, listener):
    """A secure channel that is opened moves the sequence counter of a card in use; here: of a blank one."""
    path = tmp_path / "card.bin"
    assert eid("card", "new", "--profile", "ma-cnie", "--out", path).code == 0
    before = path.read_bytes()
    domain = json.loads(eid("card", "show", path, "--json").out)["security_domain"]["aid"]
    with running(path, "--vpcd", f"127.0.0.1:{listener.getsockname()[1]}") as program:
        vpcd = Vpcd(listener.accept()[0])
        aid = bytes.fromhex(domain)
        assert vpcd.ask(bytes.fromhex("00A4040C") + bytes((len(aid),)) + aid)[-2:] == b"\x90\x00"
        assert vpcd.ask(INITIALIZE_UPDATE)[-2:] == b"\x90\x00"
        assert path.read_bytes() != before
        program.kill()  # no chance to tidy up
        program.wait()
        vpcd.close()
    shown = json.loads(eid("card", "show", path, "--json").out)
    assert shown["security_domain"]["sequence"] == 1


def test_a_card_is_in_one_reader_at_a_time(eid, card_file):
    with open_card_file(card_file):
        outcome = eid("card", "run", card_file)
        assert outcome.code == 73
        assert "another process is using" in outcome.err
        assert eid("card", "show", card_file).code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--vpcd", "here"),
        ("--vpcd", ":1"),
        ("--vpcd", "h:70000"),
        ("--vpcd", "a:1", "--listen", "b:1"),
        ("--again", "1"),
    ],
)
def test_run_wrong_usage(eid, card_file, arguments):
    assert eid("card", "run", card_file, *arguments).code == 64


def test_an_address_that_cannot_be_listened_at(eid, card_file, listener):
    outcome = eid("card", "run", card_file, "--listen", f"127.0.0.1:{listener.getsockname()[1]}")
    assert outcome.code == 69
    assert "cannot listen" in outcome.err


def test_signal_handlers_are_put_back(eid, card_file, listener):
    before = signal.getsignal(signal.SIGTERM)

    def hang_up() -> None:
        listener.accept()[0].close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    outcome = eid("card", "run", card_file, "--vpcd", f"127.0.0.1:{listener.getsockname()[1]}")
    thread.join()
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, "the reader has hung up")
    assert signal.getsignal(signal.SIGTERM) is before
