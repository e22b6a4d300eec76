"""The shared fixtures do what they promise, above all: nothing is left out quietly in CI."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_tool_that_is_there_is_found(require_tool: Callable[[str], Path]) -> None:
    assert require_tool("sh").is_file()


def test_a_missing_tool_skips_with_its_name(
    require_tool: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such-program-anywhere on this machine"):
        require_tool("such-program-anywhere")


def test_a_missing_tool_fails_in_ci(require_tool: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="required in CI"):
        require_tool("such-program-anywhere")


def test_the_token_is_ready_and_hides_its_pin(softhsm_token: Any, require_tool: Callable[[str], Path]) -> None:
    slots = subprocess.run([require_tool("softhsm2-util"), "--show-slots"], capture_output=True, text=True, check=True)
    assert re.search(rf"Label:\s+{softhsm_token.label}\s", slots.stdout)
    assert softhsm_token.module.is_file()
    assert softhsm_token.pin not in repr(softhsm_token)


def test_the_pcsc_service_is_seen_by_other_programs(pcsc_daemon: Any, require_tool: Callable[[str], Path]) -> None:
    listing = subprocess.run(
        [require_tool("opensc-tool"), "--list-readers"], capture_output=True, text=True, check=True, timeout=20
    )
    assert len(pcsc_daemon.readers) == 4
    assert all(reader.name in listing.stdout for reader in pcsc_daemon.readers)


def test_users_of_the_pcsc_service_share_one_worker(pcsc_daemon: Any, request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("tests are not distributed in groups in this run")
    assert request.node.nodeid.endswith("@pcsc")
