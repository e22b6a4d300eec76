"""`eid trust`: what came in, what can be used, what is wrong with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

from tests.builders import issuer as made
from tests.builders.document import Document

Eid = Callable[..., object]


def files(tmp_path: Path, document: Document) -> tuple[Path, Path, Path]:
    paths = tuple(tmp_path / name for name in ("csca.cer", "list.crl", "stranger.crl"))
    contents = (document.csca_certificate, made.crl(document.csca), made.crl(made.ec_key()))
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths  # type: ignore[return-value]  # three of them


def test_import_and_list(eid: Eid, tmp_path: Path, document: Document) -> None:
    store = tmp_path / "store"
    paths = files(tmp_path, document)
    told = eid("trust", "import", "--store", store, *paths)
    assert told.code == 0
    lines = told.out.splitlines()
    assert lines[0].split()[:2] == ["CSCA", "new"]
    assert lines[-1] == "import 1: 2 CRL, 1 CSCA; 3 new, 0 held, 1 unusable, 5 findings"
    assert "ERROR   UNUSABLE: no authority" in told.out
    again = json.loads(eid("trust", "import", "--store", store, "--json", *paths[:2]).out)
    assert (again["format"], again["version"]) == ("eid-trust-import", 2)
    assert [again[name] for name in ("import", "imported", "new", "usable", "held")] == [2, 2, 0, 2, 0]
    assert [item["name"] for item in again["sources"]] == ["csca.cer", "list.crl"]
    assert not any(item["signed"] for item in again["sources"])
    told = eid("trust", "import", "--store", store, tmp_path / "csca.cer")
    assert told.out.split()[:2] == ["CSCA", "known"]
    table = eid("trust", "list", "--store", store)
    assert table.code == 0
    assert [line.split()[0] for line in table.out.splitlines()] == ["kind", "CSCA", "CRL", "CRL", "in"]
    listed = json.loads(eid("trust", "list", "--store", store, "--json").out)
    assert listed["format"] == "eid-trust-list"
    assert [item["usable"] for item in listed["certificates"]] == [True]
    assert sorted(item["usable"] for item in listed["crls"]) == [False, True]


def test_findings_as_json(eid: Eid, tmp_path: Path, document: Document) -> None:
    stranger = files(tmp_path, document)[2]
    (item,) = json.loads(eid("trust", "import", "--store", tmp_path / "s", "--json", stranger).out)["objects"]
    assert (item["source"], item["kind"], item["usable"]) == ("stranger.crl", "CRL", False)
    assert item["findings"][-1]["code"] == "UNUSABLE"
    assert item["findings"][-1]["grade"] == "ERROR"
    assert "RFC 5280" in item["findings"][-1]["clause"]


def test_refusals(eid: Eid, tmp_path: Path, document: Document) -> None:
    store = tmp_path / "store"
    csca, *_ = files(tmp_path, document)
    junk = tmp_path / "junk"
    junk.write_bytes(b"junk")
    (tmp_path / "empty").mkdir()
    for bad, code in ((junk, 65), (tmp_path / "missing", 65), (tmp_path / "empty", 65)):
        told = eid("trust", "import", "--store", store, csca, bad)
        assert (told.code, told.out) == (code, "")
        assert told.err.count("\n") == 1
        assert str(bad) in told.err
    assert eid("trust", "list", "--store", tmp_path / "none").code == 73
    assert eid("trust", "list", "--store", store, "--json").code == 0
    assert eid("trust", "import", "--store", store).code == 64
    bundle = tmp_path / "bundle.pem"
    others = (csca.read_bytes(), made.csca_certificate(made.ec_key(), serial=2))
    blocks = (base64.encodebytes(raw).decode() for raw in others)
    bundle.write_text("".join(f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n" for text in blocks))
    told = eid("trust", "import", "--store", store, bundle)
    assert told.code == 64
    assert "--unsigned" in told.err
    assert eid("trust", "import", "--store", store, "--unsigned", bundle).code == 0
