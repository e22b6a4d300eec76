"""From the order of a stamp to the loss of a card, over HTTP alone: registry, worker and verification API as processes.

The office's clock begins four days ago, so that reviews and appointments have their days; it has caught up with the
machine's when the card is made, which then is read, verified, lost, and refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.ports import Signer
from eid.services.demonstration.api_process import start_api
from eid.services.pki.authority import IssuingAuthority
from eid.services.reading.station_key import PUBLIC_KEYS, StationKeys, sign_by_station
from eid.services.registry import utc_now
from eid.services.trust.imports import import_trust
from tests.builders.canaries import find_leaks, forms_of
from tests.builders.issuing import make_authority
from tests.builders.running_office import RunningOffice, run_office
from tests.builders.sweep import places
from tests.builders.whole_way import BEGINS, MONTREAL, RABAT, Way

CHEAP = ScryptCost(n=1 << 12)
OFFICES = {"montreal": MONTREAL, "rabat": RABAT}
WAYS = tuple(product(("sqlite", "postgresql"), ("fr", "ar"), OFFICES))  # the first and the last, or all of them


@pytest.fixture
def authority(tmp_path: Path) -> IssuingAuthority:
    return make_authority(tmp_path / "pki", "ma-cnie", utc_now().replace(microsecond=0))


@pytest.fixture
def trust(tmp_path: Path, authority: IssuingAuthority) -> Path:
    """What a relying party trusts."""
    now = utc_now().replace(microsecond=0)
    crl = authority.directory / f"crl-{authority.register.crl_number:06}.crl"
    import_trust(tmp_path / "trust", (authority.directory / "csca-001.cer", crl), unsigned=False, now=now)
    return tmp_path / "trust"


@pytest.fixture
def station(tmp_path: Path) -> Signer:
    return StationKeys(tmp_path / "station", lambda: b"passphrase of a test", CHEAP).make()


@pytest.fixture
def office(any_database: Engine, tmp_path: Path) -> Iterator[RunningOffice]:
    url = any_database.url.render_as_string(hide_password=False)
    with run_office(tmp_path / "office", url, BEGINS) as running:
        yield running


@pytest.mark.sweep
@pytest.mark.parametrize(("any_database", "language", "place"), places(WAYS, len(WAYS)), indirect=["any_database"])
def test_the_whole_way(
    any_database: Engine,
    language: str,
    place: str,
    office: RunningOffice,
    authority: IssuingAuthority,
    trust: Path,
    station: Signer,
) -> None:
    way = Way(office, OFFICES[place], any_database, authority, language)
    go_to_approval(way)
    way.make_card()
    way.hand_over()
    way.publish_status(trust)
    genuine = verify(way, trust, station)
    assert (genuine["verdict"], genuine["document.status"]) == ("TOTAL_PASSED", "PASSED")
    way.report_lost()
    way.publish_status(trust)
    lost = verify(way, trust, station)
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
    """The verdict of a verification API that was just started, and of each check the outcome, or why it failed."""
    stations = way.office.home.parent / "station" / PUBLIC_KEYS
    with start_api(way.office.home.parent / "api", trust, stations) as api:
        client = api.await_ready()
        session = client.create_verification("whole way", "national")
        evidence = way.read_card(bytes.fromhex(session["challenge"]))
        report = client.submit_evidence(session["id"], sign_by_station(evidence, station))
        api.errors.seek(0)
        (way.office.home / "logs" / "verification.err").write_text(api.errors.read(), "utf-8")
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
    assert all(overheard[name] for name in overheard if name.endswith(".err") or "." not in name)
    assert len(rows) > 30
    assert find_leaks(canaries, overheard) == []
    planted = [(name, form) for name in overheard for canary in canaries for form in forms_of(canary)]
    for name, form in planted[:: max(1, len(planted) // 200)]:
        assert find_leaks(canaries, {name: overheard[name][:500] + form}) == [name]
