"""From the order of a stamp to the loss of a card, over HTTP alone, against processes.

Whoever does something asks the registry with his own token: applicant, cashier, officers, the station that writes the
card (`eid production write --registry`), courier, holder. What happens between the states is the worker's, and `eid
status publish`'s. The relying party has a machine of its own, with the verification API and its commands. The database
is looked at once, at the end, for what should not stand there.

The office's clock begins four days ago, so that reviews and appointments have their days; it has caught up with the
machine's when the card is made, which then is read, verified, lost, and refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from io import StringIO
from itertools import product
from os import urandom
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from eid.country_files import VARIABLE
from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.ports import Signer
from eid.pki.status_list import StatusType
from eid.services.demonstration.api_process import start_api
from eid.services.pki.authority import IssuingAuthority
from eid.services.reading.station_key import PUBLIC_KEYS, StationKeys, sign_by_station
from eid.services.registry import utc_now
from reader_tools import exit_codes
from reader_tools.main import run
from tests.builders.canaries import find_leaks, forms_of
from tests.builders.issuing import PASSPHRASE, make_authority
from tests.builders.running_office import RunningOffice, run_office
from tests.builders.sweep import IS_WHOLE
from tests.builders.whole_way import BEGINS, HARBOUR, MONTREAL, RABAT, Country, Way, command

CHEAP = ScryptCost(n=1 << 12)
OFFICES = {"rabat": RABAT, "montreal": MONTREAL, "harbour": HARBOUR}
OF_MOROCCO = tuple(product(("postgresql", "sqlite"), ("ar", "fr"), ("rabat", "montreal")))
WAYS = (*OF_MOROCCO, ("sqlite", "en", "harbour"))


@pytest.fixture
def country(place: str, monkeypatch: pytest.MonkeyPatch) -> Country:
    """Whose files count, here as in the processes of its office."""
    found = OFFICES[place].country
    monkeypatch.setenv(VARIABLE, "" if found.files is None else str(found.files))
    return found


@pytest.fixture
def authority(tmp_path: Path, country: Country) -> IssuingAuthority:
    return make_authority(tmp_path / "pki", country.product, utc_now().replace(microsecond=0))


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    """Of the authority's keys."""
    (tmp_path / "passphrase").write_bytes(PASSPHRASE + b"\n")
    return tmp_path / "passphrase"


@pytest.fixture
def trust(tmp_path: Path, authority: IssuingAuthority) -> Path:
    """What a relying party trusts: it was handed the CSCA's certificate and CRL."""
    crl = authority.directory / f"crl-{authority.register.crl_number:06}.crl"
    command("trust", "import", "--store", tmp_path / "trust", authority.directory / "csca-001.cer", crl)
    return tmp_path / "trust"


@pytest.fixture
def station(tmp_path: Path) -> Signer:
    return StationKeys(tmp_path / "station", lambda: b"passphrase of a test", CHEAP).make()


@pytest.fixture
def office(any_database: Engine, tmp_path: Path, country: Country) -> Iterator[RunningOffice]:
    url = any_database.url.render_as_string(hide_password=False)
    with run_office(tmp_path / "office", url, BEGINS, country.settings) as running:
        yield running


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("any_database", "language", "place"),
    WAYS if IS_WHOLE else (OF_MOROCCO[0], OF_MOROCCO[-1]),
    indirect=["any_database"],
)
def test_the_whole_way(
    any_database: Engine,
    language: str,
    place: str,
    office: RunningOffice,
    authority: IssuingAuthority,
    passphrase: Path,
    trust: Path,
    station: Signer,
) -> None:
    way = Way(office, OFFICES[place], authority, passphrase, language)
    go_to_approval(way)
    way.make_card()
    way.hand_over()
    office.start_publisher(authority.directory, passphrase)
    genuine = verify(way, trust, station)
    assert (genuine["verdict"], genuine["document.status"]) == ("TOTAL_PASSED", "PASSED")
    way.report_lost()
    lost = verify_by_command(way, trust, station)
    assert (lost["verdict"], lost["document.status"]) == ("TOTAL_FAILED", "SUSPENDED")
    require_silence(way, any_database)


def go_to_approval(way: Way) -> None:
    way.open_office()
    way.applicant.sign_in(way.person.phone)
    if way.place.abroad:
        other = way.buy_at_the_counter("criminal-record")
        digits = way.buy_at_the_counter()
        way.apply(digits, of_another_service=other)
    else:
        way.apply(way.buy_online())
    way.review()
    way.visit(way.book())
    way.approve()


def verify(way: Way, trust: Path, station: Signer) -> dict[str, str]:
    """The relying party's API, which has the newest status list."""
    take_status(way, trust, StatusType.VALID)
    with start_api(way.office.home.parent / "api", trust, known_stations(way)) as api:
        client = api.await_ready()
        session = client.create_verification("whole way", "national")
        evidence = way.read_card(bytes.fromhex(session["challenge"]))
        report = client.submit_evidence(session["id"], sign_by_station(evidence, station))
        api.errors.seek(0)
        (way.office.home / "logs" / "verification.err").write_text(api.errors.read(), "utf-8")
    return findings(report)


def verify_by_command(way: Way, trust: Path, station: Signer) -> dict[str, str]:
    """The same at a counter without an API, once the loss is published."""
    take_status(way, trust, StatusType.SUSPENDED)
    challenge, file = urandom(8), way.office.home / "evidence.cbor"
    file.write_bytes(sign_by_station(way.read_card(challenge), station))
    known = ("--trust", str(trust), "--stations", str(known_stations(way)))
    with redirect_stdout(StringIO()) as out:
        code = run(["verify", str(file), *known, "--policy", "national", "--challenge", challenge.hex(), "--json"])
    assert code == exit_codes.FAILED
    return findings(json.loads(out.getvalue()))


def take_status(way: Way, trust: Path, status: StatusType) -> None:
    """Fetch the card's list as soon as it says so, and put it on the shelf."""
    token = way.office.home / "list.cwt"
    token.write_bytes(way.fetch_status(status))
    command("status", "import", "--trust", trust, token)


def known_stations(way: Way) -> Path:
    return way.office.home.parent / "station" / PUBLIC_KEYS


def findings(report: Mapping[str, Any]) -> dict[str, str]:
    """The verdict, and of each check the outcome, or why it failed."""
    return {"verdict": report["verdict"]} | {
        item["id"]: item["reason"] if item["outcome"] == "FAILED" else item["outcome"] for item in report["checks"]
    }


def require_silence(way: Way, engine: Engine) -> None:
    """Nothing of person, stamp or card stands where others than its owners read; a planted leak is found."""
    office, canaries = way.office, way.canaries()
    with engine.connect() as connection:
        rows = [str(tuple(row)) for row in connection.execute(text("SELECT * FROM audit_row"))]
    overheard = {
        **office.logs(),
        "addresses": "\n".join(office.heard.addresses),
        "refusals": "\n".join(office.heard.refusals),
        "metrics": office.http.get("/metrics").text,
        "audit": "\n".join(rows),
    }
    assert {"registry.err", "worker.err", "verification.err"} <= set(overheard)
    assert all(overheard[name] for name in overheard if not name.startswith("publisher") and not name.endswith(".out"))
    assert len(rows) > 30
    assert find_leaks(canaries, overheard) == []
    planted = [(name, form) for name in overheard for canary in canaries for form in forms_of(canary)]
    for name, form in planted[:: max(1, len(planted) // 200)]:
        assert find_leaks(canaries, {name: overheard[name][:500] + form}) == [name]
