"""The command line as a person meets it: arguments in, exit code and two streams out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from eid.services.trust.imports import import_trust
from eid.store.card_file import open_card_file
from reader_tools.main import run
from tests.builders.document import NOW, Document, build_document
from tests.builders.issuance import Issued, issue
from tests.builders.issuer import crl


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Eid = Callable[..., Outcome]


@pytest.fixture
def eid(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Eid:
    """Run one command; EID_HOME is a directory of this test."""
    monkeypatch.setenv("EID_HOME", str(tmp_path / "home"))

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Outcome(code, out, err)

    return call


@pytest.fixture(scope="session")
def document() -> Document:
    return build_document()


@pytest.fixture(scope="session")
def trust(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trust store with the document's CSCA and an empty CRL."""
    folder = tmp_path_factory.mktemp("trust")
    (folder / "csca.der").write_bytes(document.csca_certificate)
    (folder / "crl.der").write_bytes(crl(document.csca))
    import_trust(folder / "store", [folder / "csca.der", folder / "crl.der"], unsigned=False, now=NOW)
    return folder / "store"


@pytest.fixture(scope="session")
def station_pem(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("stations") / "one.pem"
    path.write_bytes(document.station.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


@pytest.fixture(scope="session")
def issued() -> Issued:
    return issue("ma-cnie")


@pytest.fixture
def card_file(issued: Issued, tmp_path: Path) -> Path:
    """A file with an issued card."""
    path = tmp_path / "card.bin"
    with open_card_file(path) as file:
        file.store(issued.card.state())
    return path
