"""One attempt at one card: each checkpoint is made durable, and what earlier attempts settled stays settled.

A signature, a place in a status list, a day to believe in: what the card may hold already is never made a second time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, unique
from typing import Final

from eid.errors import LifecycleError
from eid.personalization.apply import Progress
from eid.personalization.open import IDENTIFY
from eid.protocols.exchange import Checkpoint, CheckpointSink
from eid.services.issuing.job_book import JobBook
from eid.store.journal import JobProgress

LOCK: Final = "lock the card"
SIGN: Final = "sign EF.SOD"
TRUST: Final = "choose trust points"
SIGN_CARD_SECURITY: Final = "sign EF.CardSecurity"
PLACE: Final = "allocate status place"
FOUND: Final = {"found": "done already"}


@unique
class Stage(Enum):
    """How far a card came before it was lost; the value says what that means for it."""

    UNTOUCHED = "Nothing was written to the card yet"
    WRITING = "The card is not operational and opens for nobody"
    LOCKING = "The card may be locked already, but it was not checked and is not registered: do not hand it out"


@dataclass(slots=True)
class Attempt:
    """A `CheckpointSink` that makes a fact durable, then tells whoever watches; it knows how far the card has come.

    Args:
        progress: what earlier attempts left in the journal. then: is told every checkpoint after it is durable.
    """

    book: JobBook
    progress: JobProgress
    then: CheckpointSink | None
    stage: Stage = field(init=False)
    _finished: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        known = self.known
        self.stage = Stage.UNTOUCHED
        if known.keys() - {IDENTIFY}:
            self.stage = Stage.LOCKING if LOCK in known else Stage.WRITING

    @property
    def known(self) -> Mapping[str, Progress]:
        """The steps of earlier attempts: those done, and the one for which only the card can answer."""
        known = dict.fromkeys(self.progress.results, Progress.DONE)
        if self.progress.unfinished is not None:
            known[self.progress.unfinished.step] = Progress.INTENT
        return known

    def record(self, checkpoint: Checkpoint) -> None:
        """Return only once the fact is durable."""
        if checkpoint.step == IDENTIFY:
            self.book.bind(checkpoint.detail["card_serial"])
        self.book.record(checkpoint)
        if checkpoint.phase == "intent" and self.stage is not Stage.LOCKING:
            self.stage = Stage.LOCKING if checkpoint.step == LOCK else Stage.WRITING
        elif checkpoint.phase == "result":
            self._finished.add(checkpoint.step)
        if self.then is not None:
            self.then.record(checkpoint)

    def close(self, step: str) -> None:
        """The card shows that a step was done whose result nobody could write down."""
        if self.known.get(step) is Progress.INTENT and step not in self._finished:
            self.record(Checkpoint(step, "result", FOUND))

    def settle(self, step: str, detail: dict[str, str]) -> dict[str, str]:
        """A fact of this job: what an earlier attempt settled, else this one from now on."""
        before = self.progress.results.get(step)
        if before is not None:
            return before
        self.record(Checkpoint(step, "intent", detail))
        self.record(Checkpoint(step, "result", detail))
        return detail

    def sign_once(
        self,
        step: str,
        names: tuple[str, str],
        content: bytes,
        sign: Callable[[bytes, datetime], bytes],
        now: Callable[[], datetime],
    ) -> bytes:
        """A signed file; a resumed job takes the one that it signed before, since the card may hold it already.

        Args:
            names: under which the journal keeps the content's digest and the file.

        Raises:
            LifecycleError: what was signed before is not what is to be written now.
        """
        digest_name, file_name = names
        digest = hashlib.sha256(content).hexdigest()
        before = self.progress.results.get(step)
        if before is not None:
            if before[digest_name] != digest:
                raise LifecycleError("the job was begun with another record: resume it with the same one")
            return bytes.fromhex(before[file_name])
        self.record(Checkpoint(step, "intent", {digest_name: digest}))
        signed = sign(content, now())
        self.record(Checkpoint(step, "result", {digest_name: digest, file_name: signed.hex()}))
        return signed
