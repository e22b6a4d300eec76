"""Certificate paths for second opinions: what a trust store may meet, good and bad. SPECIMEN."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from eid.codec import der
from eid.codec import extension_builders as build
from eid.codec.crl import RevokedCertificate, encode_crl, encode_tbs_crl
from eid.codec.extensions import Extension, KeyUsage
from eid.codec.name import encode_name
from tests.builders import issuer
from tests.builders.matrix import CURVE_NAMES, HASH_NAMES, make_key

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
LINK_NAME = encode_name((("C", "UT"), ("O", "SPECIMEN"), ("CN", "SPECIMEN CSCA 2")))
UNKNOWN = Extension("1.3.6.1.4.1.99999.1", True, der.encode_null())


@dataclass(frozen=True)
class PathCase:
    """A document signer, what stands above it, and lists. anchors: trusted; links: at hand."""

    name: str
    signer: bytes
    anchors: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    links: tuple[bytes, ...] = ()
    time: datetime = field(default=NOW)

    def __str__(self) -> str:
        return self.name


def crl(
    key: issuer.Key,
    *,
    this_update: datetime = NOW - DAY,
    next_update: datetime = NOW + 30 * DAY,
    serials: Sequence[int] = (),
    name: bytes = issuer.CSCA_NAME,
    explicit: bool = False,
    extensions: Sequence[Extension] = (),
) -> bytes:
    identifier = build.authority_key_identifier(key.key_identifier(explicit))
    tbs = encode_tbs_crl(
        signature_algorithm=key.algorithm,
        issuer=name,
        this_update=this_update,
        next_update=next_update,
        revoked=[RevokedCertificate(serial, NOW - 9 * DAY, 1) for serial in serials],
        extensions=(identifier, build.crl_number(7), *extensions),
    )
    return encode_crl(tbs, key.algorithm, key.sign(tbs))


SERIAL = 0x5A01
CSCA = make_key("csca", "P-384", "sha384")
SIGNER = make_key("ds", "P-256", "sha256")


def anchor(key: issuer.Key = CSCA, *extensions: Extension, explicit: bool = False) -> bytes:
    given = extensions or issuer.csca_extensions(key, explicit)
    return issuer.certificate(key, key, given, subject=issuer.CSCA_NAME, explicit=explicit, serial=1)


def leaf(
    by: issuer.Key = CSCA,
    key: issuer.Key = SIGNER,
    *,
    extensions: Callable[[list[Extension]], Sequence[Extension]] = lambda kept: kept,
    explicit: bool = False,
    name: bytes = issuer.CSCA_NAME,
    serial: int = SERIAL,
    not_before: datetime = NOW - 100 * DAY,
    not_after: datetime = NOW + 100 * DAY,
) -> bytes:
    # The private key usage period and the document types are known to documents only.
    kept = [item for item in issuer.ds_extensions(by, key, explicit) if not item.oid.startswith("2.23.136")]
    return issuer.certificate(
        by,
        key,
        extensions(kept),
        issuer=name,
        explicit=explicit,
        serial=serial,
        not_before=not_before,
        not_after=not_after,
    )


def simple(name: str, signer: bytes | None = None, **given: object) -> PathCase:
    values = {"signer": leaf() if signer is None else signer, "anchors": (anchor(),), "crls": (crl(CSCA),), **given}
    return PathCase(name, **values)  # type: ignore[arg-type]  # by name, as the caller has them


def without(*oids: str) -> Callable[[list[Extension]], list[Extension]]:
    return lambda kept: [item for item in kept if item.oid not in oids]


def cases() -> Iterator[PathCase]:
    """Every case, by a name of its own."""
    yield simple("genuine")
    yield from algorithms()
    yield from times()
    yield from lists()
    yield from constraints()
    yield from links()


def algorithms() -> Iterator[PathCase]:
    for explicit in (False, True):
        for number, curve in enumerate(CURVE_NAMES):
            key = make_key("csca", curve, HASH_NAMES[1 + number % 4])
            signer = leaf(key, make_key("ds", curve, "sha256"), explicit=explicit)
            form = "explicit" if explicit else "named"
            lists = (crl(key, explicit=explicit),)
            yield PathCase(f"{curve} {form}", signer, (anchor(key, explicit=explicit),), lists)
    for name in ("rsa", "pss:32", "pss:0", "pss:64"):
        key = make_key("csca", name, "sha256")
        yield PathCase(name, leaf(key, make_key("ds", name, "sha256")), (anchor(key),), (crl(key),))
    old = make_key("csca", "P-256", "sha1")
    yield PathCase("SHA-1", leaf(old), (anchor(old),), (crl(old),))


def times() -> Iterator[PathCase]:
    yield simple("expired signer", leaf(not_after=NOW - DAY))
    yield simple("signer not valid yet", leaf(not_before=NOW + DAY))
    yield simple("expired CSCA", time=issuer.NOT_AFTER + DAY, signer=leaf(not_after=issuer.NOT_AFTER + 9 * DAY))
    yield simple("judged as of last month", time=NOW - 30 * DAY)


def lists() -> Iterator[PathCase]:
    other = make_key("other", "P-384", "sha384")
    yield simple("revoked", crls=(crl(CSCA, serials=[SERIAL]),))
    yield simple("no CRL", crls=())
    yield simple("stale CRL", crls=(crl(CSCA, next_update=NOW - DAY, this_update=NOW - 40 * DAY),))
    yield simple(
        "stale CRL that revokes", crls=(crl(CSCA, next_update=NOW - DAY, this_update=NOW - 40 * DAY, serials=[SERIAL]),)
    )
    yield simple("CRL by another key", crls=(crl(other),))
    later = issuer.certificate(other, other, issuer.csca_extensions(other, False), subject=issuer.CSCA_NAME, serial=2)
    both = (anchor(), later)
    yield simple("CRL by a later key of the name", anchors=both, crls=(crl(other),))
    yield simple("revoked by a later key of the name", anchors=both, crls=(crl(other, serials=[SERIAL]),))
    yield simple("CRLs by both keys, one revokes", anchors=both, crls=(crl(CSCA), crl(other, serials=[SERIAL])))
    yield simple("CRL by the signer", crls=(crl(SIGNER),))
    yield simple("CRL with an unknown critical extension", crls=(crl(CSCA, extensions=(UNKNOWN,)),))
    yield simple("revoked and clean CRL", crls=(crl(CSCA, serials=[SERIAL]), crl(CSCA)))
    yield simple("CRL of an authority that may sign none", anchors=(anchor(CSCA, *authority(KeyUsage.KEY_CERT_SIGN)),))


def authority(
    usage: KeyUsage | int | None, *more: Extension, is_ca: bool = True, length: int | None = 0
) -> list[Extension]:
    identifier = CSCA.key_identifier(False)
    made = [build.subject_key_identifier(identifier), build.authority_key_identifier(identifier)]
    if usage is not None:
        made.append(build.key_usage(KeyUsage(usage)))
    if is_ca:
        made.append(build.basic_constraints(True, length))
    return [*made, *more]


SIGNING = KeyUsage.KEY_CERT_SIGN | KeyUsage.CRL_SIGN


def constraints() -> Iterator[PathCase]:
    other = make_key("other", "P-384", "sha384")
    yield simple("unknown CSCA of the same name", anchors=(anchor(other),))
    altered = leaf()
    yield simple("altered signature", altered[:-1] + bytes((altered[-1] ^ 1,)))
    yield simple("CSCA without basic constraints", anchors=(anchor(CSCA, *authority(SIGNING, is_ca=False)),))
    yield simple("CSCA that may sign no certificates", anchors=(anchor(CSCA, *authority(KeyUsage.CRL_SIGN)),))
    yield simple("CSCA without key usage", anchors=(anchor(CSCA, *authority(None)),))
    yield simple("CSCA with an unknown critical extension", anchors=(anchor(CSCA, *authority(SIGNING, UNKNOWN)),))
    yield simple("signer with an unknown critical extension", leaf(extensions=lambda kept: [*kept, UNKNOWN]))
    yield simple("signer without key identifiers", leaf(extensions=without("2.5.29.35", "2.5.29.14")))
    yield simple("signer without key usage", leaf(extensions=without("2.5.29.15")))
    yield simple(
        "signer that may sign no documents",
        leaf(extensions=lambda kept: [*without("2.5.29.15")(kept), build.key_usage(KeyUsage.KEY_AGREEMENT)]),
    )
    yield simple(
        "signer of master lists",
        leaf(extensions=lambda kept: [*kept, build.extended_key_usage(("2.23.136.1.1.3",))]),
    )


def links() -> Iterator[PathCase]:
    """The key rolls over, under one name and under a new one; the store holds the old CSCA and the link."""
    new = make_key("new", "P-384", "sha384")
    for name, what in ((issuer.CSCA_NAME, "same name"), (LINK_NAME, "new name")):
        link = issuer.certificate(CSCA, new, _link_extensions(new), subject=name, explicit=False, serial=2)
        own = crl(new, name=name)
        signer = leaf(new, name=name)
        yield simple(f"link, {what}", signer, links=(link,), crls=(crl(CSCA), own))
        yield simple(f"revoked link, {what}", signer, links=(link,), crls=(crl(CSCA, serials=[2]), own))
    told = [*_link_extensions(new), build.name_change()]
    link = issuer.certificate(CSCA, new, told, subject=LINK_NAME, explicit=False, serial=2)
    both = (crl(CSCA), crl(new, name=LINK_NAME))
    yield simple("link that says NameChange", leaf(new, name=LINK_NAME), links=(link,), crls=both)
    mine = make_key("mine", "P-384", "sha384")
    below = issuer.certificate(CSCA, mine, _link_extensions(mine), subject=issuer.DS_NAME, explicit=False, serial=3)
    signer = leaf(mine, name=issuer.DS_NAME)
    yield simple(
        "authority below a CSCA of path length 0",
        signer,
        links=(below,),
        crls=(crl(CSCA), crl(mine, name=issuer.DS_NAME)),
    )


def _link_extensions(key: issuer.Key) -> list[Extension]:
    return [
        build.subject_key_identifier(key.key_identifier(False)),
        build.authority_key_identifier(CSCA.key_identifier(False)),
        build.key_usage(KeyUsage(SIGNING)),
        build.basic_constraints(True, 0),
    ]
