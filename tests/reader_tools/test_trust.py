"""`eid trust`: what came in, what can be used, what is wrong with it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import issuer as made
from tests.builders import trust_lists as lists
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


def test_the_life_of_a_master_list(eid: Eid, tmp_path: Path) -> None:
    """Pin an anchor, import a list, look at what changed, approve, distrust: as an operator does it."""
    store, owner = tmp_path / "store", lists.publisher("UT")
    (tmp_path / "csca.cer").write_bytes(owner.csca)
    (tmp_path / "list.ml").write_bytes(owner.master_list(lists.sound(30)))
    told = eid("trust", "import", "--store", store, tmp_path / "list.ml")
    assert told.code == 1
    assert "ends at no anchor that is trusted for lists" in told.err
    told = eid("trust", "import", "--store", store, "--json", tmp_path / "csca.cer")
    (anchor,) = (item["fingerprint"] for item in json.loads(told.out)["objects"])
    assert "no anchor is pinned" in eid("trust", "anchors", "--store", store).out
    assert anchor in eid("trust", "anchors", "--store", store, "--add", anchor).out
    assert json.loads(eid("trust", "anchors", "--store", store, "--json").out)["anchors"][0]["fingerprint"] == anchor
    (store / "trust.toml").write_text('format = "eid-trust-policy"\nversion = 1\nquorum = 2\n')
    told = eid("trust", "import", "--store", store, tmp_path / "list.ml")
    assert told.code == 0
    assert "signed   list.ml: by C=UT" in told.out
    assert "30 new, 30 held" in told.out
    assert "NOTICE" in told.out
    assert "held" in eid("trust", "diff", "--store", store).out
    changes = json.loads(eid("trust", "diff", "--store", store, "--json", "1", "2").out)["changes"]
    assert [item["what"] for item in changes].count("held") == 30
    (held, *_) = (item["fingerprint"] for item in changes if item["what"] == "held")
    assert "held: known to 1 of 2" in eid("trust", "show", "--store", store, held[:12]).out
    assert eid("trust", "approve", "--store", store, held[:12]).out.endswith("1 approved\n")
    assert eid("trust", "approve", "--store", store, "--all", "--reject").out.endswith("29 rejected\n")
    assert eid("trust", "approve", "--store", store).code == 64
    shown = json.loads(eid("trust", "show", "--store", store, "--json", held).out)
    assert (shown["state"], shown["signed_by_a_list"]) == ("ACCEPTED", True)
    assert [item["country"] for item in shown["sources"]] == ["UT"]
    told = eid("trust", "distrust", "--store", store, held[:12], "--since", "2026-03-01", "--reason", "withdrawn")
    assert "withdrawn" in told.out
    assert json.loads(eid("trust", "distrust", "--store", store, "--json").out)["entries"][0]["fingerprint"] == held
    assert "distrusted" in eid("trust", "show", "--store", store, held).out
    (row,) = (line for line in eid("trust", "list", "--store", store).out.splitlines() if held[:16] in line)
    assert row.split()[3] == "distrusted"
    listed = json.loads(eid("trust", "list", "--store", store, "--json").out)["certificates"]
    assert {item["fingerprint"]: item["distrusted_since"] for item in listed}[held] == "2026-03-01T00:00:00Z"
    assert "1 lifted" in eid("trust", "distrust", "--store", store, held, "--lift").out
    assert eid("trust", "distrust", "--store", store, held).code == 64
    assert eid("trust", "distrust", "--store", store, "--lift").code == 64
    gaps = json.loads(eid("trust", "gaps", "--store", store, "--json", "--country", "se").out)["gaps"]
    assert {"country": "SE", "why": ["no CSCA", "no CRL"]} in gaps
    assert "no CRL" in eid("trust", "gaps", "--store", store).out
    assert eid("trust", "list", "--store", store, "--held").out.startswith("kind")
    assert eid("trust", "list", "--store", store, "--country", "ut", "--kind", "DS").code == 0
    assert eid("trust", "anchors", "--store", store, "--remove", anchor).code == 0
    assert eid("trust", "show", "--store", store, "00000000").code == 73
    assert eid("trust", "show", "--store", store, "xyz").code == 65


def test_fetch_asks_nobody_without_being_told(eid: Eid, tmp_path: Path, document: Document) -> None:
    store = tmp_path / "store"
    eid("trust", "import", "--store", store, files(tmp_path, document)[0])
    assert eid("trust", "fetch", "--store", store).code == 64
    assert eid("trust", "fetch", "--store", store, "http://example.org/x").code == 64
    (store / "trust.toml").write_text(
        'format = "eid-trust-policy"\nversion = 1\n[fetch]\nhosts = ["127.0.0.1"]\nlocations = ["http://127.0.0.1:9/x"]\n'
    )
    told = eid("trust", "fetch", "--store", store)
    assert told.code == 69
    assert "127.0.0.1 has an address that is not public" in told.out
    told = json.loads(eid("trust", "fetch", "--store", store, "--json").out)
    assert told["locations"][0]["import"] is None


def test_the_store_of_the_settings(eid: Eid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csca = tmp_path / "csca.cer"
    csca.write_bytes(made.csca_certificate(made.ec_key()))
    assert eid("trust", "list").code == 73
    assert eid("trust", "import", csca).code == 0
    assert (tmp_path / "home" / "trust" / "index.db").exists()
    monkeypatch.setenv("EID_TRUST", str(tmp_path / "elsewhere"))
    assert eid("trust", "list").code == 73
    monkeypatch.setenv("EID_TRUST", str(tmp_path / "home" / "trust"))
    assert "1 CSCA" in eid("trust", "list").out
