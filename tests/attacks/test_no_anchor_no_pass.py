"""No evidence reaches TOTAL_PASSED without an anchor, and no mutation of genuine evidence does under `strict`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eid.errors import DecodeError, ProfileError
from eid.evidence import Evidence, Origin, ProtocolName, ProtocolOutcome, ProtocolTranscript, ReadFile
from eid.evidence.codec import SignedEvidence
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.verification.policy import decode_policy, shipped_policies
from eid.verification.policy_schema import INDISPENSABLE
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import CHALLENGE, Document, judge
from tests.builders.sweep import examples

MANY = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
POLICIES = shipped_policies()


@st.composite
def mutated_octets(draw: st.DrawFn, raw: bytes) -> bytes:
    """Octets that differ from `raw`: a bit turned, cut, lengthened, doubled, a piece moved."""
    place = draw(st.integers(0, len(raw) - 1))
    other = draw(st.integers(0, len(raw)))
    match draw(st.sampled_from(("flip", "cut", "append", "insert", "move", "empty"))):
        case "flip":
            return raw[:place] + bytes((raw[place] ^ 1 << draw(st.integers(0, 7)),)) + raw[place + 1 :]
        case "cut":
            return raw[:place]
        case "append":
            return raw + draw(st.binary(min_size=1, max_size=4))
        case "insert":
            return raw[:place] + draw(st.binary(min_size=1, max_size=4)) + raw[place:]
        case "move":
            low, high = sorted((place, other))
            return raw[high:] + raw[low:high] + raw[:low]
        case _:
            return b""


@st.composite
def mutated_evidence(draw: st.DrawFn, evidence: Evidence) -> Evidence:
    """The evidence with one or two things changed: files, transcripts, challenge, origin."""
    for _ in range(draw(st.integers(1, 2))):
        match draw(st.sampled_from(("file", "drop", "swap", "double", "transcript", "challenge", "origin"))):
            case "file":
                index = draw(st.integers(0, len(evidence.files) - 1))
                item = evidence.files[index]
                changed = replace(item, content=draw(mutated_octets(item.content or b"\x00")))
                files: Sequence[ReadFile] = (*evidence.files[:index], changed, *evidence.files[index + 1 :])
                evidence = replace(evidence, files=tuple(files))
            case "drop":
                index = draw(st.integers(0, len(evidence.files) - 1))
                left = evidence.files[:index] + evidence.files[index + 1 :]
                evidence = replace(evidence, files=left) if left else evidence
            case "swap":
                first, second = draw(st.permutations(evidence.files))[:2] if len(evidence.files) > 1 else (None, None)
                if first is not None and second is not None:
                    names = {first.name: second.name, second.name: first.name}
                    swapped = (replace(item, name=names.get(item.name, item.name)) for item in evidence.files)
                    evidence = replace(evidence, files=tuple(swapped))
            case "double":
                item = draw(st.sampled_from(evidence.files))
                forged = ReadFile(item.name, draw(mutated_octets(item.content or b"\x00")))
                front = draw(st.booleans())
                files = (forged, *evidence.files) if front else (*evidence.files, forged)
                evidence = replace(evidence, files=tuple(files))
            case "transcript":
                evidence = replace(evidence, transcripts=draw(transcripts(evidence.transcripts)))
            case "challenge":
                evidence = replace(evidence, challenge=draw(st.none() | st.binary(min_size=8, max_size=8)))
            case _:
                evidence = replace(evidence, origin=draw(st.sampled_from(Origin)))
    return evidence


@st.composite
def transcripts(draw: st.DrawFn, genuine: tuple[ProtocolTranscript, ...]) -> tuple[ProtocolTranscript, ...]:
    """Genuine transcripts and invented ones, in any number and order."""
    messages = st.dictionaries(
        st.sampled_from(("challenge", "signature", "chip_public_key")),
        st.sampled_from((CHALLENGE, b"", bytes(64))) | st.binary(max_size=80),
    )
    invented = st.builds(
        ProtocolTranscript, st.sampled_from(ProtocolName), st.sampled_from(ProtocolOutcome), st.just({}), messages
    )
    any_of = st.sampled_from(genuine) | invented if genuine else invented
    return tuple(draw(st.lists(any_of, max_size=4)))


def proven(document: Document, evidence: Evidence) -> bool:
    """Whether all that `strict` accepts on is there as it was issued: the first file of each name, and what was run."""
    needed = {"EF.SOD", *(name for name in document.files if name.startswith("DG"))}
    first = {item.name: item.content for item in reversed(evidence.files)}
    same = all(first.get(name, document.files[name]) == document.files[name] for name in needed)
    return same and {"EF.SOD", "DG1", "DG2"} <= first.keys()


@MANY
@given(data=st.data())
def test_no_mutation_passes(document: Document, genuine: Evidence, data: st.DataObject) -> None:
    """As an upload, where no station vouches: Active Authentication over this session's challenge must stand."""
    evidence = replace(data.draw(mutated_evidence(genuine)), origin=Origin.UPLOAD)
    report = judge(document, evidence, envelope=None)
    if report.verdict is Verdict.TOTAL_PASSED:
        assert proven(document, evidence)
        found = report.check("chip.aa")
        assert found is not None
        assert found.outcome is Outcome.PASSED
        ran = ProtocolName.ACTIVE_AUTHENTICATION
        assert evidence.transcript(ran) == genuine.transcript(ran)


