"""`eid pki cv`: CVCA, document verifier and terminal as their operators meet them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eid.codec.cv import decode_cv_certificate
from eid.codec.tlv import encode_tlv
from eid.crypto.curves import CURVES
from eid.crypto.group import EcGroup
from eid.protocols.restricted_identification.core import find_terminal_sector, hash_sector_key, protocol_of
from eid.protocols.restricted_identification.sector_key import build_sector_key
from tests.builders.issuing import software_keys

Eid = Callable[..., Any]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "passphrase"
    path.write_text("open sesame\n")
    monkeypatch.setenv("EID_PASSPHRASE_FILE", str(path))
    monkeypatch.setattr("reader_tools.authority_options.open_software_keys", software_keys)  # the same at less scrypt
    return tmp_path


def test_from_the_root_to_a_terminal(eid: Eid, office: Path) -> None:
    made = eid(
        "pki", "cv", "init", "--role", "cvca", "--holder", "UTCVCASPEC", "--key", "P-256", "--dir", office / "cvca"
    )
    assert (made.code, made.err) == (0, "")
    assert "eid pki cv renew" in made.out
    assert eid("pki", "cv", "renew", "--dir", office / "cvca", "--rights", "read-dg3,read-dg4").code == 0
    eid("pki", "cv", "init", "--role", "dv", "--holder", "UTDVSPEC", "--key", "P-256", "--dir", office / "dv")
    asked = eid("pki", "cv", "request", "--dir", office / "dv", "--out", office / "dv.req")
    assert asked.code == 0
    digest = hashlib.sha256((office / "dv.req").read_bytes()).hexdigest()
    assert asked.out.splitlines()[-1] == f"SHA-256 {digest}"
    issue = ("pki", "cv", "issue", "--dir", office / "cvca", "--role", "domestic-dv", "--out", office / "dv.cert")
    refused = eid(*issue, office / "dv.req")
    assert refused.code == 73
    assert "nobody vouches" in refused.err
    assert not (office / "dv.cert").exists()
    assert eid(*issue, "--rights", "FF", "--sha256", digest, office / "dv.req").code == 73  # more than the CVCA's own
    issued = eid(*issue, "--rights", "01", "--sha256", digest, office / "dv.req")
    assert issued.code == 0, issued.err
    assert "read-dg3" in issued.out
    root = office / "cvca" / "own" / "UTCVCASPEC00001.cvcert"
    assert eid("pki", "cv", "install", "--dir", office / "dv", office / "dv.cert").code == 73  # no CVCA is trusted yet
    taken = eid("pki", "cv", "install", "--dir", office / "dv", "--trust", root, office / "dv.cert")
    assert taken.code == 0, taken.err
    eid("pki", "cv", "init", "--role", "terminal", "--holder", "UTISSPEC", "--key", "P-256", "--dir", office / "is")
    eid("pki", "cv", "request", "--dir", office / "is", "--out", office / "is.req")
    digest = hashlib.sha256((office / "is.req").read_bytes()).hexdigest()
    issue = ("pki", "cv", "issue", "--dir", office / "dv", "--role", "terminal", "--out", office / "is.cert")
    assert eid(*issue, "--rights", "read-dg3", "--sha256", digest, office / "is.req").code == 0
    chain = ("--trust", root, "--chain", office / "dv.cert")
    assert eid("pki", "cv", "install", "--dir", office / "is", *chain, office / "is.cert").code == 0
    files = eid("pki", "cv", "chain", "--dir", office / "is").out.split()
    assert [Path(name).name for name in files] == ["UTDVSPEC00001.cvcert", "UTISSPEC00001.cvcert"]
    verified = eid("pki", "cv", "verify", "--trust", root, *files)
    assert verified.out == "UTISSPEC00001 verified, effective rights: read-dg3\n"
    raw = bytearray(Path(files[0]).read_bytes())
    raw[-1] ^= 1
    (office / "torn").write_bytes(raw)
    forged = eid("pki", "cv", "verify", "--trust", root, office / "torn", files[1])
    assert (forged.code, forged.out) == (1, "")
    assert "SIG_CRYPTO_FAILURE" in forged.err
    told = json.loads(eid("pki", "cv", "show", "--json", "--dir", office / "dv").out)
    assert (told["format"], told["role"], told["keys"]) == ("eid-cv-authority-description", "dv", ["UTDVSPEC00001"])
    assert [item["holder"] for item in told["issued"]] == ["UTISSPEC00001"]
    assert told["signatures"] == {"UTDVSPEC00001": 2}
    shown = [
        json.loads(eid("pki", "cv", "show", "--json", path).out) for path in (office / "is.req", office / "is.cert")
    ]
    assert [item["kind"] for item in shown] == ["request", "certificate"]
    # The next request is countersigned; what is shown is what is inside.
    eid("pki", "cv", "request", "--dir", office / "dv", "--out", office / "next.req")
    assert json.loads(eid("pki", "cv", "show", "--json", office / "next.req").out)["holder"] == "UTDVSPEC00002"
    assert (
        eid("pki", "cv", "countersign", "--dir", office / "cvca", "--out", office / "x", office / "next.req").code == 0
    )


def test_wrong_usage(eid: Eid, office: Path) -> None:
    new = ("pki", "cv", "init", "--role", "cvca", "--dir", office / "cvca", "--key", "P-256")
    assert eid(*new, "--holder", "nobody").code == 73
    assert not (office / "cvca").exists()
    assert eid(*new, "--holder", "UTCVCASPEC").code == 0
    assert eid(*new, "--holder", "UTCVCASPEC").code == 73
    for rights in ("read-dg99", "0F0F", "zz", ""):
        assert eid("pki", "cv", "renew", "--dir", office / "cvca", f"--rights={rights}").code == 64
    assert eid("pki", "cv", "show").code == 64
    assert eid("pki", "cv", "show", "--dir", office / "cvca", office / "x").code == 64
    nowhere = eid("pki", "cv", "request", "--dir", office / "nowhere")
    assert (nowhere.code, "eid pki cv init" in nowhere.err) == (73, True)
    (office / "junk").write_bytes(b"junk")
    for command in (("show",), ("install", "--dir", office / "cvca"), ("trust", "--dir", office / "cvca")):
        assert eid("pki", "cv", *command, office / "junk").code == 65
    assert "read-dg3" in eid("pki", "cv", "rights").out
    odd = eid("pki", "cv", "init", "--role", "cvca", "--dir", office / "odd", "--key", "P-999", "--holder", "UTODD")
    assert odd.code == 0
    assert eid("pki", "cv", "renew", "--dir", office / "odd").code == 77


def test_a_sector_stands_in_a_terminals_certificate(eid: Eid, office: Path) -> None:
    root, group = (
        office / "cvca" / "own" / "UTCVCAEID00001.cvcert",
        EcGroup(next(curve for curve in CURVES if curve.name == "P-256")),
    )
    for role, holder in (("cvca", "UTCVCAEID"), ("dv", "UTDVEID"), ("terminal", "UTATEID")):
        kind = ("--role", role, "--holder", holder, "--type", "at", "--key", "P-256")
        assert eid("pki", "cv", "init", *kind, "--dir", office / role).code == 0
    eid("pki", "cv", "renew", "--dir", office / "cvca")
    sector = build_sector_key(protocol_of(group, "sha256"), group, group.generate().public)
    (office / "sector").write_bytes(encode_tlv(0x7F49, sector.content))
    for above, below, role, more in (
        ("cvca", "dv", "domestic-dv", ()),
        ("dv", "terminal", "terminal", ("--sector", office / "sector")),
    ):
        eid("pki", "cv", "request", "--dir", office / below, "--out", office / "asked")
        digest = hashlib.sha256((office / "asked").read_bytes()).hexdigest()
        where = ("--dir", office / above, "--role", role, "--out", office / f"{below}.cert")
        issued = eid("pki", "cv", "issue", *where, "--sha256", digest, *more, office / "asked")
        assert issued.code == 0, issued.err
        chain = ("--chain", office / "dv.cert") if below == "terminal" else ()
        assert (
            eid("pki", "cv", "install", "--dir", office / below, "--trust", root, *chain, office / f"{below}.cert").code
            == 0
        )
    granted = decode_cv_certificate((office / "terminal.cert").read_bytes()).chat
    assert granted.authorization == bytes(5), "nothing was granted by name, so nothing at all"
    named = find_terminal_sector(decode_cv_certificate((office / "terminal.cert").read_bytes()).extensions)
    assert named.hashes == (hash_sector_key("sha256", sector.content), None)
