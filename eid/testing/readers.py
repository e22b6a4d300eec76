"""Virtual readers for tests: cards are put into the next free slot, and each reader is shown to hold its own card."""

from __future__ import annotations

from dataclasses import dataclass, field

from eid.errors import LifecycleError
from eid.testing.specimen import SpecimenCard
from eid.transport.pcsc import PcscConnection, open_reader
from eid.transport.pcscd import PcscHost
from eid.transport.reactive_card import ReactiveCard
from eid.transport.virtual_reader import VirtualReader


@dataclass(frozen=True, slots=True)
class InsertedCard:
    """A card in a reader. name: the reader's name in PC/SC, for whatever program is under test."""

    card: SpecimenCard
    slot: VirtualReader = field(repr=False)

    @property
    def name(self) -> str:
        """The reader's name in PC/SC."""
        return self.slot.name

    def connect(self) -> PcscConnection:
        """A PC/SC connection to the card, to be closed by the caller."""
        return open_reader(self.name)

    def remove(self) -> None:
        """Pull the card out."""
        self.slot.remove()


class VirtualReaders:
    """The readers of one private PC/SC service.

    Args:
        host: the service, which outlives this object's use.
    """

    def __init__(self, host: PcscHost) -> None:
        self._free = list(host.readers)
        self._taken: list[VirtualReader] = []

    def insert(self, card: SpecimenCard, wrapped: ReactiveCard | None = None) -> InsertedCard:
        """Put a card into the next free reader and return when PC/SC reports it.

        Args:
            wrapped: the same card inside a wrapper, e.g. `FaultyCard(card.card, ...)`.

        Raises:
            LifecycleError: every reader holds a card. ReaderUnavailableError: PC/SC does not report the card.
        """
        if not self._free:
            raise LifecycleError(f"all {len(self._taken)} virtual readers hold a card; see eid_pcsc_readers")
        slot = self._free.pop(0)
        self._taken.append(slot)
        slot.insert(card.card if wrapped is None else wrapped)
        return InsertedCard(card, slot)

    def remove_all(self) -> None:
        """Pull every card out."""
        while self._taken:
            slot = self._taken.pop()
            slot.remove()
            self._free.insert(0, slot)
