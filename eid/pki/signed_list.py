"""Signed lists: CSCA master lists and deviation lists (Doc 9303-12 9.1, 10.1), accepted whole or refused whole.

A list is as good as its signer. The signer has the extended key usage for such lists, and its certificate chains to an
anchor that the operator pinned for this; no certificate that comes with the list is trusted for coming with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from eid.codec import oid
from eid.codec.ber import convert_ber
from eid.codec.cms import SignedData, decode_signed_data, keep_stored_attributes
from eid.codec.defect import Defect, DefectCode
from eid.codec.x509 import Certificate
from eid.crypto.public_key import load_public_key
from eid.errors import DecodeError, Reason, VerificationError
from eid.pki.cms_signature import is_named_by, verify_cms_signature
from eid.pki.deviation_list import DeviationList, decode_deviation_list
from eid.pki.distrust import Distrust
from eid.pki.master_list import MAX_LIST, decode_master_list
from eid.pki.path import CertificatePath, find_path, verify_validity
from eid.pki.reading import read_certificate
from eid.pki.trust_store import TrustStore, build_trust_store

# What no signature covers has one right value each; the departures that are met in published lists harm nobody.
_REFUSED: Final = frozenset((DefectCode.CRLS_PRESENT,))


@dataclass(frozen=True, slots=True)
class SignedList:
    """A list whose signature and signer were verified.

    Args:
        content: octets of eContent. signer: its certificate. path: to the pinned anchor; None where the operator
            vouches for a list whose signer ends at none. signing_time: UTC, None where the signer does not say.
            digest_name: hash of the signature. defects: what had to be tolerated.
    """

    content: bytes = field(repr=False)
    signer: Certificate
    path: CertificatePath | None
    signing_time: datetime | None
    digest_name: str
    defects: tuple[Defect, ...]

    @property
    def country(self) -> str:
        """The country of the signer's issuer, upper case: what the signer says of itself is its issuer's word too."""
        return self.signer.issuer_country or ""

    @property
    def signer_name(self) -> str:
        """The signer's name as text, "" where it cannot be read."""
        try:
            return str(self.signer.subject([]))
        except DecodeError:
            return ""


def is_signed_list(raw: bytes) -> str | None:
    """The content type of a CMS SignedData, "" where it is none of a list that is known; None for anything else.

    Only the outermost elements are looked at, so that a file can be sorted before it is judged.
    """
    try:
        content_type = decode_signed_data(raw, [], MAX_LIST).content_type
    except DecodeError:
        return "" if _SIGNED_DATA in raw[:32] else None
    return content_type


_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")


def list_countries(raw: bytes) -> frozenset[str]:
    """Countries of the certificates that a list carries, upper case; nothing is verified.

    Raises:
        DecodeError: as `decode_signed_list`.
    """
    found = set()
    for item in decode_signed_list(raw, []).certificates:
        try:
            found.add(read_certificate(item, []).issuer_country or "")
        except DecodeError:
            continue
    return frozenset(found)


def verify_master_list(
    raw: bytes,
    anchors: Iterable[bytes],
    crls: Iterable[bytes] = (),
    *,
    now: datetime,
    distrusts: Iterable[Distrust] = (),
) -> tuple[SignedList, tuple[bytes, ...]]:
    """Accept a CSCA master list, and give the certificates in it.

    Args:
        raw: ContentInfo, DER, at most 16 MiB. anchors: certificates, DER, that the operator pinned. crls: DER.
        now: UTC. distrusts: keys that vouch for no list.

    Raises:
        DecodeError: malformed, something trails, not one SignerInfo. VerificationError: FORMAT_FAILURE, another content
            type; SIG_CRYPTO_FAILURE; NO_SIGNING_CERTIFICATE_FOUND; what `find_path` raises; NOT_YET_VALID,
            OUT_OF_BOUNDS_NO_POE; REVOKED; CSCA_DISTRUSTED.
    """
    defects: list[Defect] = []
    accepted = _verify(
        raw, oid.CSCA_MASTER_LIST, oid.CSCA_MASTER_LIST_SIGNING_KEY, _Anchors(anchors, crls, distrusts), now, defects
    )
    certificates = decode_master_list(accepted.content, defects)
    return _with_defects(accepted, defects), certificates


