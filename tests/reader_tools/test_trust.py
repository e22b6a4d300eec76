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
    assert lines[0].startswith("CSCA  new ")
    assert lines[-1] == "3 imported, 2 usable, 1 defects"
    assert "UNUSABLE: no authority" in told.out
    again = eid("trust", "import", "--store", store, "--json", *paths[:2])
    assert json.loads(again.out) == {
        "format": "eid-trust-import",
        "version": 1,
        "imported": 2,
        "usable": 2,
        "defects": [],
    }
    assert "CSCA  known" in eid("trust", "import", "--store", store, tmp_path / "csca.cer").out
    table = eid("trust", "list", "--store", store)
    assert table.code == 0
    assert [line.split()[0] for line in table.out.splitlines()] == ["kind", "CSCA", "CRL", "CRL"]
    listed = json.loads(eid("trust", "list", "--store", store, "--json").out)
    assert listed["format"] == "eid-trust-list"
    assert [item["usable"] for item in listed["certificates"]] == [True]
    assert sorted(item["usable"] for item in listed["crls"]) == [False, True]
    assert listed["certificates"][0]["sources"] == ["csca.cer"]


def test_defects_as_json(eid: Eid, tmp_path: Path, document: Document) -> None:
    stranger = files(tmp_path, document)[2]
    (defect,) = json.loads(eid("trust", "import", "--store", tmp_path / "s", "--json", stranger).out)["defects"]
    assert defect["file"] == "stranger.crl"
    assert defect["code"] == "UNUSABLE"
    assert "RFC 5280" in defect["detail"]


def test_refusals(eid: Eid, tmp_path: Path, document: Document) -> None:
    store = tmp_path / "store"
    csca, *_ = files(tmp_path, document)
    junk = tmp_path / "junk"
    junk.write_bytes(b"junk")
    for bad, code in ((junk, 65), (tmp_path / "missing", 65), (tmp_path, 65)):
        told = eid("trust", "import", "--store", store, csca, bad)
        assert (told.code, told.out) == (code, "")
        assert told.err.count("\n") == 1
        assert str(bad) in told.err
    assert eid("trust", "list", "--store", store).code == 73
    assert eid("trust", "import", "--store", store).code == 64
    bundle = tmp_path / "bundle.pem"
    block = base64.encodebytes(csca.read_bytes()).decode()
    bundle.write_text(f"-----BEGIN CERTIFICATE-----\n{block}-----END CERTIFICATE-----\n" * 2)
    told = eid("trust", "import", "--store", store, bundle)
    assert told.code == 64
    assert "--unsigned" in told.err
    assert eid("trust", "import", "--store", store, "--unsigned", bundle).code == 0