@MANY
@given(data=st.data())
def test_nothing_passes_behind_an_envelope_of_other_evidence(
    document: Document, genuine: Evidence, data: st.DataObject
) -> None:
    """A station's signature around the genuine evidence says nothing of the mutated one."""
    evidence = data.draw(mutated_evidence(genuine))
    envelope = sealed(document, evidence)
    forged = replace(envelope, signature=document.envelope(genuine).signature)
    report = judge(document, evidence, envelope=forged)
    if evidence != genuine:
        assert report.verdict is not Verdict.TOTAL_PASSED


def sealed(document: Document, evidence: Evidence) -> SignedEvidence:
    """In a station's envelope; evidence that has no encoded form (a name twice, an empty signature) is passed over."""
    try:
        return document.envelope(evidence)
    except (ValueError, DecodeError):
        assume(False)
        raise


@pytest.fixture(scope="module")
def genuine(document: Document) -> Evidence:
    """One inspection: signatures are drawn anew each time, examples must not be."""
    return document.evidence()


def stores_without_anchor(document: Document) -> tuple[TrustStore, ...]:
    stranger, middle = issuer.ec_key("P-384", "sha384"), issuer.ec_key("P-384", "sha384")
    cross = issuer.certificate(stranger, document.csca, issuer.csca_extensions(document.csca), subject=issuer.CSCA_NAME)
    link = issuer.certificate(middle, document.csca, issuer.csca_extensions(document.csca), subject=issuer.CSCA_NAME)
    crl = issuer.crl(document.csca)
    return (
        build_trust_store(()),
        build_trust_store((), (crl,)),
        build_trust_store((document.signer_certificate,), (crl,)),
        build_trust_store((issuer.csca_certificate(stranger),), (crl,)),
        build_trust_store((cross, link), (crl,)),
        build_trust_store((cross, _alter(issuer.csca_certificate(stranger, serial=9))), (crl,)),
    )


@pytest.fixture(scope="module")
def stores(document: Document) -> tuple[TrustStore, ...]:
    return stores_without_anchor(document)


@MANY
@given(data=st.data())
def test_nothing_passes_without_its_anchor(
    document: Document, genuine: Evidence, stores: tuple[TrustStore, ...], data: st.DataObject
) -> None:
    evidence = data.draw(st.just(genuine) | mutated_evidence(genuine))
    policy = data.draw(st.sampled_from(POLICIES))
    trust = data.draw(st.sampled_from(stores))
    report = judge(document, evidence, policy, trust=trust, envelope=sealed(document, evidence))
    assert report.verdict is not Verdict.TOTAL_PASSED


BASE = """
format = "eid-verification-policy"
version = 1
name = "mine"
revision = 1
assurance = "nothing"
data_groups = [{groups}]
required = [{required}]
informative = [{informative}]
"""


def policy_text(required: Sequence[str], informative: Sequence[str] = (), groups: Sequence[str] = ("DG1",)) -> bytes:
    def quoted(names: Sequence[str]) -> str:
        return ", ".join(f'"{name}"' for name in names)

    return BASE.format(groups=quoted(groups), required=quoted(required), informative=quoted(informative)).encode()


def test_a_policy_that_proves_nothing_is_called_unsafe() -> None:
    assert decode_policy(policy_text(sorted(INDISPENSABLE))).name == "mine"
    for left_out in INDISPENSABLE:
        with pytest.raises(ProfileError, match=f"unsafe: {left_out}"):
            decode_policy(policy_text(sorted(INDISPENSABLE - {left_out})))
        with pytest.raises(ProfileError, match="cannot be required and informative"):
            decode_policy(policy_text(sorted(INDISPENSABLE), (left_out,)))
    with pytest.raises(ProfileError, match="cannot be required and informative"):
        decode_policy(policy_text(sorted(INDISPENSABLE), ("sod.dg_hashes.dg1",)))


@pytest.mark.parametrize("groups", [(), ("DG17",), ("DG0",), ("dg1",), ("EF.SOD",)])
def test_a_policy_names_data_groups_that_there_are(groups: tuple[str, ...]) -> None:
    with pytest.raises(ProfileError, match="data_groups"):
        decode_policy(policy_text(sorted(INDISPENSABLE), groups=groups))


def test_shipped_policies_are_safe() -> None:
    assert set(POLICIES) >= {"strict", "border", "passive", "kyc-remote"}


def _alter(raw: bytes) -> bytes:
    """With another last octet, which is one of the signature."""
    return raw[:-1] + bytes((raw[-1] ^ 1,))