def verify_deviation_list(
    raw: bytes,
    anchors: Iterable[bytes],
    crls: Iterable[bytes] = (),
    *,
    now: datetime,
    distrusts: Iterable[Distrust] = (),
) -> tuple[SignedList, DeviationList]:
    """Accept a deviation list, and decode it.

    Args:
        raw: ContentInfo, DER. anchors: CSCA certificates, DER, that are trusted. crls: DER. now: UTC.
        distrusts: keys that vouch for no list.

    Raises:
        As `verify_master_list`.
    """
    defects: list[Defect] = []
    trusted = _Anchors(anchors, crls, distrusts)
    accepted = _verify(raw, oid.DEVIATION_LIST, oid.DEVIATION_LIST_SIGNING_KEY, trusted, now, defects)
    content = decode_deviation_list(accepted.content, accepted.country, accepted.digest_name)
    return _with_defects(accepted, defects), content


@dataclass(frozen=True, slots=True)
class _Anchors:
    certificates: Iterable[bytes]
    crls: Iterable[bytes]
    distrusts: Iterable[Distrust]

    def build_store(self, others: Iterable[bytes]) -> TrustStore:
        """The anchors, and of the other certificates the links: a self-signed one must not become an anchor."""
        links = [item.raw for item in build_trust_store(others).authorities if not item.is_anchor]
        return build_trust_store((*self.certificates, *links), self.crls, distrusts=self.distrusts)


def read_unpinned_list(raw: bytes) -> SignedList:
    """A CSCA master list whose signer ends at no pinned anchor, for an operator who vouches for it; its path is None.

    Its form and its signature are verified all the same: what is broken nobody can vouch for.

    Raises:
        DecodeError, VerificationError: as `verify_master_list`.
    """
    defects: list[Defect] = []
    signed_data, signer = _read(raw, oid.CSCA_MASTER_LIST, defects)
    attributes = signed_data.signer_info.signed_attributes
    signing_time = None if attributes is None else attributes.signing_time
    digest_name = oid.HASH_NAMES[signed_data.signer_info.digest_algorithm.oid]
    return SignedList(signed_data.content, signer, None, signing_time, digest_name, tuple(dict.fromkeys(defects)))


def _verify(
    raw: bytes, content_type: str, purpose: str, anchors: _Anchors, now: datetime, defects: list[Defect]
) -> SignedList:
    signed_data, signer = _read(raw, content_type, defects)
    # 4. Its signer: purpose, and a path to a pinned anchor
    trust, path = _find_way(signed_data, signer, anchors, defects, purpose)
    # 5. In time, not revoked, not distrusted
    attributes = signed_data.signer_info.signed_attributes
    signing_time = None if attributes is None else attributes.signing_time
    _verify_time(path, signing_time, now)
    _verify_unrevoked(path, trust, now)
    trust.verify_not_distrusted((path.signer, *(item.certificate for item in path.authorities)), now)
    digest_name = oid.HASH_NAMES[signed_data.signer_info.digest_algorithm.oid]
    return SignedList(signed_data.content, signer, path, signing_time, digest_name, ())


def _find_way(
    signed_data: SignedData, signer: Certificate, anchors: _Anchors, defects: list[Defect], purpose: str
) -> tuple[TrustStore, CertificatePath]:
    """The signer's path to an anchor, and the store in which it was found.

    After a key roll-over the links to the signer's CSCA stand among the certificates of the CMS, or in the master list
    itself. There nothing is believed yet: a link counts by the signature of the anchor, or of a link before it.
    """
    trust = anchors.build_store(signed_data.certificates)
    try:
        return trust, _find_path(signer, trust, defects, purpose)
    except VerificationError as failure:
        if failure.reason is not Reason.NO_CERTIFICATE_CHAIN_FOUND or signed_data.content_type == oid.DEVIATION_LIST:
            raise
    trust = anchors.build_store((*signed_data.certificates, *decode_master_list(signed_data.content, [])))
    return trust, _find_path(signer, trust, defects, purpose)


def _find_path(signer: Certificate, trust: TrustStore, defects: list[Defect], purpose: str) -> CertificatePath:
    try:
        return find_path(signer, trust, defects, purpose=purpose)
    except VerificationError as failure:
        if failure.reason is not Reason.NO_CERTIFICATE_CHAIN_FOUND:
            raise
        what = f"the signer, of {signer.issuer_country or 'no country'}, ends at no anchor that is trusted for lists"
        raise VerificationError(failure.reason, what, clause="Doc 9303-12 6.1.1") from failure


