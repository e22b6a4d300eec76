"""The status lists of a country: built from the register, signed as JWT and as CWT, and kept.

The register holds a row for each card that is not valid; a row of a valid card would not be read (the index is by list
and state), so it is left out here. Places are drawn at random in lists of 2**20 places that are three quarters full, as
`eid.store.status_places` fills them. The floor is the entropy of the choice: no code can be shorter in the mean.

Usage: bench_status_lists.py [--cards N] [--revoked SHARE] [--suspended SHARE]
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from _measure import judge
from sqlalchemy import Engine, insert

from eid.pki.status_token import TokenForm, verify_status_token
from eid.pki.trust_store import build_trust_store
from eid.services.card.status_lists import StatusSigner, find_publication, publish
from eid.store.audit import bucket_of
from eid.store.card_tables import card, status_list
from eid.store.database import open_database
from eid.store.schema_version import upgrade
from tests.builders.status import key_signer, status_publisher

CARDS, REVOKED, SUSPENDED = 40_000_000, 0.02, 0.0
PLACES, FULL = 1 << 20, 0.75
SERIES = "https://status.example.org/1"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MAX_SECONDS, MAX_OCTETS = 60, 2_000_000
AT_ONCE = 20_000
LOOK_UPS = 1_000_000


def list_uris(cards: int) -> list[str]:
    count = math.ceil(cards / (PLACES * FULL))
    return [SERIES if number == 1 else f"{SERIES}-{number}" for number in range(1, count + 1)]


def rows(uri: str, revoked: int, suspended: int, draw: random.Random) -> Iterator[dict[str, object]]:
    places = draw.sample(range(PLACES), revoked + suspended)
    for number, place in enumerate(places):
        identifier = uuid.UUID(int=draw.getrandbits(128))
        yield {
            "bucket": bucket_of(identifier),
            "id": identifier,
            "state": "REVOKED" if number < revoked else "SUSPENDED",
            "version": 5,
            "status_uri": uri,
            "status_place": place,
            "ordered_at": NOW,
            "changed_at": NOW,
        }


def fill(engine: Engine, cards: int, revoked: float, suspended: float) -> None:
    uris, draw = list_uris(cards), random.Random(1)
    each = cards / len(uris)
    with engine.begin() as connection:
        for number, uri in enumerate(uris, 1):
            connection.execute(insert(status_list).values(uri=uri, series=SERIES, number=number, size=PLACES))
    for uri in uris:
        made = list(rows(uri, round(each * revoked), round(each * suspended), draw))
        with engine.begin() as connection:
            for start in range(0, len(made), AT_ONCE):
                connection.execute(insert(card), made[start : start + AT_ONCE])


def entropy(shares: list[float]) -> float:
    """Bits of each place."""
    return -sum(share * math.log2(share) for share in (*shares, 1 - sum(shares)) if share)


def measure(engine: Engine, cards: int, revoked: float, suspended: float) -> None:
    begun = time.perf_counter()
    fill(engine, cards, revoked, suspended)
    print(f"the register's rows made in {time.perf_counter() - begun:.0f} s, not counted")
    owner = status_publisher()
    signer = StatusSigner(key_signer(owner.publisher.key), owner.publisher.certificate)
    begun, used = time.perf_counter(), time.process_time()
    done = publish(engine, signer, NOW)
    seconds, processor = time.perf_counter() - begun, time.process_time() - used
    totals = {form.name: sum(item.octets[form.name] for item in done) for form in TokenForm}
    places = len(done) * PLACES
    shares = [cards * share / places for share in (revoked, suspended)]
    floor = round(entropy(shares) * places / 8)
    told = f"{cards:,} cards, {revoked:.1%} revoked, {suspended:.1%} suspended: {len(done)} lists, {places:,} places"
    print(f"\n{told}\n")
    print("| | | target |\n|---|---|---|")
    print(f"| built, signed, kept, both forms | {seconds:.1f} s ({processor:.1f} s of processor) |", end=" ")
    print(f"{judge(seconds, at_most=MAX_SECONDS)} |")
    for name, octets in totals.items():
        print(f"| all lists as {name} | {octets:,} octets | {judge(octets, at_most=MAX_OCTETS)} |")
    print(f"| floor: entropy of the statuses | {floor:,} octets | |")
    print(f"| one list, as CWT | {max(item.octets['CWT'] for item in done):,} octets | |")
    trust = build_trust_store([owner.publisher.csca])
    raw = find_publication(engine, "1", TokenForm.CWT).token
    begun = time.process_time()
    found = verify_status_token(raw, trust, now=NOW + timedelta(minutes=1))
    print(f"| one list verified and unpacked | {1000 * (time.process_time() - begun):.1f} ms | |")
    statuses, indices = found.claims.statuses, [random.randrange(PLACES) for _ in range(1000)]
    begun = time.process_time()
    for _ in range(LOOK_UPS // len(indices)):
        for index in indices:
            statuses.status(index)
    print(f"| look-ups in memory | {LOOK_UPS / (time.process_time() - begun):,.0f}/s | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=int, default=CARDS)
    parser.add_argument("--revoked", type=float, default=REVOKED)
    parser.add_argument("--suspended", type=float, default=SUSPENDED)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/eid.db")
        upgrade(engine)
        measure(engine, given.cards, given.revoked, given.suspended)
        engine.dispose()


if __name__ == "__main__":
    main()
