"""A country that has nothing but the openssl command: CSCA, document signer, CRLs and EF.SOD. SPECIMEN."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.interop.specimen_files import lds_security_object, tlv

CONFIGURATION = """
[req]
prompt = no
distinguished_name = name
string_mask = {string_mask}
[name]
C = UT
O = SPECIMEN
CN = {common_name}
[csca]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ds]
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
default_ca = authority
[authority]
database = {directory}/index.txt
crlnumber = {directory}/crlnumber
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
"""
PSS = ("rsa_padding_mode:pss", "rsa_pss_saltlen:digest")


@dataclass(frozen=True)
class Case:
    """One combination. key: "rsa", "pss" or a curve of openssl's name; explicit: EC parameters written out."""

    key: str
    signature_hash: str = "sha256"
    group_hash: str = "sha256"
    explicit: bool = False
    lds_version: int = 0
    by_key_identifier: bool = False
    string_mask: str = "utf8only"
    null: bool = True

    @property
    def name(self) -> str:
        parts = (
            self.key,
            "explicit" if self.explicit else "",
            self.signature_hash,
            f"dg-{self.group_hash}",
            f"v{self.lds_version}",
            "ski" if self.by_key_identifier else "",
            "printable" if self.string_mask != "utf8only" else "",
            "" if self.null else "no-null",
        )
        return "-".join(filter(None, parts))


@dataclass(frozen=True)
class OpensslIssuer:
    """Everything lies in a directory as PEM: csca, ds, and DER: ef_sod.bin."""

    tool: Path
    directory: Path
    case: Case

    def run(self, *arguments: str) -> bytes:
        done = subprocess.run([self.tool, *arguments], cwd=self.directory, capture_output=True, check=False)
        assert done.returncode == 0, (arguments, done.stderr.decode(errors="replace"))
        return done.stdout

    def establish(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._make_key("csca")
        self._make_key("ds")
        self._configure("SPECIMEN CSCA")
        digest = f"-{self.case.signature_hash}"
        issued = ("-config", "x.cnf", digest, "-days", "3650", *self._options("-sigopt"))
        self.run("req", "-new", "-x509", "-key", "csca.key", "-out", "csca.pem", "-extensions", "csca", *issued)
        self._configure("SPECIMEN DS 1")
        self.run("req", "-new", "-key", "ds.key", "-out", "ds.csr", "-config", "x.cnf", digest)
        by_csca = ("-CA", "csca.pem", "-CAkey", "csca.key", "-set_serial", "0x5A17", "-days", "3650", digest)
        extensions = ("-extfile", "x.cnf", "-extensions", "ds")
        self.run("x509", "-req", "-in", "ds.csr", "-out", "ds.pem", *by_csca, *extensions, *self._options("-sigopt"))
        (self.directory / "index.txt").write_text("")
        (self.directory / "crlnumber").write_text("01\n")

    def sign(self) -> bytes:
        """EF.SOD over the specimen's data groups."""
        case = self.case
        content = lds_security_object(case.group_hash, version=case.lds_version, null=case.null)
        (self.directory / "lds.bin").write_bytes(content)
        form = ("-binary", "-nodetach", "-nosmimecap", "-outform", "DER", "-econtent_type", "2.23.136.1.1.1")
        signer = ("-signer", "ds.pem", "-inkey", "ds.key", "-md", case.signature_hash, *self._options("-keyopt"))
        identifier = ("-keyid",) if case.by_key_identifier else ()
        return tlv("77", self.run("cms", "-sign", "-in", "lds.bin", *form, *signer, *identifier))

    def crl(self, *, revoking: bool) -> bytes:
        if revoking:
            subject = "/C=UT/O=SPECIMEN/CN=SPECIMEN DS 1"
            (self.directory / "index.txt").write_text(
                f"R\t360101000000Z\t260101000000Z,keyCompromise\t5A17\tunknown\t{subject}\n"
            )
        digest = ("-md", self.case.signature_hash, *self._options("-sigopt"))
        authority = ("-config", "x.cnf", "-keyfile", "csca.key", "-cert", "csca.pem", "-crldays", "30")
        return self.run("ca", "-gencrl", *authority, *digest)

    def _make_key(self, name: str) -> None:
        if self.case.key in ("rsa", "pss"):
            kind = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
        else:
            form = "explicit" if self.case.explicit else "named_curve"
            kind = (
                "-algorithm",
                "EC",
                "-pkeyopt",
                f"ec_paramgen_curve:{self.case.key}",
                "-pkeyopt",
                f"ec_param_enc:{form}",
            )
        self.run("genpkey", *kind, "-out", f"{name}.key")

    def _configure(self, common_name: str) -> None:
        text = CONFIGURATION.format(
            string_mask=self.case.string_mask, common_name=common_name, directory=self.directory
        )
        (self.directory / "x.cnf").write_text(text)

    def _options(self, option: str) -> tuple[str, ...]:
        return tuple(part for value in PSS for part in (option, value)) if self.case.key == "pss" else ()
