"""The runbook of the key ceremonies, rehearsed: every command of it, in order, with keys in files and in a token."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eid.codec.crl import decode_crl
from eid.codec.cv import decode_cv_certificate
from eid.codec.x509 import decode_certificate
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.pki.path import find_path
from eid.pki.trust_store import build_trust_store
from eid.services.pki.authority import open_authority
from reader_tools.main import run
from tests.builders.issuing import clear_token, software_keys
from tests.conftest import SoftHsmToken

RUNBOOK = Path(__file__).parents[2] / "docs" / "ceremony.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in BLOCK.findall(RUNBOOK.read_text()) for line in block.splitlines() if line.strip()]


class Shell:
    """Runs the lines of the runbook: `eid` in this process, all else in bash, which keeps its variables."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.directory = directory
        self.environment = environment

    def bash(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (script, done.stderr)
        return done.stdout

    def execute(self, line: str) -> None:
        if line.startswith("eid "):
            words = self.bash(f'printf "%s\\0" {line.removeprefix("eid ")}').split("\0")[:-1]
            assert run(words) == 0, line
            return
        kept = self.bash(f"set -a; {line} > /dev/null; env -0").split("\0")
        self.environment = dict(item.split("=", 1) for item in kept if item)


@pytest.fixture(params=["software", "pkcs11"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The key options; the parts that custodians type come from a file each."""
    if request.param == "software":
        parts = ("custodian 1 of SPECIMEN", "custodian 2 of SPECIMEN")
        for number, part in enumerate(parts):
            (tmp_path / f"part-{number}").write_text(part)
        yield " ".join(f"--passphrase-file {tmp_path}/part-{number}" for number in range(len(parts)))
        return
    token: SoftHsmToken = request.getfixturevalue("softhsm_token")
    for number, part in enumerate((token.pin[:4], token.pin[4:])):
        (tmp_path / f"part-{number}").write_text(part)
    files = " ".join(f"--pin-file {tmp_path}/part-{number}" for number in range(2))
    with Pkcs11KeyStore(str(token.module), token.label, token.pin) as store:
        clear_token(store)
        yield f"--pkcs11 {token.module} --token {token.label} {files}"
        clear_token(store)


def test_the_runbook(
    keys: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, require_tool: Callable[[str], Path]
) -> None:
    require_tool("bash")
    room = tmp_path / "room"
    room.mkdir()
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    shell = Shell(room, {**os.environ, "PATH": path, "KEYS": keys, "PROFILE": "eu-td1-id-card"})
    monkeypatch.chdir(room)
    monkeypatch.setenv("EID_OPERATOR", "SPECIMEN operator")
    monkeypatch.setattr("reader_tools.authority_options.open_software_keys", software_keys)  # the same at less scrypt
    lines = commands()
    assert sum(line.startswith("eid ") for line in lines) > 30
    for line in lines:
        shell.execute(line)
    has_files = keys.startswith("--passphrase")
    assert (room / "pki" / "keys").exists() is has_files
    assert (room / "cvca" / "keys").exists() is has_files
    authority = open_authority(room / "pki")
    assert authority.register.cscas == ("csca-001", "csca-002", "csca-003")
    assert authority.register.signers == ("ds-001", "ds-002", "ds-003", "ds-004")
    (_, first), *_ = authority.signers()
    assert first.serial in decode_crl(authority.crls[0]).revoked
    # Who was at the first ceremony only gets to the newest document signer by the links.
    anchors = (authority.csca_certificates[0], *(item.raw for _, item in authority.links))
    newest = decode_certificate(authority.signer_certificate)
    assert find_path(newest, build_trust_store(anchors)).anchor.raw == authority.csca_certificates[0]
    dv = decode_cv_certificate((room / "next.cvcert").read_bytes())
    assert (dv.holder_reference, dv.authority_reference) == ("UTDVSPEC00002", "UTCVCASPEC00001")
    rebuilt = open_authority(room / "rebuilt")
    assert rebuilt.register.crl_number == 2
    assert rebuilt.register.retired == ("ds-001",)
    made = {entry.operator for label in authority.record.labels() for entry in authority.record.entries(label)}
    assert made == {"SPECIMEN operator"}


def test_every_command_of_the_handbook_is_one() -> None:
    """What docs/pki.md calls a command answers --help."""
    text = (RUNBOOK.parent / "pki.md").read_text()
    named = set(re.findall(r"`eid (pki(?: cv)?) ([a-z][a-z-]+)", text)) - {("pki", "cv")}
    assert len(named) > 18
    for group, name in sorted(named):
        assert run([*group.split(), name, "--help"]) == 0, (group, name)
