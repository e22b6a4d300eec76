"""Whatever a file holds: one clear line or a report, an exit code of the list, no traceback, bounded memory."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eid.codec.cbor import Tagged, encode_cbor
from eid.codec.tlv import encode_tlv
from eid.evidence.codec import encode_evidence
from reader_tools.main import COMMANDS, run
from tests.builders.sweep import examples

ROOT = Path(__file__).parents[2]
ALLOWED = frozenset((0, 1, 2, 64, 65, 69, *range(70, 79)))
FUZZ = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
AT = ("--at", "2026-06-01")
MEMORY = 64 << 20  # octets over the idle program


def outcome(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


def check_manners(code: int, out: str, err: str) -> None:
    assert code in ALLOWED
    if code in (0, 1, 2):
        assert out.startswith("{")
        json.loads(out)
    else:
        assert out == ""
        assert err.startswith("eid: ")
        assert err.count("\n") == 1


@st.composite
def damage(draw: st.DrawFn, genuine: bytes) -> bytes:
    """Genuine bytes: cut, lengthened, with octets changed, or with a piece taken out."""
    raw = bytearray(genuine)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(0, len(raw) - 1)))
        match draw(st.sampled_from(("flip", "cut", "insert", "remove"))):
            case "flip" if raw:
                raw[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del raw[place:]
            case "insert":
                raw[place:place] = draw(st.binary(min_size=1, max_size=8))
            case _:
                del raw[place : place + draw(st.integers(1, 8))]
    return bytes(raw)


@FUZZ
@given(data=st.data())
def test_any_evidence(data, document, trust, tmp_path_factory):
    genuine = encode_evidence(document.evidence())
    raw = data.draw(
        st.one_of(st.binary(max_size=200), damage(genuine), damage(document.envelope(document.evidence()).payload))
    )
    path = tmp_path_factory.getbasetemp() / "any-evidence"
    path.write_bytes(raw)
    check_manners(*outcome("verify", path, "--trust", trust, *AT, "--json"))


@FUZZ
@given(data=st.data())
def test_any_sod_and_data_group(data, document, trust, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp()
    sod = data.draw(st.one_of(st.binary(max_size=100), damage(document.files["EF.SOD"])))
    if data.draw(st.booleans()):  # keep the outer data object whole, so that what is inside is looked at
        sod = encode_tlv(0x77, sod[4:])
    (folder / "any-sod").write_bytes(sod)
    (folder / "any-dg").write_bytes(data.draw(st.one_of(st.binary(max_size=100), damage(document.files["DG14"]))))
    number = data.draw(st.sampled_from((1, 2, 14, 15)))
    given_files = ("--sod", folder / "any-sod", "--dg", f"{number}={folder / 'any-dg'}")
    check_manners(*outcome("verify", *given_files, "--trust", trust, *AT, "--json"))
    page = folder / "any.html"
    assert outcome("verify", *given_files, "--trust", trust, *AT, "--html", page)[0] in ALLOWED


@FUZZ
@given(data=st.data())
def test_any_card_file(data, issued, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any-card"
    genuine = issued.card.state()
    raw = data.draw(st.one_of(st.binary(max_size=200), damage(genuine)))
    assume(raw != genuine)
    path.write_bytes(raw)
    code, out, err = outcome("card", "show", path)
    assert (code, out, err.count("\n")) == (65, "", 1)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.text(max_size=12), max_size=4), st.sampled_from(("verify", "read", "mrz", "db", "card")))
def test_any_arguments(arguments, command):
    arguments = [item for item in arguments if item not in ("run", "new", "init")]
    code, _, err = outcome(command, *arguments, "--no-such-option")
    assert code in ALLOWED
    assert "Traceback" not in err


def hostile_files(folder: Path) -> dict[str, tuple[str, ...]]:
    """Inputs at the limits, each made to make a decoder allocate."""
    limit, mebi = 4 << 20, 1 << 20
    files = {
        "many": b"\x9a" + (limit - 5).to_bytes(4, "big") + b"\x80" * (limit - 5),
        "deep": b"\x81" * limit,
        "text": encode_cbor("x" * (limit - 5)),
        "envelope": encode_cbor(Tagged(18, [b"", {}, b"\x80" * (limit - 200), b""])),
        "beyond": bytes(limit + 1),
    }
    sods = {
        "sod-flat": encode_tlv(0x77, b"\x30\x00" * (mebi // 2 - 10)),
        "sod-deep": encode_tlv(0x77, nest(mebi - 4000)),
        "sod-set": encode_tlv(0x77, encode_tlv(0x30, b"\x06\x01\x2a" * (mebi // 3 - 10))),
        "sod-integer": encode_tlv(0x77, encode_tlv(0x30, encode_tlv(0x02, b"\x7f" * (mebi - 20)))),
        "sod-oid": encode_tlv(0x77, encode_tlv(0x30, encode_tlv(0x06, b"\xff" * (mebi - 20) + b"\x01"))),
    }
    for name, raw in {**files, **sods}.items():
        (folder / name).write_bytes(raw)
    return {
        **{name: (str(folder / name),) for name in files},
        **{name: ("--sod", str(folder / name)) for name in sods},
    }


def nest(size: int) -> bytes:
    """DER sequences one inside the other."""
    raw = b""
    for _ in range(400):
        raw = encode_tlv(0x30, raw)
    return raw + bytes(max(0, size - len(raw)))


MEASURE = """
import json, resource, sys
from reader_tools.main import run
trust, genuine, inputs = json.loads(sys.argv[1])
run(["verify", genuine, "--trust", trust, "--json"])      # everything is loaded now
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name, arguments in inputs.items():
    code = run(["verify", *arguments, "--trust", trust, "--json"])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print("measured", json.dumps([name, code, grown]), file=sys.stderr)
