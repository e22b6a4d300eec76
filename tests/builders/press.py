"""A press: store, blanks and authority, on which the production orders of a counter become virtual cards."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from eid.card import VirtualCard
from eid.profile.loader import load_profile
from eid.protocols.exchange import Connection
from eid.services.card import card_writing, production, stock
from eid.services.card.card_writing import Line
from eid.services.card.delivery import CollectorCheck, Comparison, Relation
from eid.services.issuing.issuance import IssuedCard
from eid.services.pki.authority import IssuingAuthority
from eid.store.production_orders import ProductionOrder
from eid.store.stock import Store
from eid.transport.loopback import LoopbackConnection
from tests.builders.applicants import DOCUMENT
from tests.builders.counter import CLOCK, MAKER, Counter
from tests.builders.issuance import blank_card

PROFILE = "ma-cnie"
_serials = count(1)


@dataclass
class Press:
    """Where cards are made."""

    counter: Counter
    line: Line
    store: Store
    blanks: dict[str, VirtualCard] = field(default_factory=dict)

    @property
    def engine(self) -> Any:
        return self.counter.engine

    def reserve(self, order: ProductionOrder) -> ProductionOrder:
        return production.reserve(self.engine, order.id, self.store.id, MAKER, CLOCK)

    def card(self, order: ProductionOrder) -> VirtualCard:
        """The blank that is reserved for an order."""
        assert order.serial is not None
        return self.blanks[order.serial]

    def write(
        self, order: ProductionOrder, link: Connection | None = None
    ) -> tuple[ProductionOrder, IssuedCard | None]:
        connection = link or LoopbackConnection(self.card(order))
        return card_writing.write(self.line, order.id, connection, "test reader", MAKER)

    def make(self, order: ProductionOrder) -> ProductionOrder:
        """The order's card, written and found good."""
        written, _ = self.write(self.reserve(order))
        return production.inspect_card(self.engine, written.id, MAKER, CLOCK)

    def check(self, order: ProductionOrder, **changes: Any) -> CollectorCheck:
        assert order.sod_hash is not None
        told = {
            "relation": Relation.HOLDER,
            "comparison": Comparison.PORTRAIT,
            "personal_number": DOCUMENT["personal_number"],
            "sod_hash": order.sod_hash,
        }
        return CollectorCheck(**(told | changes))


def build_press(counter: Counter, authority: IssuingAuthority, blanks: int = 3) -> Press:
    loaded = load_profile(PROFILE)
    store = stock.open_store(counter.engine, "Press", MAKER, CLOCK)
    cards = {
        number.to_bytes(10, "big").hex().upper(): blank_card(loaded.profile, number.to_bytes(10, "big"))
        for number, _ in zip(_serials, range(blanks), strict=False)
    }
    stock.receive_batch(counter.engine, store.id, "B-1", PROFILE, cards, MAKER, CLOCK)
    line = Line(counter.engine, counter.blobs, authority, loaded, store.id, lambda: CLOCK)
    return Press(counter, line, store, cards)
