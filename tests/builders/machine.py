"""What tests need of the machine. Missing, it skips them with the reason; in CI (`CI=true`) it fails them."""

from __future__ import annotations

import faulthandler
import importlib
import os
from types import ModuleType
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip the test; in CI, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"required in CI: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def require_module(name: str) -> ModuleType:
    """The Python module of that name, also while a test module is being imported."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        missing(f"there is no Python module {name} in this environment")


def may_take_long() -> None:
    """What compiles or fetches software of others, once: the limit for tests that hang is none for the running one."""
    faulthandler.cancel_dump_traceback_later()
