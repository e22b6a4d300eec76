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
