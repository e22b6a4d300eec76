"""The record of signatures: durable before the signature, counted, chained; a torn line is void, a changed one seen."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eid.errors import LifecycleError, StoreError
from eid.store.signature_record import NOTHING, SignatureLimitError, SignatureRecord
from tests.builders.authority import NOW


def append(record: SignatureRecord, message: bytes = b"m", limit: int | None = None, label: str = "ds-001") -> int:
    return record.append(label, message, purpose="EF.SOD", operator="SPECIMEN", at=NOW, limit=limit).number


@pytest.fixture
def record(tmp_path: Path) -> SignatureRecord:
    return SignatureRecord(tmp_path / "signatures")


def path_of(record: SignatureRecord, label: str = "ds-001") -> Path:
    return record.directory / f"{label}.signatures"


def test_entries_are_numbered_and_chained(record: SignatureRecord) -> None:
    assert (record.count("ds-001"), record.labels(), record.head("ds-001")) == (0, (), NOTHING)
    for number in (1, 2, 3):
        assert append(record, b"message %d" % number) == number
    first, second, third = record.entries("ds-001")
    lines = path_of(record).read_bytes().splitlines()
    assert (first.previous, second.previous) == (NOTHING, hashlib.sha256(lines[0]).hexdigest())
    assert third.digest == hashlib.sha256(b"message 3").hexdigest()
    assert (third.at, third.purpose, third.operator) == (NOW, "EF.SOD", "SPECIMEN")
    assert record.head("ds-001") == hashlib.sha256(lines[2]).hexdigest()
    assert record.labels() == ("ds-001",)
    assert append(record, label="csca-001") == 1
    assert record.labels() == ("csca-001", "ds-001")
    assert oct(path_of(record).stat().st_mode)[-3:] == "600"
    assert oct(record.directory.stat().st_mode)[-3:] == "700"


def test_the_limit_comes_before_the_signature(record: SignatureRecord) -> None:
    assert [append(record, limit=2) for _ in range(2)] == [1, 2]
    before = path_of(record).read_bytes()
    with pytest.raises(SignatureLimitError, match="2 signatures") as caught:
        append(record, limit=2)
    assert isinstance(caught.value, LifecycleError)
    assert path_of(record).read_bytes() == before
    assert append(record, limit=3) == 3


@given(st.data())
def test_a_torn_line_is_void(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Power is lost while a line is written: its signature was never made, and its number is free."""
    record = SignatureRecord(tmp_path_factory.mktemp("record") / "signatures")
    for _ in range(2):
        append(record)
    whole = path_of(record).read_bytes()
    first = whole.index(b"\n") + 1
    path_of(record).write_bytes(whole[: data.draw(st.integers(first, len(whole) - 1))])
    assert record.count("ds-001") == 1
    assert len(list(record.entries("ds-001"))) == 1
    assert append(record) == 2
    assert path_of(record).read_bytes() == whole


@given(st.data())
def test_every_changed_octet_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    record = SignatureRecord(tmp_path_factory.mktemp("record") / "signatures")
    for _ in range(3):
        append(record)
    whole, head = path_of(record).read_bytes(), record.head("ds-001")
    at = data.draw(st.integers(0, len(whole) - 1))
    path_of(record).write_bytes(whole[:at] + bytes((whole[at] ^ 1 << data.draw(st.integers(0, 7)),)) + whole[at + 1 :])
    try:
        list(record.entries("ds-001"))
    except StoreError:
        return
    assert record.head("ds-001") != head  # in the last line, which the noted head covers


@pytest.mark.parametrize(
    "change", [lambda lines: lines[1:], lambda lines: lines[:1] + lines[2:], lambda lines: lines[::-1]]
)
def test_lines_that_are_missing_or_moved(record: SignatureRecord, change: object) -> None:
    for number in range(3):
        append(record, bytes((number,)))
    lines = path_of(record).read_bytes().splitlines(keepends=True)
    path_of(record).write_bytes(b"".join(change(lines)))  # type: ignore[operator]  # a function
    with pytest.raises(StoreError, match="broken at number"):
        list(record.entries("ds-001"))


@pytest.mark.parametrize("line", [b"{}", b"[]", b"null", b"\xff", b"[" * 5000, b'{"number":1}'])
def test_damaged_lines(record: SignatureRecord, line: bytes) -> None:
    record.directory.mkdir()
    path_of(record).write_bytes(line + b"\n")
    for attempt in (lambda: append(record), lambda: record.count("ds-001"), lambda: list(record.entries("ds-001"))):
        with pytest.raises(StoreError, match="damaged line"):
            attempt()


def test_a_record_without_lines_ends(record: SignatureRecord) -> None:
    record.directory.mkdir()
    path_of(record).write_bytes(b"x" * 20_000)
    with pytest.raises(StoreError, match="damaged at its end"):
        append(record)


def test_where_it_cannot_be_written(record: SignatureRecord, tmp_path: Path) -> None:
    (tmp_path / "signatures").write_bytes(b"")
    with pytest.raises(StoreError, match="record of signatures of ds-001"):
        append(record)
    (tmp_path / "signatures").unlink()
    record.directory.mkdir()
    path_of(record).mkdir()
    with pytest.raises(StoreError):
        list(record.entries("ds-001"))
    os.symlink(tmp_path / "elsewhere", path_of(record, "ds-002"))
    with pytest.raises(StoreError):
        append(record, label="ds-002")
