"""Counting out of the audit log, once, and what of it is published."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from xml.etree import ElementTree

import pytest
from sqlalchemy import Engine, delete

from eid.enrolment.roles import Role
from eid.enrolment.wall_time import decode_wall_time
from eid.errors import RecordError
from eid.gateways.blobs import BlobStore
from eid.keystore.service_keys import ServiceKeys
from eid.services.application import acts, review
from eid.services.appointment import appointments
from eid.services.person import statistics
from eid.services.person.statistics import count_new, encode_csv, month_figures, parse_month, parts_of
from eid.store.application_tables import application as table
from eid.store.application_tables import document
from eid.store.applications import StoredApplication
from eid.store.statistics import read_counts
from tests.builders.applicants import APPLICANT, NOW, VALIDATOR, begin_application, complete_application
from tests.builders.booking import AGENT, RABAT, build_desk
from tests.builders.counts import fill
from tests.builders.registry import build_office

ZONE = "Africa/Casablanca"
MONTH = date(2026, 11, 1)
DECEMBER = datetime(2026, 12, 1, 12, tzinfo=UTC)


def validate(engine: Engine, blobs: BlobStore, now: datetime = NOW) -> StoredApplication:
    application = complete_application(engine, blobs, begin_application(engine, now), now)
    acts.submit(engine, application.id, APPLICANT, now)
    acts.take_up(engine, application.id, VALIDATOR, now)
    return review.validate(engine, application.id, VALIDATOR, now)


def read(engine: Engine) -> dict[tuple[str, str, str], int]:
    """By day, site and event."""
    with engine.connect() as connection:
        counts = read_counts(connection, MONTH, date(2026, 12, 31))
    return {(day.isoformat(), site, event): count for (day, site, service, event), count in counts.items()}


@pytest.mark.both_databases
def test_what_happens_is_counted_once(any_database: Engine, tmp_path, monkeypatch):
    blobs = BlobStore(str(tmp_path), ServiceKeys(bytes(range(32))))
    desk = build_desk(any_database, RABAT)
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)  # the day after, in Morocco
    application = validate(any_database, blobs)
    held = appointments.hold(desk, application.id, "rabat-agdal", decode_wall_time("2026-11-24T09:00"), AGENT, late)
    appointments.book(desk, held.id, AGENT, late)
    monkeypatch.setattr(statistics, "AT_ONCE", 3)  # pages
    assert count_new(any_database, ZONE) > 3
    expected = {
        ("2026-11-22", "rabat-1", "requested"): 1,
        ("2026-11-22", "rabat-1", "validated"): 1,
        ("2026-11-23", "rabat-agdal", "booked"): 1,
    }
    # Booking has changed neither: they were addressed to rabat-1.
    assert read(any_database) == expected
    assert count_new(any_database, ZONE) == 0
    assert read(any_database) == expected


@pytest.mark.both_databases
def test_a_count_that_breaks_off_is_done_again(any_database: Engine, tmp_path, monkeypatch):
    validate(any_database, BlobStore(str(tmp_path), ServiceKeys(bytes(range(32)))))
    with monkeypatch.context() as patch:
        patch.setattr(statistics, "move_mark", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            count_new(any_database, ZONE)
    assert read(any_database) == {}
    with any_database.begin() as connection:  # erased before it was counted: counted still
        connection.execute(delete(document))
        connection.execute(delete(table))
    count_new(any_database, ZONE)
    assert read(any_database) == {("2026-11-22", "-", "requested"): 1, ("2026-11-22", "-", "validated"): 1}


def test_what_is_published(any_database: Engine):
    fill(any_database)
    figures = month_figures(any_database, MONTH, ZONE, DECEMBER)
    assert figures.is_complete
    assert not month_figures(any_database, MONTH, ZONE, datetime(2026, 11, 30, 22, 59, tzinfo=UTC)).is_complete
    by_path = {(row.post, row.service, str(row.day) if row.day else None): row.counts for row in figures.rows}
    assert by_path[None, None, None] == {"requested": 80, "validated": 70, "booked": 68, "delivered": 57}
    assert by_path["rabat-1", "card", "2026-11-02"]["delivered"] is None
    assert by_path["rabat-1", "card", "2026-11-03"]["delivered"] is None
    assert by_path["rabat-1", None, None]["delivered"] == 11
    assert by_path["paris", "passport", "2026-11-02"]["requested"] is None
    assert by_path["paris", "passport", "2026-11-02"]["validated"] == 0
    rows = list(csv.DictReader(io.StringIO(encode_csv(figures))))
    assert rows[0] == {
        "post": "", "service": "", "day": "", "requested": "80", "validated": "70", "booked": "68", "delivered": "57"
    }  # fmt: skip
    assert rows[-1]["post"] == "rabat-1"
    assert "[c]" in {row["delivered"] for row in rows}
    assert list(parts_of(figures, None, None)) == ["paris", "rabat-1"]
    assert list(parts_of(figures, "paris", None)) == ["card", "passport"]
    assert list(parts_of(figures, "paris", "card")) == ["2026-11-02", "2026-11-03"]
    with pytest.raises(RecordError):
        parts_of(figures, None, "card")
    for text in ("2026-13", "11-2026", "2026-1", "x"):
        with pytest.raises(RecordError):
            parse_month(text)


@pytest.mark.anyio
async def test_over_http(any_database: Engine):
    fill(any_database)
    office = build_office(any_database)
    auditor = office.headers(Role.AUDITOR)
    async with office.client() as client:
        shown = (await client.get("/v1/statistics/2026-11", headers=auditor)).json()
        assert (shown["complete"], shown["smallest"], len(shown["rows"])) == (False, 5, 12)
        assert {"post": "paris", "service": None, "day": None, "requested": 59, "validated": 50, "booked": 50,
                "delivered": 46} in shown["rows"]  # fmt: skip
        sheet = await client.get("/v1/statistics/2026-11/csv", headers=auditor)
        assert sheet.headers["content-type"] == "text/csv; charset=utf-8"
        assert sheet.text.startswith("post,service,day,requested,validated,booked,delivered\r\n")
        chart = await client.get("/v1/statistics/2026-11/chart?post=rabat-1&service=card", headers=auditor)
        assert chart.headers["content-type"] == "image/svg+xml"
        drawing = ElementTree.fromstring(chart.text)  # our own
        assert drawing.get("aria-label") == "2026-11 · rabat-1 · card (not complete)"
        assert chart.text.count('height="11" fill="url(#hatch)"') == 2
        assert (await client.get("/v1/statistics/2026-11/chart?service=card", headers=auditor)).status_code == 422
        assert (await client.get("/v1/statistics/2026-99", headers=auditor)).status_code == 422