"""


def test_memory_is_bounded_for_any_input(document, trust, tmp_path):
    """The most that the process ever held, over all of these inputs one after the other."""
    (tmp_path / "genuine").write_bytes(encode_evidence(document.evidence()))
    settled = json.dumps([str(trust), str(tmp_path / "genuine"), hostile_files(tmp_path)])
    program = subprocess.run(
        [sys.executable, "-c", MEASURE, settled], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    measured = [json.loads(line[9:]) for line in program.stderr.splitlines() if line.startswith("measured ")]
    assert len(measured) == 10
    for name, code, grown in measured:
        assert code in (1, 65), name
        assert grown < MEMORY, f"{name}: {grown >> 20} MiB"


def test_help_answers_at_once_and_loads_nothing_heavy():
    """`eid --help` imports no command, no library of theirs and no part of the core but the errors."""
    program = (
        "import sys; from reader_tools.main import run; run(['--help']); print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    heavy = {
        "cryptography",
        "sqlalchemy",
        "pydantic",
        "PIL",
        "fastapi",
        "jinja2",
        "cbor2",
        "smartcard",
        "rich",
        "asyncio",
    }
    assert loaded & heavy == set()
    assert {name for name in loaded if name.startswith("eid")} == {"eid", "eid.errors"}
    assert {name for name in loaded if name.startswith("reader_tools")} == {
        "reader_tools",
        "reader_tools.exit_codes",
        "reader_tools.main",
    }
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help(name, capsys):
    if not (ROOT / "reader_tools" / f"{COMMANDS[name][0]}.py").exists():
        pytest.skip("not there yet")
    assert run([name, "--help"]) == 0
    assert "Usage: eid " + name in capsys.readouterr().out


def test_no_traceback_when_the_reader_of_the_output_goes_away(document, trust, tmp_path):
    (tmp_path / "genuine").write_bytes(encode_evidence(document.evidence()))
    reading, writing = os.pipe()
    os.close(reading)
    program = subprocess.run(
        [sys.executable, "-m", "reader_tools.main", "verify", str(tmp_path / "genuine"), "--trust", str(trust)],
        cwd=ROOT,
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert program.returncode == 73
    assert "Traceback" not in program.stderr
