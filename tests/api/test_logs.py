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


def test_a_line_has_the_time_that_the_base_class_gives_it():
    ours, base = PlacesFormatter("%(asctime)s"), logging.Formatter("%(asctime)s")
    for created, msecs in ((0.0, 0.0), (0.25, 250.0), (1780315200.999, 999.0), (0.5, 500.0)):
        record = logging.LogRecord("x", logging.INFO, "p", 1, "said", (), None)
        record.created, record.msecs = created, msecs
        assert ours.format(record) == base.format(record)
        assert ours.formatTime(record, "%H") == base.formatTime(record, "%H")
