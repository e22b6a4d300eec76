"""Status lists published from the register, kept, written out; fetched, kept and asked by relying parties."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from eid.enrolment.card_status import RevocationCause, SuspensionCause
from eid.errors import GatewayError, LifecycleError, NotStoredError
from eid.gateways.http import Location
from eid.pki.status_token import TokenForm, verify_status_token
from eid.pki.trust_store import build_trust_store
from eid.services.card.cards import Register
from eid.services.card.status_lists import (
    INDEX,
    PublicationTerms,
    StatusSigner,
    find_publication,
    list_all,
    publish,
    write_publications,
)
from eid.services.verifying.status_shelf import (
    CONTRADICTION,
    StatusShelf,
    fetch_status_lists,
    find_files,
    keep_list,
    known_uris,
    load_status_lists,
    shelf_of,
)
from eid.store.cards import read_lists
from eid.store.database import in_transaction
from tests.builders.cards import AGENT, CHIEF, NOW, SERIES, active_card, card_in_stock, personalised_job
from tests.builders.status import key_signer, status_publisher

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
OWNER = status_publisher()
SIGNER = StatusSigner(key_signer(OWNER.publisher.key), OWNER.publisher.certificate)
TRUST = build_trust_store([OWNER.publisher.csca])
OTHER = "https://status.example.org/2"


def statuses(engine: Engine, form: TokenForm = TokenForm.CWT, at=None, now=NOW) -> dict[int, int]:
    found = verify_status_token(find_publication(engine, "1", form, at).token, TRUST, now=now, uri=SERIES).claims
    listed = ((place, found.statuses.status(place)) for place in range(found.statuses.size))
    return {place: status for place, status in listed if status}


@pytest.mark.both_databases
def test_a_publication_says_what_the_register_says(any_database: Engine) -> None:
    register = Register(any_database)
    lost, stolen = active_card(any_database, "SPM00002", 2), active_card(any_database, "SPM00003", 3)
    active_card(any_database, "SPM00001", 1)
    card_in_stock(any_database, "SPM00004", 4)
    register.suspend(lost.id, SuspensionCause.LOST, AGENT, NOW)
    register.revoke(stolen.id, RevocationCause.STOLEN, CHIEF, NOW)
    for place, state in ((5, "PLANNED"), (6, "RUNNING"), (7, "FAILED"), (8, "SPOILED"), (9, "SUCCEEDED")):
        in_transaction(any_database, lambda c, p=place, s=state: personalised_job(c, f"SPM0001{p}", p, state=s))
    (done,) = publish(any_database, SIGNER, NOW + HOUR, aggregation_uri="https://status.example.org/")
    # 9 was issued without an application and is in nobody's register: it is as valid as it left the printer
    expected = {2: 2, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1}
    for form in TokenForm:
        assert statuses(any_database, form, now=NOW + HOUR) == expected
    assert (done.uri, done.size, done.invalid, done.suspended) == (SERIES, 64, 6, 1)
    found = find_publication(any_database, "1", TokenForm.JWT)
    claims = verify_status_token(found.token, TRUST, now=NOW + HOUR).claims
    assert (claims.issued_at, claims.expires_at, claims.ttl) == (NOW + HOUR, NOW + 25 * HOUR, 900)
    assert (claims.aggregation_uri, len(found.token)) == ("https://status.example.org/", done.octets["JWT"])
    assert list_all(any_database) == (SERIES,)


def test_a_list_is_published_when_it_is_due(any_database: Engine) -> None:
    assert publish(any_database, SIGNER, NOW) == ()
    card = active_card(any_database)
    due = lambda moment: len(publish(any_database, SIGNER, moment, due_only=True))  # noqa: E731
    assert (due(NOW + SECOND), due(NOW + 2 * SECOND)) == (1, 0)
    Register(any_database).suspend(card.id, SuspensionCause.LOST, AGENT, NOW + 3 * SECOND)
    assert (due(NOW + 3 * SECOND), due(NOW + 4 * SECOND)) == (1, 1)  # the second may have gone on after the first
    assert statuses(any_database) == {7: 2}
    assert (due(NOW + timedelta(minutes=9)), due(NOW + timedelta(minutes=11))) == (0, 1)
    later = NOW + timedelta(minutes=11)
    assert publish(any_database, SIGNER, later) == ()  # at most once in a second
    assert publish(any_database, SIGNER, later - HOUR) == ()  # never before one that is there
    assert len(publish(any_database, SIGNER, later + SECOND)) == 1


def test_what_was_published_answers_for_its_time(any_database: Engine) -> None:
    card = active_card(any_database)
    terms = PublicationTerms(validity=2 * HOUR, history=timedelta(days=1))
    publish(any_database, SIGNER, NOW, terms=terms)
    Register(any_database).suspend(card.id, SuspensionCause.LOST, AGENT, NOW + HOUR)
    publish(any_database, SIGNER, NOW + HOUR, terms=terms)
    after = NOW + HOUR
    assert statuses(any_database, at=after - SECOND, now=after) == {}
    assert statuses(any_database, at=after, now=after) == {7: 2} == statuses(any_database, now=after)
    for moment in (NOW - SECOND, NOW + 3 * HOUR):
        with pytest.raises(NotStoredError, match="of that time"):
            find_publication(any_database, "1", TokenForm.CWT, moment)
    publish(any_database, SIGNER, NOW + timedelta(days=2), terms=terms)
    with pytest.raises(NotStoredError):
        find_publication(any_database, "1", TokenForm.CWT, NOW + SECOND)
    with pytest.raises(NotStoredError, match="no such status list"):
        find_publication(any_database, "2", TokenForm.CWT)


def test_every_list_of_a_series_is_published(any_database: Engine) -> None:
    for number in range(3):
        in_transaction(any_database, lambda c, n=number: personalised_job(c, f"SPM0000{n}", n, size=2))
    with any_database.connect() as connection:
        lists = [(item.uri, item.size) for item in read_lists(connection)]
    assert lists == [(SERIES, 2), (f"{SERIES}-2", 2)]
    assert [item.uri for item in publish(any_database, SIGNER, NOW)] == [SERIES, f"{SERIES}-2"]
    found = verify_status_token(find_publication(any_database, "1-2", TokenForm.JWT).token, TRUST, now=NOW)
    assert (found.claims.uri, found.claims.statuses.size) == (f"{SERIES}-2", 4)  # whole octets


def test_files_for_a_web_server(any_database: Engine, tmp_path: Path) -> None:
    active_card(any_database)
    publish(any_database, SIGNER, NOW)
    written = write_publications(any_database, tmp_path)
    assert sorted(path.name for path in written) == ["1.cwt", "1.jwt", INDEX]
    assert json.loads((tmp_path / INDEX).read_bytes()) == {"status_lists": [SERIES]}
    lists, refused = load_status_lists([tmp_path / "1.cwt", tmp_path / "1.jwt", tmp_path / INDEX], TRUST, NOW)
    assert ([item.claims.uri for item in lists.all], [item.path.name for item in refused]) == ([SERIES], [INDEX])


# --- relying parties


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "trust.toml").write_text(
        'format = "eid-trust-policy"\nversion = 1\n[fetch]\nhosts = ["status.example.org"]\n'
    )
    return tmp_path


def web(pages: dict[str, bytes]):
    def get(location: Location) -> bytes:
        assert (location.scheme, location.host) == ("https", "status.example.org")
        if location.target not in pages:
            raise GatewayError("status.example.org answered with status 404")
        return pages[location.target]

    return get


def test_lists_are_fetched_and_kept(store: Path) -> None:
    moment = NOW + 2 * HOUR
    first, second = OWNER.sign([(7, 1)]), OWNER.sign([(8, 2)], TokenForm.JWT, uri=OTHER)
    stranger = status_publisher().sign((), uri=f"{SERIES}-9")
    pages = {"/1": first, "/2": second, "/1-9": stranger, "/1-8": first}
    fetch = lambda *uris: fetch_status_lists(store, uris, TRUST, moment, fetch_file=web(pages))  # noqa: E731
    with pytest.raises(LifecycleError, match="none is at hand"):
        fetch()
    with pytest.raises(LifecycleError, match="not among"):
        fetch("https://elsewhere.example/1")
    found = fetch(SERIES, OTHER, f"{SERIES}-7", f"{SERIES}-8", f"{SERIES}-9")
    assert [bool(item.failure) for item in found] == [False, False, True, True, True]
    assert [item.failure.split(":")[0] for item in found[2:]] == [
        "status.example.org answered with status 404",
        "ISSUER_MISMATCH",
        "NO_CERTIFICATE_CHAIN_FOUND",
    ]
    assert known_uris(shelf_of(store)) == {SERIES, OTHER}
    pages["/1"] = OWNER.sign([(7, 1), (9, 1)], issued_at=NOW + HOUR)
    assert [item.uri for item in fetch()] == [SERIES, OTHER]  # what is at hand, anew
    lists, refused = load_status_lists(find_files(shelf_of(store)), TRUST, moment)
    assert refused == ()
    found = lists.find(SERIES, "UT")
    assert found is not None
    assert found.status(9) == 1
    pages["/1"] = first  # what a server said before does not come back
    assert [bool(item.failure) for item in fetch()] == [True, False]
    pages["/1"] = OWNER.sign([(7, 1)], issued_at=NOW + HOUR)
    assert [item.failure for item in fetch(SERIES)] == [CONTRADICTION]
    assert len(find_files(shelf_of(store))) == 3


def kept(shelf: Path, moment=NOW, trust=TRUST) -> list[tuple[str, int, int | None]]:
    """What lies on a shelf: state, the hour that it is of, and the status of place 7; and no other files."""
    lists, refused = load_status_lists(find_files(shelf), trust, moment)
    assert (refused, len(lists.all)) == ((), len(find_files(shelf)))
    return [(item.country, (item.claims.issued_at - NOW) // HOUR, item.claims.statuses.status(7)) for item in lists.all]


def test_a_list_on_the_shelf_never_goes_back(tmp_path: Path) -> None:
    shelf, keep = tmp_path / "status", lambda raw: keep_list(tmp_path / "status", raw, TRUST, NOW).contradicts
    assert not keep(OWNER.sign([(7, 2)], issued_at=NOW - 2 * HOUR))
    assert kept(shelf) == [("UT", -2, 2)]
    assert not keep(OWNER.sign((), issued_at=NOW - HOUR))
    (at_hand,) = find_files(shelf)
    assert not keep(OWNER.sign((), TokenForm.JWT, issued_at=NOW - HOUR))  # the other form of the same publication
    assert [at_hand] == list(find_files(shelf))
    with pytest.raises(LifecycleError, match="is at hand"):
        keep(OWNER.sign([(7, 2)], issued_at=NOW - 2 * HOUR))
    assert kept(shelf) == [("UT", -1, 0)]


def test_lists_that_contradict_each_other_are_kept_until_a_younger_one_comes(tmp_path: Path) -> None:
    keep = lambda raw: keep_list(tmp_path, raw, TRUST, NOW).contradicts  # noqa: E731
    first, second = (OWNER.sign([(7, status)], issued_at=NOW - HOUR) for status in (0, 1))
    assert [keep(first), keep(second), keep(first)] == [False, True, True]
    assert sorted(kept(tmp_path)) == [("UT", -1, 0), ("UT", -1, 1)]
    assert not keep(OWNER.sign((), issued_at=NOW))
    assert kept(tmp_path) == [("UT", 0, 0)]


def test_another_states_list_of_the_same_address_takes_no_place(tmp_path: Path) -> None:
    foreign = status_publisher("FI")
    trust = build_trust_store([OWNER.publisher.csca, foreign.publisher.csca])
    for raw in (OWNER.sign((), issued_at=NOW - HOUR), foreign.sign([(7, 1)], issued_at=NOW)):
        assert not keep_list(tmp_path, raw, trust, NOW).contradicts
    assert kept(tmp_path, trust=trust) == [("FI", 0, 1), ("UT", -1, 0)]


def test_a_file_that_counts_no_longer_makes_room(tmp_path: Path) -> None:
    stranger = status_publisher()
    keep_list(tmp_path, stranger.sign([(7, 1)], issued_at=NOW), build_trust_store([stranger.publisher.csca]), NOW)
    keep_list(tmp_path, OWNER.sign((), issued_at=NOW - HOUR), TRUST, NOW)
    assert kept(tmp_path) == [("UT", -1, 0)]


def test_a_service_sees_new_files(store: Path) -> None:
    shelf = StatusShelf(shelf_of(store), TRUST)
    uris = lambda moment: [item.claims.uri for item in shelf.lists(moment).all]  # noqa: E731
    assert uris(NOW) == []
    keep_list(shelf_of(store), OWNER.sign([(7, 1)], issued_at=NOW), TRUST, NOW)
    assert uris(NOW + SECOND) == []  # it looks every ten seconds
    held = shelf.lists(NOW + 11 * SECOND)
    assert [item.claims.uri for item in held.all] == [SERIES]
    assert shelf.lists(NOW + 22 * SECOND) is held  # nothing has changed, nothing is verified again
    assert shelf.lists(NOW + 2 * HOUR) is not held  # but every hour
    (shelf_of(store) / "junk.status").write_bytes(b"nothing")
    assert uris(NOW + 3 * HOUR) == [SERIES]
    assert known_uris(shelf_of(store)) == {SERIES}
    (shelf_of(store) / "junk.status").unlink()
    keep_list(shelf_of(store), OWNER.sign((), uri=OTHER, issued_at=NOW + 4 * HOUR), TRUST, NOW + 4 * HOUR)
    assert uris(NOW + 3 * HOUR + 11 * SECOND) == [SERIES]  # of a time to come
    assert uris(NOW + 4 * HOUR) == [SERIES, OTHER]
    assert uris(NOW) == [SERIES]  # a clock that was set back does not blind it
