"""A batch: the same results with one worker and with several, and after any interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from eid.crypto.public_key import encode_public_key
from eid.errors import DecodeError, LifecycleError, StoreError
from eid.evidence.codec import sign_evidence
from eid.pki.status_list import StatusType
from eid.services.trust.imports import import_trust
from eid.services.verifying.batch import (
    CHUNK,
    UNREADABLE,
    BatchOrder,
    InlineExecutor,
    StatusFiles,
    find_evidence,
    open_executor,
    order_batch,
    verify_batch,
)
from eid.verification.status_lists import NO_STATUS_LISTS
from tests.builders import issuer
from tests.builders.document import NOW, STATUS, Document, build_document, status_lists, status_signer

COUNT = CHUNK + 5


@pytest.fixture(scope="module")
def document() -> Document:
    return build_document()


@pytest.fixture(scope="module")
def trust(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trust")
    for name, raw in (("csca.der", document.csca_certificate), ("csca.crl", issuer.crl(document.csca))):
        (place / name).write_bytes(raw)
    import_trust(place / "store", [place / "csca.der", place / "csca.crl"], unsigned=False, now=NOW)
    return place / "store"


def signed(document: Document, evidence: Any) -> bytes:
    return sign_evidence(
        evidence, lambda message: document.station.sign(message, ec.ECDSA(hashes.SHA256())), document.key_id
    )


@pytest.fixture(scope="module")
def place(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Genuine evidence, forged evidence, and files that are none."""
    folder = tmp_path_factory.mktemp("evidence")
    good = signed(document, document.evidence())
    bad = signed(document, document.with_files(DG2=b"\x75\x02\x04\x01").evidence())
    (folder / "more").mkdir()
    for number in range(COUNT):
        raw = good if number % 5 else bad if number % 2 else b"no evidence"
        (folder / ("more" if number % 3 else ".") / f"{number:03}.cbor").write_bytes(raw)
    (folder / ".hidden").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def order(document: Document, trust: Path) -> BatchOrder:
    key = encode_public_key(document.station.public_key())
    return order_batch(trust, "strict", NOW, "given", (key,))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def whole(order: BatchOrder, place: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    out = tmp_path_factory.mktemp("whole") / "whole.jsonl"
    verify_batch(order, place, out, InlineExecutor())
    return out.read_bytes()


def test_every_file_has_its_line_in_order(order: BatchOrder, place: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    summary = verify_batch(
        order, place, tmp_path / "out.jsonl", InlineExecutor(), progress=lambda done, total: told.append((done, total))
    )
    head, *results = lines(tmp_path / "out.jsonl")
    assert (head["format"], head["version"], head["files"]) == ("eid-verification-batch", 1, COUNT)
    assert [item["file"] for item in results] == list(find_evidence(place)[1])
    assert summary.verdicts == {"TOTAL_PASSED": 29, "TOTAL_FAILED": 4, UNREADABLE: 4}
    assert summary.reasons == {("sod.dg_hashes.dg2", "HASH_FAILURE"): 4}
    assert told == [(done, COUNT) for done in (0, CHUNK, COUNT)]
    unreadable = next(item for item in results if "error" in item)
    assert set(unreadable) == {"file", "sha256", "error"}
    assert str(place) not in unreadable["error"]
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(order: BatchOrder, place: Path, tmp_path: Path, whole: bytes, workers: int) -> None:
    with open_executor(workers) as executor:
        verify_batch(order, place, tmp_path / "out.jsonl", executor, workers=workers)
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_status_lists_that_changed_meanwhile(
    order: BatchOrder, place: Path, tmp_path: Path, document: Document
) -> None:
    signer = status_signer((document.csca, document.csca_certificate))
    file = tmp_path / "one.status"
    file.write_bytes(signer.sign())
    lists = status_lists(document)
    assert lists.digest == status_lists(document).digest != NO_STATUS_LISTS.digest
    asked = replace(order, status=StatusFiles((file,), lists.digest, NOW))
    summary = verify_batch(asked, place, tmp_path / "out.jsonl", InlineExecutor())
    assert summary.verdicts["TOTAL_PASSED"] == 29
    assert all("document.status" in json.dumps(item) for item in lines(tmp_path / "out.jsonl") if "report" in item)
    file.write_bytes(signer.sign(((STATUS.index, StatusType.SUSPENDED),)))
    assert status_lists(document, ((STATUS.index, StatusType.SUSPENDED),)).digest != lists.digest
    changed = replace(asked, status=StatusFiles((file,), lists.digest, NOW + timedelta(seconds=1)))
    with pytest.raises(StoreError, match="status lists changed"):
        verify_batch(changed, place, tmp_path / "other.jsonl", InlineExecutor())
    with pytest.raises(LifecycleError, match="status_lists_digest"):
        verify_batch(order, place, tmp_path / "out.jsonl", InlineExecutor())


def test_another_executor(order: BatchOrder, place: Path, tmp_path: Path, whole: bytes) -> None:
    """Whatever has the interface of concurrent.futures will do."""
    with ThreadPoolExecutor(3) as executor:
        verify_batch(order, place, tmp_path / "out.jsonl", executor, workers=3)
    assert (tmp_path / "out.jsonl").read_bytes() == whole


class Failing(InlineExecutor):
    """Dies after some tasks."""

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.tasks -= 1
        if self.tasks < 0:
            broken: Future[Any] = Future()
            broken.set_exception(BrokenExecutor("a process was killed"))
            return broken
        return super().submit(fn, *args, **kwargs)


@pytest.mark.parametrize("tasks", [0, 1])
def test_a_dead_worker(order: BatchOrder, place: Path, tmp_path: Path, whole: bytes, tasks: int) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(StoreError, match=f"goes on after {tasks * CHUNK} files"):
        verify_batch(order, place, out, Failing(tasks))
    assert len(lines(out)) == 1 + tasks * CHUNK
    counted = InlineCounter()
    summary = verify_batch(order, place, out, counted)
    assert out.read_bytes() == whole
    assert (summary.total, counted.files) == (COUNT, COUNT - tasks * CHUNK)


class InlineCounter(InlineExecutor):
    """Counts the files that it is given."""

    files = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.files += len(args[0].names)
        return super().submit(fn, *args, **kwargs)


def test_a_ledger_cut_at_any_place_is_completed(order: BatchOrder, place: Path, tmp_path: Path, whole: bytes) -> None:
    out = tmp_path / "out.jsonl"
    first = whole.index(b"\n")
    for cut in (0, 1, first, first + 1, len(whole) // 2, len(whole) - 1, len(whole)):
        out.write_bytes(whole[:cut])
        if 0 < cut <= len('{"format": "eid-verification-batch"'):
            with pytest.raises(LifecycleError, match="no ledger"):
                verify_batch(order, place, out, InlineExecutor())
            continue
        assert verify_batch(order, place, out, InlineExecutor()).total == COUNT
        assert out.read_bytes() == whole


def test_a_batch_that_goes_on_keeps_its_time(trust: Path, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with pytest.raises(StoreError):
        verify_batch(order_batch(trust, "passive", NOW, "now"), place, out, Failing(1))
    later = order_batch(trust, "passive", NOW + timedelta(hours=5), "now")
    verify_batch(later, place, out, InlineExecutor())
    assert {item["report"]["reference_time"] for item in lines(out)[1:] if "report" in item} == {"2026-06-01T12:00:00Z"}


@pytest.mark.parametrize(
    "change",
    [
        {"policy": "border"},
        {"time": NOW + timedelta(days=1)},
        {"station_keys": ()},
    ],
    ids=["policy", "time", "stations"],
)
def test_the_ledger_of_another_batch(
    order: BatchOrder, place: Path, tmp_path: Path, whole: bytes, change: dict[str, Any]
) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(whole)
    with pytest.raises(LifecycleError, match="is of another batch"):
        verify_batch(replace(order, **change), place, out, InlineExecutor())
    assert out.read_bytes() == whole


@pytest.mark.parametrize("content", [b"SPECIMEN text\n", b"[]\n", b'{"format": "other"}\n', b"\xff\n"])
def test_a_file_that_is_no_ledger_is_left_alone(order: BatchOrder, place: Path, tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "out.jsonl"
    out.write_bytes(content)
    with pytest.raises(LifecycleError):
        verify_batch(order, place, out, InlineExecutor())
    assert out.read_bytes() == content


def test_two_runs_do_not_share_a_ledger(order: BatchOrder, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    def second(done: int, total: int) -> None:
        if done == 0:
            with pytest.raises(LifecycleError, match="another run"):
                verify_batch(order, place, out, InlineExecutor())

    assert verify_batch(order, place, out, InlineExecutor(), progress=second).total == COUNT


def test_trust_that_changed_under_way(order: BatchOrder, place: Path, tmp_path: Path) -> None:
    changed = replace(order, trust_store_digest="00" * 32)
    with pytest.raises(StoreError, match="changed since"):
        verify_batch(changed, place, tmp_path / "out.jsonl", InlineExecutor())


def test_a_list_of_files(order: BatchOrder, place: Path, tmp_path: Path) -> None:
    names = find_evidence(place)[1][:4]
    listed = place.parent / "list.txt"
    listed.write_text("# a few\n\n" + "".join(f"{place.name}/{name}\n" for name in reversed(names)) + "absent.cbor\n")
    summary = verify_batch(order, listed, tmp_path / "out.jsonl", InlineExecutor())
    assert summary.total == 5
    results = lines(tmp_path / "out.jsonl")[1:]
    assert [item["file"] for item in results] == [f"{place.name}/{name}" for name in reversed(names)] + ["absent.cbor"]
    assert results[-1]["error"] == "No such file or directory"


def test_a_ledger_among_the_evidence(order: BatchOrder, place: Path, tmp_path: Path) -> None:
    """It is no evidence, and a second run finds the same files."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "0.cbor").write_bytes((place / find_evidence(place)[1][0]).read_bytes())
    for _ in range(2):
        assert verify_batch(order, folder, folder / "out.jsonl", InlineExecutor()).total == 1
    assert [item.get("file") for item in lines(folder / "out.jsonl")] == [None, "0.cbor"]


def test_a_name_that_is_no_text(order: BatchOrder, place: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    raw = (place / find_evidence(place)[1][0]).read_bytes()
    for name in (b"\xff.cbor", "ب.cbor".encode(), b"a\nb.cbor"):
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(raw)
    for _ in range(2):
        assert verify_batch(order, folder, tmp_path / "out.jsonl", InlineExecutor()).total == 3
    found = [item["file"] for item in lines(tmp_path / "out.jsonl")[1:]]
    assert found == ["a\nb.cbor", "ب.cbor", "\udcff.cbor"]
    assert "ب" in (tmp_path / "out.jsonl").read_text("utf-8")


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"\xff\xfe")
    with pytest.raises(DecodeError, match="no list of files"):
        find_evidence(tmp_path / "list")


def test_an_empty_directory(order: BatchOrder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert verify_batch(order, tmp_path / "empty", tmp_path / "out.jsonl", InlineExecutor()).total == 0


def test_a_place_that_cannot_be_written(order: BatchOrder, place: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        verify_batch(order, place, tmp_path / "absent" / "out.jsonl", InlineExecutor())
    if os.geteuid():
        (tmp_path / "closed").write_bytes(b"")
        (tmp_path / "closed").chmod(0)
        with pytest.raises(StoreError):
            verify_batch(order, place, tmp_path / "closed", InlineExecutor())
