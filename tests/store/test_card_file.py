from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eid.errors import StoreError
from eid.store.card_file import MAX_STATE, load_card_file, open_card_file

ROOT = Path(__file__).parents[2]
OLD, NEW = b"old" * 1000, b"new!" * 1000


def test_store_and_load(tmp_path):
    path = tmp_path / "card.eid"
    with open_card_file(path) as file:
        file.store(OLD)
        assert file.load() == OLD
        file.store(NEW)
        assert load_card_file(path) == NEW
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(item.name for item in tmp_path.iterdir()) == [".card.eid.lock", "card.eid"]


def test_mode_holds_against_any_umask(tmp_path):
    before = os.umask(0)
    try:
        with open_card_file(tmp_path / "card") as file:
            file.store(OLD)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "card").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / ".card.lock").stat().st_mode) == 0o600


def test_what_cannot_be_loaded(tmp_path):
    with pytest.raises(StoreError, match="there is no card file"):
        load_card_file(tmp_path / "none")
    with pytest.raises(StoreError, match="cannot be read"):
        load_card_file(tmp_path)
    (tmp_path / "large").write_bytes(bytes(MAX_STATE + 1))
    with pytest.raises(StoreError, match="no card file"):
        load_card_file(tmp_path / "large")


def test_second_holder_is_refused(tmp_path):
    path = tmp_path / "card"
    with open_card_file(path) as file:
        file.store(OLD)
        with pytest.raises(StoreError, match="another process"):
            open_card_file(path)
        program = f"from pathlib import Path; from eid.store.card_file import *; open_card_file(Path({str(path)!r}))"
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
        assert "another process is using" in done.stderr
    with open_card_file(path) as file:
        assert file.load() == OLD


def test_nothing_is_written_after_letting_go(tmp_path):
    file = open_card_file(tmp_path / "card")
    file.close()
    file.close()
    with pytest.raises(StoreError, match="let go"):
        file.store(OLD)


def test_folder_that_is_missing(tmp_path):
    with pytest.raises(StoreError, match="cannot be locked"):
        open_card_file(tmp_path / "none" / "card")


def test_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / ".card.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot be locked"):
        open_card_file(tmp_path / "card")
    assert not (tmp_path / "elsewhere").exists()


class PowerCut(BaseException):
    """The process is gone: nothing after it runs but what Python itself unwinds."""


def inject(monkeypatch, call, failure, *, torn=False):
    """Let one system call fail at its n-th use, counted over the whole store; a torn write leaves half behind."""
    seen = {"open": 0, "write": 0, "fsync": 0, "replace": 0}
    name, at = call

    def wrap(function, real):
        def faulty(*arguments, **named):
            seen[function] += 1
            if (function, seen[function]) == (name, at):
                if torn:
                    real(arguments[0], arguments[1][: len(arguments[1]) // 2])
                raise failure
            return real(*arguments, **named)

        return faulty

    for function in seen:
        monkeypatch.setattr(os, function, wrap(function, getattr(os, function)))


CALLS = [("open", 1), ("write", 1), ("fsync", 1), ("replace", 1), ("open", 2), ("fsync", 2)]


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), PowerCut()])
@pytest.mark.parametrize("call", CALLS)
def test_fault_at_any_step_leaves_the_old_card_or_the_new_one(tmp_path, monkeypatch, call, failure, torn):
    path = tmp_path / "card"
    file = open_card_file(path)
    file.store(OLD)
    with monkeypatch.context() as patch:
        inject(patch, call, failure, torn=torn and call[0] == "write")
        with pytest.raises((StoreError, PowerCut)):
            file.store(NEW)
    expected = NEW if call in (("open", 2), ("fsync", 2)) else OLD
    assert load_card_file(path) == expected
    if isinstance(failure, OSError):
        assert [item.name for item in tmp_path.iterdir() if item.name.endswith(".tmp")] == []
    file.close()
    with open_card_file(path) as again:  # the next holder clears what a power cut left behind
        assert sorted(item.name for item in tmp_path.iterdir()) == [".card.lock", "card"]
        assert again.load() == expected
        again.store(NEW)
        assert again.load() == NEW


def test_first_store_that_fails_leaves_no_card(tmp_path, monkeypatch):
    with open_card_file(tmp_path / "card") as file:
        with monkeypatch.context() as patch:
            inject(patch, ("fsync", 1), OSError(errno.EIO, "Input/output error"))
            with pytest.raises(StoreError, match="Input/output error"):
                file.store(NEW)
        with pytest.raises(StoreError, match="there is no card file"):
            file.load()


def test_short_writes_are_continued(tmp_path, monkeypatch):
    real = os.write
    with monkeypatch.context() as patch, open_card_file(tmp_path / "card") as file:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
        file.store(OLD)
    assert load_card_file(tmp_path / "card") == OLD


def test_leftovers_of_other_cards_are_left_alone(tmp_path):
    (tmp_path / ".card2.0123.tmp").write_bytes(b"")
    (tmp_path / ".card[1].0123.tmp").write_bytes(b"")
    open_card_file(tmp_path / "card[1]").close()
    assert sorted(item.name for item in tmp_path.iterdir()) == [".card2.0123.tmp", ".card[1].lock"]


WRITER = """
import sys
from pathlib import Path
from eid.store.card_file import open_card_file
file = open_card_file(Path(sys.argv[1]))
for number in range(1_000_000):
    file.store(b"%07d" % number * 3000)
    if number == 5: print("going", flush=True)
"""


def test_killed_writer_leaves_a_whole_card(tmp_path):
    path = tmp_path / "card"
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "going\n"
        time.sleep(0.02)
        writer.kill()
        writer.wait(60)
        writer.stdout.close()
        state = load_card_file(path)
        assert state == state[:7] * 3000