def _read(raw: bytes, content_type: str, defects: list[Defect]) -> tuple[SignedData, Certificate]:
    # 1. One SignedData in DER, nothing behind it, one SignerInfo
    signed_data = decode_signed_list(raw, defects)
    # 2. It says that it is such a list: other things of the same signer are none
    if signed_data.content_type != content_type:
        raise VerificationError(
            Reason.FORMAT_FAILURE,
            f"eContentType is {signed_data.content_type}, not {content_type}",
            clause="Doc 9303-12 9.1, 10.1",
        )
    # 3. Its signature
    signer = _find_signer(signed_data, defects)
    verify_cms_signature(signed_data, load_public_key(signer.spki_raw), defects)
    return signed_data, signer


def _with_defects(accepted: SignedList, defects: list[Defect]) -> SignedList:
    return SignedList(
        accepted.content,
        accepted.signer,
        accepted.path,
        accepted.signing_time,
        accepted.digest_name,
        tuple(dict.fromkeys(defects)),
    )


def decode_signed_list(raw: bytes, defects: list[Defect]) -> SignedData:
    """The SignedData of a list; as BER made into DER where it is none in DER. Nothing is verified.

    Raises:
        DecodeError: malformed either way, something trails, or what nothing signs is not as it must be.
    """
    found: list[Defect] = []
    try:
        signed_data = decode_signed_data(raw, found, MAX_LIST)
    except DecodeError as refusal:
        converted = convert_ber(raw, MAX_LIST)
        if converted == raw:
            raise
        found = [Defect(DefectCode.NOT_DER, refusal.what, refusal.offset or 0, "Doc 9303-12 9")]
        signed_data = keep_stored_attributes(decode_signed_data(converted, found, MAX_LIST), raw)
    for item in found:
        if item.code in _REFUSED:
            raise DecodeError(item.what, offset=item.offset, clause=item.clause)
    defects.extend(found)
    return signed_data


def _find_signer(signed_data: SignedData, defects: list[Defect]) -> Certificate:
    """The certificate that SignerInfo names; where it names none, the only one with an extended key usage."""
    readable: list[tuple[Certificate, list[Defect]]] = []
    for raw in signed_data.certificates:
        found: list[Defect] = []
        try:
            readable.append((read_certificate(raw, found), found))
        except DecodeError:
            continue  # it may be any certificate but the signer's; if it is that, none is found
    # A name and serial number, or a key identifier, may be those of another certificate as well.
    able = [item for item in readable if item[0].extensions.extended_key_usage is not None]
    named = [item for item in (*able, *readable) if is_named_by(item[0], signed_data.signer_info)]
    if not named and len(able) == 1:
        what = "SignerInfo names another certificate than the only one that can have signed"
        defects.append(Defect(DefectCode.SIGNER_IDENTIFIER, what, 0, "RFC 5652 5.3"))
        named = able
    if not named:
        raise VerificationError(
            Reason.NO_SIGNING_CERTIFICATE_FOUND, "the list carries no certificate that SignerInfo names"
        )
    signer, departures = named[0]
    defects.extend(departures)
    return signer


def _verify_time(path: CertificatePath, signing_time: datetime | None, now: datetime) -> None:
    """The signer is valid now, or was when it signed: lists outlive the certificates of their signers.

    The pinned anchor's own end is not asked: the operator pinned it, and unpins it.
    """
    if signing_time is not None and signing_time > now:
        raise VerificationError(Reason.NOT_YET_VALID, f"the list says that it was signed on {signing_time:%Y-%m-%d}")
    for certificate in (path.signer, *(item.certificate for item in path.authorities[:-1])):
        verify_validity(certificate, now if signing_time is None else signing_time, "the signer of the list")


def _verify_unrevoked(path: CertificatePath, trust: TrustStore, now: datetime) -> None:
    """No CRL that is at hand names the signer or a link; having none says nothing here, for the anchor is pinned."""
    subjects = (path.signer, *(item.certificate for item in path.authorities[:-1]))
    for certificate, issuer in zip(subjects, path.authorities, strict=True):
        for crls in trust.crls_covering(issuer, now):
            if any(certificate.serial in crl.revoked for crl in crls):
                raise VerificationError(Reason.REVOKED, "the signer of the list is revoked", clause="RFC 5280 6.3")
