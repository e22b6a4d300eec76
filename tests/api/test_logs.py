from __future__ import annotations

import logging
import sys

from api.logs import PlacesFormatter


def raised(text: str):
    try:
        raise KeyError(text)
    except KeyError:
        return sys.exc_info()


def test_an_exception_is_logged_without_its_text():
    record = logging.LogRecord("x", logging.ERROR, "p", 1, "failed", (), raised("CANARY"))
    text = PlacesFormatter("%(message)s").format(record)
    assert "CANARY" not in text
    assert text.startswith("failed\nKeyError at tests/api/test_logs.py:")


def test_an_exception_of_nowhere():
    formatter = PlacesFormatter()
    assert formatter.formatException((ValueError, ValueError("CANARY"), None)) == "ValueError at unknown place"
    assert formatter.formatException((None, None, None)) == "error at unknown place"


def test_a_line_has_its_time_in_utc_wherever_the_machine_is():
    ours = PlacesFormatter("%(asctime)s")
    for created, shown in (
        (0.0, "1970-01-01T00:00:00.000Z"),
        (0.25, "1970-01-01T00:00:00.250Z"),
        (1780315200.999, "2026-06-01T12:00:00.999Z"),
        (1835481599.5, "2028-02-29T23:59:59.500Z"),
    ):
        record = logging.LogRecord("x", logging.INFO, "p", 1, "said", (), None)
        record.created, record.msecs = created, created % 1 * 1000
        assert ours.format(record) == shown
        assert ours.formatTime(record, "%H") == shown[11:13]
