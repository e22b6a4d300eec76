"""`eid status` and the register's commands of `eid card`, from the first card to a relying party's answer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from eid.services.card.status_lists import PUBLISH
from eid.services.database import init_database
from eid.services.settings import Settings
from eid.store.card_tables import status_publication
from eid.store.database import in_transaction, locate_file, open_database
from eid.store.standing_work import ask
from tests.builders.cards import SERIES, personalised_job
from tests.builders.document import STATUS, Document, status_lists, status_signer
from tests.builders.issuing import software_keys

Eid = Callable[..., object]


@pytest.fixture
def authority(eid: Eid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "passphrase").write_text("open sesame\n")
    monkeypatch.setenv("EID_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.setattr("reader_tools.authority_options.open_software_keys", software_keys)  # the same at less scrypt
    # A profile whose document signers are on a curve that JOSE has no name for: status lists have one of their own.
    assert eid("pki", "init", "--dir", tmp_path / "pki", "--profile", "ma-cnie").code == 0
    return tmp_path / "pki"


@pytest.fixture
def register(tmp_path: Path) -> Iterator[Engine]:
    init_database(Settings(home=tmp_path / "home"))
    engine = open_database(locate_file(tmp_path / "home/eid.db"))
    yield engine
    engine.dispose()


@pytest.fixture
def document_id(register: Engine) -> str:
    return str(in_transaction(register, lambda c: personalised_job(c, "SPM00001", 7))[1])


def told(outcome) -> dict[str, object]:
    assert outcome.code == 0, outcome.err
    found: dict[str, object] = json.loads(outcome.out)
    return found


def test_from_the_register_to_a_relying_party(eid: Eid, tmp_path: Path, authority: Path, document_id: str) -> None:
    entered = told(eid("card", "enter", "--number", "SPM00001", "--expires", "2999-05-31", "--json", document_id))
    assert (entered["format"], entered["state"], entered["for_relying_parties"]) == (
        "eid-registered-card",
        "IN_STOCK",
        "INVALID",
    )
    assert told(eid("card", "activate", "--json", "SPM00001"))["for_relying_parties"] == "VALID"
    suspended = told(eid("card", "suspend", "--cause", "lost", "--json", entered["id"]))
    assert (suspended["state"], suspended["cause"]) == ("SUSPENDED", "lost")
    refused = eid("card", "resume", "--as", "call-centre-agent", "SPM00001")
    assert (refused.code, "FORBIDDEN" in refused.err) == (73, True)
    published = eid("status", "publish", "--dir", authority, "--out", tmp_path / "www", "--json")
    assert (told(published)["invalid"], told(published)["suspended"]) == (0, 1)
    assert "sls-001" in eid("pki", "show", "--dir", authority).out
    shown = told(eid("status", "show", "--json", tmp_path / "www/1.jwt"))
    assert (shown["uri"], shown["places"], shown["suspended"], shown["ttl"]) == (SERIES, 64, 1, 900)
    assert "suspended   1" in eid("status", "show", tmp_path / "www/1.cwt").out
    files = authority / "csca-001.cer", authority / "crl-000001.crl"
    assert eid("trust", "import", "--store", tmp_path / "home/trust", "--unsigned", *files).code == 0
    nothing = eid("status", "check", SERIES, 7)
    assert (nothing.code, nothing.out) == (2, "UNKNOWN: the list is not at hand\n")
    assert eid("status", "import", tmp_path / "www/1.cwt").code == 0
    for index, code, word in ((7, 1, "SUSPENDED"), (8, 0, "VALID"), (64, 2, "UNKNOWN")):
        answer = eid("status", "check", "--json", SERIES, index)
        assert (answer.code, json.loads(answer.out)["status"]) == (code, word)
    named = eid("status", "check", "--file", tmp_path / "www/1.jwt", "--file", authority / "csca-001.cer", SERIES, 7)
    assert (named.code, named.out.split(":")[0]) == (1, "SUSPENDED")
    assert "csca-001.cer: " in named.err
    assert eid("card", "resume", "SPM00001").code == 0
    revoked = eid("card", "revoke", "--cause", "stolen", "SPM00001")
    assert (revoked.code, "stolen" in revoked.out) == (0, True)
    assert "REVOKED" in eid("card", "status", "SPM00001").out
    with closing(sqlite3.connect(tmp_path / "home/eid.db")) as database:  # that it was looked at
        read = database.execute("SELECT actor FROM audit_row WHERE action = 'card.read'").fetchall()
    assert [actor.partition(":")[0] for (actor,) in read] == ["administrator"]


def test_what_is_due(eid: Eid, authority: Path, document_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = ("status", "publish", "--dir", authority)
    assert SERIES in eid(*publish, "--due").out
    assert eid(*publish, "--due").out.startswith("no list is due")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("reader_tools.status.time.sleep", sleep)
    ended = eid(*publish, "--every", 60)
    assert (ended.code, ended.out, slept) == (130, "", [60, 60])
    assert eid(*publish, "--ttl", 7200, "--valid", 2).code == 64


def test_a_worker_publishes(eid: Eid, tmp_path: Path, authority: Path, document_id: str, register: Engine) -> None:
    """It waits, and an operator sees so, until a worker comes who has the signer; he needs no other key."""
    assert document_id
    in_transaction(register, lambda connection: ask(connection, PUBLISH, datetime.now(UTC) - timedelta(hours=1)))
    run = ("worker", "run", "--until-idle", "--without-sealing", "--name", "one")
    assert eid(*run, "--keys-only").code == 64
    assert eid(*run).code == 0
    assert "status.publish waits since" in eid("worker", "status").out
    told_of = json.loads(eid("worker", "status", "--json").out)
    assert [item["kind"] for item in told_of["unserved"]] == ["status.publish"]
    assert eid("status", "publish", "--dir", authority).code == 0  # by hand: then nothing is waited for
    assert "waits since" not in eid("worker", "status").out
    with register.begin() as connection:
        connection.execute(update(status_publication).values(issued_at=datetime.now(UTC) - timedelta(minutes=11)))
    assert "status.publish waits since" in eid("worker", "status").out
    publish = ("--keys-only", "--authority", authority, "--status-out", tmp_path / "www")
    assert eid(*run, *publish, "--status-ttl", 7200, "--status-valid", 2).code == 64
    assert eid(*run, *publish).code == 0
    shown = told(eid("status", "show", "--json", tmp_path / "www/1.cwt"))
    assert (shown["uri"], shown["ttl"]) == (SERIES, 900)
    assert "waits since" not in eid("worker", "status").out


def test_wrong_words(eid: Eid, tmp_path: Path, trust: Path, register: Engine) -> None:
    assert eid("card", "status", "SPM99999").code == 73
    assert eid("card", "suspend", "--cause", "bored", "SPM00001").code == 64
    assert eid("card", "suspend", "--cause", "lost", "--as", "applicant", "SPM00001").code == 64
    assert eid("status", "show", __file__).code == 65
    unnamed = eid("status", "fetch", "--trust", trust)
    assert (unnamed.code, "none is at hand" in unnamed.err) == (64, True)
    assert eid("status", "fetch", "--trust", trust, SERIES).code == 64
    assert eid("status", "import", "--trust", trust, __file__).code == 65


def test_lists_of_hosts_that_do_not_answer(eid: Eid, tmp_path: Path, trust: Path) -> None:
    (trust / "trust.toml").write_text('format = "eid-trust-policy"\nversion = 1\n[fetch]\nhosts = ["localhost"]\n')
    try:
        answer = eid("status", "fetch", "--trust", trust, "--json", "http://localhost/1")
        assert answer.code == 69
        assert "not public" in json.loads(answer.out)["lists"][0]["failure"]
    finally:
        (trust / "trust.toml").unlink()


def test_a_verification_reads_the_lists_at_hand(
    eid: Eid, tmp_path: Path, document: Document, trust: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = status_signer((document.csca, document.csca_certificate))
    good, bad = tmp_path / "good.cwt", tmp_path / "bad.cwt"
    good.write_bytes(owner.sign())
    bad.write_bytes(owner.sign([(STATUS.index, 1)]))
    assert status_lists(document).all
    files = [part for name in ("DG1", "DG2", "DG13") for part in ("--dg", f"{name}={tmp_path / name}")]
    for name in ("DG1", "DG2", "DG13", "EF.SOD"):
        (tmp_path / name).write_bytes(document.files[name])
    verify = ("verify", "--sod", tmp_path / "EF.SOD", *files, "--trust", trust, "--at", "2026-06-01", "--json")

    def checked(*more: object) -> tuple[int, str | None]:
        outcome = eid(*verify, *more)
        found = {item["id"]: item["reason"] or item["outcome"] for item in json.loads(outcome.out)["checks"]}
        return outcome.code, found.get("document.status")

    assert checked() == (0, None)
    assert checked("--status", bad) == (1, "REVOKED")
    assert checked("--status", good)[1] == "PASSED"
    refused = eid(*verify, "--status", tmp_path / "DG1")
    assert (refused.code, str(tmp_path / "DG1") in refused.err) == (0, True)
