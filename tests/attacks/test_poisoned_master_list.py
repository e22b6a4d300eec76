"""Master lists that somebody tampered with, replaced, or signed without the right to (threat 8): each is refused whole,
for its own reason, and what was trusted before stays what it was.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from eid.codec import der, oid
from eid.errors import DecodeError, EidError, LifecycleError, Reason, VerificationError
from eid.pki.master_list import encode_master_list
from eid.pki.signed_list import verify_master_list
from eid.services.trust import decisions
from eid.services.trust.files import load_trust_store
from eid.services.trust.imports import import_trust
from eid.services.trust.views import list_trust
from tests.builders import issuer as made
from tests.builders import trust_lists as lists

NOW = lists.SIGNED_AT + timedelta(days=30)


@pytest.fixture(scope="module")
def owner() -> lists.Publisher:
    return lists.publisher("UT")


@pytest.fixture(scope="module")
def genuine() -> tuple[bytes, ...]:
    return tuple(lists.sound(3))


@pytest.fixture(scope="module")
def stranger() -> bytes:
    """A CSCA "of Morocco" that Morocco knows nothing of."""
    return lists.state_csca(made.ec_key(), "MA", serial=666)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, owner: lists.Publisher, genuine: tuple[bytes, ...]) -> Path:
    """A store that trusts a genuine list already."""
    directory = tmp_path_factory.mktemp("template") / "store"
    pin(directory, owner)
    take(directory, owner.master_list(genuine))
    return directory


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "store"))


def pin(directory: Path, publisher: lists.Publisher) -> None:
    (item,) = take(directory, publisher.csca)
    decisions.pin_anchors(directory, [item.fingerprint], NOW)


def take(directory: Path, raw: bytes, *, unsigned: bool = False):
    path = directory.parent / "list"
    path.write_bytes(raw)
    return import_trust(directory, [path], unsigned=unsigned, now=NOW).items


def refused(directory: Path, raw: bytes) -> EidError:
    """The refusal; the store is as it was before."""
    before = load_trust_store(directory).digest
    with pytest.raises(EidError) as caught:
        take(directory, raw)
    assert load_trust_store(directory).digest == before
    return caught.value


def reason(directory: Path, raw: bytes) -> Reason:
    error = refused(directory, raw)
    assert isinstance(error, VerificationError)
    return error.reason


def test_a_bit_in_any_place(owner: lists.Publisher, genuine: tuple[bytes, ...]) -> None:
    """A bit flipped anywhere: the list is refused, or what is taken from it is what was signed, to the octet.

    The second is so for the CSCA that came along, and for fields that nothing signs and nothing rests on; those are
    written down as departures.
    """
    raw = owner.master_list(genuine)
    start = raw.index(owner.csca)
    passenger = range(start, start + len(owner.csca))
    signed = range(raw.index(encode_master_list(genuine)), start)
    accepted = 0
    for place in (*range(60), *range(60, start, 41), *range(passenger.stop, len(raw), 3)):
        flipped = raw[:place] + bytes((raw[place] ^ 0x10,)) + raw[place + 1 :]
        try:
            found, content = verify_master_list(flipped, [owner.csca], now=NOW)
        except EidError:
            continue
        assert place not in signed
        assert sorted(content) == sorted(genuine)
        assert found.defects, place
        accepted += 1
    assert accepted < 60


def test_an_added_certificate(store: Path, owner: lists.Publisher, genuine: tuple[bytes, ...], stranger: bytes) -> None:
    """The content is another than was signed."""
    content = der.encode_octet_string(encode_master_list((*genuine, stranger)))
    changed = der.encode_sequence(der.encode_oid(oid.CSCA_MASTER_LIST), der.encode_explicit(0, content))

    def change(tag: int, part: bytes) -> bytes:
        return changed if tag == der.SEQUENCE else part

    assert reason(store, rebuilt(owner.master_list(genuine), change)) is Reason.SIG_CRYPTO_FAILURE


def rebuilt(raw: bytes, change: Callable[[int, bytes], bytes]) -> bytes:
    """The SignedData with some of its elements changed, all lengths right."""
    offset, end = der.read_sequence(raw, "ContentInfo", len(raw))
    kind_end = der.enter(raw, offset, end, der.OBJECT_IDENTIFIER, "type")[1]
    inner, _ = der.enter(raw, kind_end, end, 0xA0, "content")
    start, stop = der.enter(raw, inner, end, der.SEQUENCE, "SignedData")
    parts = (change(tag, raw[at:behind]) for at, tag, _, behind in der.split(raw, start, stop, "SignedData"))
    return der.encode_sequence(raw[offset:kind_end], der.encode_explicit(0, der.encode_sequence(*parts)))


def test_another_content_type(store: Path, owner: lists.Publisher, genuine: tuple[bytes, ...]) -> None:
    """What the same signer signed as something else is no master list."""
    for content_type in (oid.LDS_SECURITY_OBJECT, "2.23.136.1.1.99"):
        raw = owner.sign(encode_master_list(genuine), content_type=content_type)
        assert reason(store, raw) is Reason.FORMAT_FAILURE


def test_trailing_octets(store: Path, owner: lists.Publisher, genuine: tuple[bytes, ...]) -> None:
    raw = owner.master_list(genuine)
    for tail in (b"\x00", b"\x05\x00", raw):
        assert isinstance(refused(store, raw + tail), DecodeError)
    content = encode_master_list(genuine)
    assert isinstance(refused(store, owner.sign(content + b"\x05\x00")), DecodeError)


def test_cut_off(store: Path, owner: lists.Publisher, genuine: tuple[bytes, ...]) -> None:
    raw = owner.master_list(genuine)
    for size in (len(raw) - 1, len(raw) // 2, 40, 20):
        assert isinstance(refused(store, raw[:size]), DecodeError)


def test_two_signers(store: Path, owner: lists.Publisher, genuine: tuple[bytes, ...]) -> None:
    """A second SignerInfo beside the genuine one: whose list is it?"""

    def double(tag: int, part: bytes) -> bytes:
        if tag != der.SET or len(part) < 100:  # the other SET holds the digest algorithm
            return part
        start, stop = der.enter(part, 0, len(part), der.SET, "signerInfos")
        return der.encode(der.SET, part[start:stop] * 2)

    error = refused(store, rebuilt(owner.master_list(genuine), double))
    assert isinstance(error, DecodeError)
    assert "more than one SignerInfo" in str(error)


def test_signed_by_a_state_that_nobody_pinned(store: Path, stranger: bytes) -> None:
    """Under the very name of the pinned state, and with its CSCA in tow."""
    for country in ("UT", "XX"):
        impostor = lists.publisher(country)
        assert reason(store, impostor.master_list([stranger])) is Reason.NO_CERTIFICATE_CHAIN_FOUND


def test_signed_by_a_state_that_is_trusted_but_not_pinned(store: Path, stranger: bytes) -> None:
    """A CSCA of a list is trusted for its documents, not for lists."""
    key = made.ec_key()
    other = lists.publisher("FI", csca_key=key, csca=lists.state_csca(key, "FI"))
    take(store, other.csca)
    assert other.csca in {item.raw for item in load_trust_store(store).anchors}
    assert reason(store, other.master_list([stranger])) is Reason.NO_CERTIFICATE_CHAIN_FOUND


@pytest.mark.parametrize(
    "purposes", [None, ("2.5.29.37.0",), (oid.DEVIATION_LIST_SIGNING_KEY,)], ids=["none", "any", "deviation lists"]
)
def test_signed_by_a_document_signer(
    tmp_path: Path, purposes: tuple[str, ...] | None, genuine: tuple[bytes, ...]
) -> None:
    """A key of the pinned state, for another purpose: a stolen document signer makes no authorities."""
    owner = lists.publisher("UT", purposes=purposes)
    directory = tmp_path / "store"
    pin(directory, owner)
    assert reason(directory, owner.master_list(genuine)) is Reason.CHAIN_CONSTRAINTS_FAILURE


def test_signed_by_a_revoked_signer(tmp_path: Path, genuine: tuple[bytes, ...]) -> None:
    """With an old date on it, too: whoever has the key writes the date."""
    owner = lists.publisher("UT", serial=77)
    directory = tmp_path / "store"
    pin(directory, owner)
    from eid.codec.crl import RevokedCertificate

    entry = RevokedCertificate(77, NOW - timedelta(days=1), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made, "CSCA_NAME", lists.state_name("UT"))
        crl = made.crl(owner.csca_key, [entry])
    (item,) = take(directory, crl)
    assert item.usable
    assert reason(directory, owner.master_list(genuine)) is Reason.REVOKED
    early = owner.master_list(genuine, signing_time=made.NOT_BEFORE + timedelta(days=1))
    assert reason(directory, early) is Reason.REVOKED


def test_dated_ahead(store: Path, owner: lists.Publisher, stranger: bytes) -> None:
    """A list from the future would keep every honest one out as older."""
    raw = owner.master_list([stranger], signing_time=NOW + timedelta(days=1))
    assert reason(store, raw) is Reason.NOT_YET_VALID


def test_an_old_list_played_again(store: Path, owner: lists.Publisher, stranger: bytes) -> None:
    raw = owner.master_list([stranger], signing_time=lists.SIGNED_AT - timedelta(days=1))
    assert isinstance(refused(store, raw), LifecycleError)


def test_a_stranger_among_known_ones_is_held(
    store: Path, owner: lists.Publisher, genuine: tuple[bytes, ...], stranger: bytes
) -> None:
    """A pinned signer itself adds a CSCA for another state: with a quorum it waits until somebody else knows it."""
    (store / "trust.toml").write_text('format = "eid-trust-policy"\nversion = 1\nquorum = 2\n')
    raw = owner.master_list((*genuine, stranger), signing_time=NOW)
    held = [item for item in take(store, raw) if item.is_held]
    assert [item.fingerprint for item in held] == [hashlib.sha256(stranger).hexdigest()]
    trust = load_trust_store(store)
    assert stranger not in {item.raw for item in trust.anchors}
    assert set(genuine) <= {item.raw for item in trust.anchors}


def test_nobody_vouches_for_what_is_broken(tmp_path: Path, genuine: tuple[bytes, ...]) -> None:
    """`--unsigned` waives the pin, not the signature."""
    owner = lists.publisher("UT")
    raw = bytearray(owner.master_list(genuine))
    raw[-1] ^= 1
    with pytest.raises(VerificationError) as caught:
        take(tmp_path / "store", bytes(raw), unsigned=True)
    assert caught.value.reason is Reason.SIG_CRYPTO_FAILURE
    assert list_trust(tmp_path / "store").certificates == ()


@pytest.mark.parametrize(
    "content",
    [
        lambda _: b"",
        lambda _: der.encode_sequence(b"\x02\x01\x00", b"\x31\x00"),
        lambda items: der.encode_sequence(b"\x02\x01\x01", der.encode_set_of(items)),
        lambda items: der.encode_sequence(b"\x02\x01\x00", der.encode(der.SEQUENCE, b"".join(items))),
        lambda items: der.encode_sequence(b"\x02\x01\x00", der.encode_set_of((*items, b"\x04\x00"))),
        lambda items: der.encode_sequence(b"\x02\x01\x00", der.encode(der.SET, b"\x30\x00" * 9000)),
    ],
    ids=["nothing", "empty", "version 1", "a sequence", "something else in it", "too many"],
)
def test_signed_nonsense(
    store: Path, owner: lists.Publisher, genuine: tuple[bytes, ...], content: Callable[..., bytes]
) -> None:
    assert isinstance(refused(store, owner.sign(content(genuine))), DecodeError)
