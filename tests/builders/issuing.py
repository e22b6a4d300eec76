"""Issue specimen cards through the services: an authority on disk, a database, a card that can be pulled out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path

from sqlalchemy import Engine

from eid.card import VirtualCard
from eid.errors import CardRemovedError
from eid.identity import IdentityRecord
from eid.keystore.pkcs8 import ScryptCost
from eid.keystore.pkcs11 import Pkcs11KeyStore
from eid.keystore.software import SoftwareKeyStore
from eid.profile.loader import LoadedProfile, load_profile
from eid.protocols.exchange import Checkpoint
from eid.services.issuing.issuance import Issuance, begin
from eid.services.pki.authority import KEYS, IssuingAuthority, open_authority
from eid.services.pki.authority_creation import create_authority
from eid.testing.specimen import specimen_terminals
from eid.transport.loopback import LoopbackConnection
from tests.builders.databases import ready_sqlite
from tests.builders.issuance import NOW, blank_card, record_for

PASSPHRASE = b"open sesame"
CHEAP = ScryptCost(n=16)
_numbers = count(1)


def software_keys(directory: Path, passphrase: bytes | Callable[[], bytes] = PASSPHRASE) -> SoftwareKeyStore:
    directory.mkdir(parents=True, exist_ok=True)
    return SoftwareKeyStore(directory / KEYS, passphrase, cost=CHEAP)


def make_authority(directory: Path, profile: str = "ma-cnie", now: datetime = NOW) -> IssuingAuthority:
    return create_authority(directory, profile, software_keys(directory), now)


def reopen(directory: Path, passphrase: bytes = PASSPHRASE) -> IssuingAuthority:
    return open_authority(directory, software_keys(directory, passphrase))


@dataclass
class Workshop:
    """Everything that issuing takes."""

    directory: Path
    profile_name: str
    clock: datetime = NOW
    loaded: LoadedProfile = field(init=False)
    authority: IssuingAuthority = field(init=False)
    engine: Engine = field(init=False)
    database: Path = field(init=False)

    def __post_init__(self) -> None:
        self.loaded = load_profile(self.profile_name)
        self.authority = make_authority(self.directory / "pki", self.profile_name)
        self.database = self.directory / "eid.db"
        self.engine = ready_sqlite(self.database)

    def now(self) -> datetime:
        return self.clock

    def begin(self) -> Issuance:
        return begin(self.engine, self.authority, self.loaded, "test reader", self.now, self.trust_points)

    @property
    def trust_points(self) -> tuple[bytes, ...]:
        """Whom the profile's cards trust, where they trust anybody."""
        terminals = specimen_terminals(self.loaded.profile, self.clock)
        return () if terminals is None else (terminals.cvca_certificate,)

    def blank(self) -> VirtualCard:
        return blank_card(self.loaded.profile, next(_numbers).to_bytes(10, "big"))

    def record(self) -> IdentityRecord:
        """The specimen person, each time with another document number."""
        record = record_for(self.loaded.profile)
        width = len(record.document_number) - 3
        return replace(record, document_number=f"SPM{next(_numbers):0{width}}")


class Pulled(LoopbackConnection):
    """The card leaves the reader at command `at`: before it sees it, or when it has obeyed and before it answers."""

    def __init__(self, card: VirtualCard, at: int, *, obeyed: bool = False) -> None:
        super().__init__(card)
        self.left = at
        self.obeyed = obeyed
        self.card = card

    def transmit(self, command: bytes) -> bytes:
        if self.left == 0:
            if self.obeyed:
                super().transmit(command)
            self.card.power_off()
            raise CardRemovedError("the card was pulled out")
        self.left -= 1
        return super().transmit(command)


class Counted(LoopbackConnection):
    sent = 0

    def transmit(self, command: bytes) -> bytes:
        self.sent += 1
        return super().transmit(command)


class Corrupted(LoopbackConnection):
    """Flips one bit of the answer to command `at`."""

    def __init__(self, card: VirtualCard, at: int, position: int = 20) -> None:
        super().__init__(card)
        self.left = at
        self.position = position

    def transmit(self, command: bytes) -> bytes:
        answer = bytearray(super().transmit(command))
        if self.left == 0:
            answer[self.position % max(1, len(answer) - 2)] ^= 0x01
        self.left -= 1
        return bytes(answer)


@dataclass
class Steps:
    """Remembers which steps began with which command."""

    connection: Counted
    first: dict[str, int] = field(default_factory=dict)

    def record(self, checkpoint: Checkpoint) -> None:
        self.first.setdefault(f"{checkpoint.step}:{checkpoint.phase}", self.connection.sent)


def clear_token(keys: Pkcs11KeyStore) -> None:
    """Remove the keys of authorities from a token that tests share."""
    with keys.operation("clearing") as pkcs11:
        for key in list(keys._session.get_objects()):
            if str(key[pkcs11.Attribute.LABEL]).startswith(("csca-", "ds-", "mls-", "dls-", "card-master", "UT", "XX")):
                key.destroy()
