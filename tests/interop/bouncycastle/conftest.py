"""The driver, for both modules."""

from __future__ import annotations

import pytest

from tests.interop.bouncycastle.driver import Java, build_driver


@pytest.fixture(scope="session")
def java() -> Java:
    return build_driver()
