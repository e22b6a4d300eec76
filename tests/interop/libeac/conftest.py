"""libeac, for the modules that try it."""

from __future__ import annotations

import pytest

from tests.builders.machine import missing
from tests.interop.libeac.openpace import Library, Unavailable


@pytest.fixture(scope="session")
def library() -> Library:
    try:
        return Library()
    except Unavailable as absent:
        missing(f"libeac is not on this machine: {absent}")
