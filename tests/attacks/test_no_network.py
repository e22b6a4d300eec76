"""Addresses inside a document: nobody is called on the way to a verdict, whatever certificates and CRLs name."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from eid.codec import extension_builders as build
from eid.codec.extensions import Extension
from eid.lds.dg13 import DG13, StatusListReference
from eid.verification.policy import shipped_policies
from eid.verification.report import Verdict
from tests.builders import issuer
from tests.builders.document import Document, build_files, judge

HOSTILE = ("http://169.254.169.254/latest/meta-data", "http://127.0.0.1:1/x", "ldap://[::1]/cn=x", "file:///etc/passwd")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every socket that is opened and every name that is looked up, which none is to be."""
    made: list[object] = []

    class Spy(socket.socket):
        def __init__(self, *given: object, **named: object) -> None:
            made.append(given or named)
            raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", Spy)
    monkeypatch.setattr(socket, "create_connection", lambda *given, **named: made.append(given))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **named: made.append(given))
    return made


def naming(document: Document, extensions: list[Extension]) -> Document:
    certificate = issuer.certificate(document.csca, document.signer, extensions)
    return build_files(replace(document, signer_certificate=certificate))


def hostile_extensions(document: Document) -> list[Extension]:
    kept = [item for item in issuer.ds_extensions(document.csca, document.signer) if item.oid != "2.5.29.31"]
    access = Extension("1.3.6.1.5.5.7.1.1", False, build.crl_distribution_points(HOSTILE).value)
    return [*kept, build.crl_distribution_points(HOSTILE), access]


@pytest.mark.parametrize("policy", shipped_policies())
def test_no_crl_is_fetched(document: Document, policy: str, calls: list[object]) -> None:
    hostile = naming(document, hostile_extensions(document))
    evidence = hostile.evidence()
    envelope = hostile.envelope(evidence)
    with_list, without = hostile.trust(), hostile.trust(crls=())
    assert judge(hostile, evidence, policy, trust=with_list, envelope=envelope).verdict is Verdict.TOTAL_PASSED
    assert judge(hostile, evidence, policy, trust=without, envelope=envelope).check("ds.revocation") is not None
    assert calls == []


def test_no_status_list_is_fetched(document: Document, calls: list[object]) -> None:
    files = {**document.files, "DG13": DG13(status_list=StatusListReference(HOSTILE[0], 7)).encode()}
    hostile = build_files(replace(document, files=files))
    judge(hostile)
    assert calls == []
