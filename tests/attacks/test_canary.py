"""Personal data and secrets stay where they belong: not in a repr, an exception's text, a log record or the database.

A card is issued, read, and attacked with everything kept alive; then every object of the product that the process
holds, every log record, every traceback and the whole database are searched for the canaries.
"""

from __future__ import annotations

import base64
import gc
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

import eid.protocols.scp03.terminal as scp03_terminal
from eid.errors import EidError
from eid.identity import IdentityRecord
from eid.inspection import InspectionPlan
from eid.keystore.card_keys import MasterKey, default_card_keys
from eid.mrz import decode_mrz
from eid.personalization.open import open_card
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace.core import Password
from eid.protocols.scp03.core import SecurityLevel
from eid.protocols.secure_messaging import SecureMessaging
from eid.services.issuing.issuance import IssuedCard
from eid.services.reading.inspection import inspect_card
from eid.transport.loopback import LoopbackConnection
from eid.verification.policy import load_policy
from eid.verification.verify import verify
from tests.builders.issuing import NOW, Workshop

WRONG_CAN = "918273"
WRONG_MASTER = bytes.fromhex("5a17c0de5a17c0de5a17c0de5a17c0de5a17c0de5a17c0de5a17c0de5a17c0de")


@dataclass
class Aviary:
    """The canaries: text as it stands, octets in every form in which they could be written."""

    texts: set[str] = field(default_factory=set)
    octets: set[bytes] = field(default_factory=set)

    def add_text(self, *texts: str) -> None:
        for text in texts:
            assert len(text) >= 6, text  # shorter ones occur by chance
            self.texts.add(text)
            self.octets.add(text.encode())

    def add_secret(self, *secrets: bytes) -> None:
        self.octets.update(secret for secret in secrets if len(secret) >= 8)

    def forms(self) -> Iterator[str]:
        yield from self.texts
        for octets in self.octets:
            yield octets.hex()
            yield octets.hex().upper()
            yield octets.hex(" ")
            yield repr(octets)[2:-1]
            for padding in range(3):  # wherever in a longer text they stand
                yield base64.b64encode(bytes(padding) + octets)[4 if padding else 0 : -4].decode()

    def find(self, text: str) -> set[str]:
        return {form for form in self.forms() if len(form) >= 6 and stands_in(form, text)}


def stands_in(form: str, text: str) -> bool:
    """Whether it is there; a few digits, which turn up by chance in octets in hexadecimal, as a word of their own."""
    if len(form) > 8 or not form.isdecimal():
        return form in text
    return re.search(rf"(?<![0-9A-Fa-f]){form}(?![0-9A-Fa-f])", text) is not None


@dataclass
class Scene:
    """What happened, all of it kept alive."""

    workshop: Workshop
    issued: IssuedCard
    aviary: Aviary
    logged: list[str]
    tracebacks: list[str]
    kept: list[Any]


class Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(0)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self.lines.append(f"{text} {record.args!r} {record.__dict__!r}")


def names_of(record: IdentityRecord) -> Iterable[str]:
    fields = (
        record.family_name,
        record.given_names,
        record.place_of_birth,
        record.address,
        record.father,
        record.mother,
    )
    for item in fields:
        yield from (text for text in (item.latin, item.native) if len(text) >= 6 and "SPECIMEN" not in text)
    yield from (record.personal_number, record.document_number, record.civil_status_number)


def attempts(workshop: Workshop, issued: IssuedCard, card: Any, mrz: str) -> Iterator[Callable[[], object]]:
    """What goes wrong at a counter, or is tried there."""
    profile = workshop.loaded.profile

    def read_with(identifier: PasswordId, value: str) -> Callable[[], object]:
        plan = InspectionPlan(Password(identifier, value.encode()), allow_bac=True)
        return lambda: inspect_card(LoopbackConnection(card), plan, now=NOW)

    wrong = MasterKey("wrong", len(WRONG_MASTER), lambda message: WRONG_MASTER[:16])
    domain = workshop.loaded.profile.security_domain

    def open_with_wrong_keys() -> object:
        card.reset()
        from eid.personalization.build import build_chip

        chip = build_chip(profile).security_domain
        level = SecurityLevel(domain.security_level)
        defaults = default_card_keys(chip.key_length)
        exchange = open_card(chip, wrong, defaults, key_version=domain.key_version, level=level)
        return drive(exchange, LoopbackConnection(card))

    yield read_with(PasswordId.CAN, WRONG_CAN)
    yield read_with(PasswordId.MRZ, mrz[::-1])
    yield open_with_wrong_keys
    yield lambda: decode_mrz(mrz.replace("<", "?"))
    yield lambda: workshop.begin().run(issued_record(workshop), LoopbackConnection(card))
    yield lambda: verify(issued.evidence, workshop_trust(workshop), load_policy("strict"), time=NOW)


def scalar_of(pkcs8: bytes) -> bytes:
    key = load_der_private_key(pkcs8, None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes((key.key_size + 7) // 8, "big")


def issued_record(workshop: Workshop) -> IdentityRecord:
    return workshop.record()


def workshop_trust(workshop: Workshop) -> Any:
    from eid.pki.trust_store import build_trust_store

    return build_trust_store((workshop.authority.csca_certificate,))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    aviary, listener = Aviary(), Listener()
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.setLevel(0)
    root.addHandler(listener)
    with pytest.MonkeyPatch.context() as patch:
        sessions: list[Any] = []
        original = SecureMessaging.__init__

        def tapped(self: SecureMessaging, suite: Any, ks_enc: bytes, ks_mac: bytes, ssc: bytes | None = None) -> None:
            aviary.add_secret(ks_enc, ks_mac)
            sessions.append(self)
            original(self, suite, ks_enc, ks_mac, ssc)

        patch.setattr(SecureMessaging, "__init__", tapped)
        derive = scp03_terminal.derive_session_keys

        def tapped_keys(*arguments: Any) -> Any:
            keys = derive(*arguments)
            aviary.add_secret(keys.s_enc, keys.s_mac, keys.s_rmac)
            sessions.append(keys)
            return keys

        patch.setattr(scp03_terminal, "derive_session_keys", tapped_keys)
        yield play(Workshop(tmp_path_factory.mktemp("canary"), "ma-cnie"), aviary, listener, sessions)
    root.removeHandler(listener)
    root.setLevel(level)
    assert root.handlers == handlers


def play(workshop: Workshop, aviary: Aviary, listener: Listener, kept: list[Any]) -> Scene:
    card, record = workshop.blank(), workshop.record()
    issued = workshop.begin().run(record, LoopbackConnection(card))
    mrz = issued.data.mrz
    aviary.add_text(*names_of(record), issued.data.can, mrz.information)
    aviary.add_text(*mrz.encode())
    aviary.add_secret(record.portrait[:64], card.state()[-64:])
    memory = card._card.memory
    domain = memory.domain.keys
    kept += [card, memory, domain, record, issued, issued.data, mrz, workshop.authority]
    for directory in memory.applications.values():
        for stored in directory.keys.values():
            aviary.add_secret(scalar_of(stored.private_key))
            kept.append(stored)
    tracebacks = []
    for attempt in attempts(workshop, issued, card, mrz.information):
        try:
            kept.append(attempt())
        except EidError as error:
            tracebacks.append("".join(traceback.format_exception(error)) + repr(error) + repr(error.args))
            kept.append(error)
    return Scene(workshop, issued, aviary, listener.lines, tracebacks, kept)


def test_canaries_are_worth_looking_for(scene: Scene) -> None:
    """The search finds what is there: the evidence's octets hold the names, the sessions' keys were tapped."""
    raw = scene.issued.evidence.content("DG1")
    assert raw is not None
    assert scene.aviary.find(raw.hex())
    assert scene.aviary.find(base64.b64encode(b"x" + raw).decode())
    assert len(scene.aviary.octets) > 20
    assert len(scene.tracebacks) >= 3


def test_no_repr_of_any_object(scene: Scene) -> None:
    """Every live object whose class is the product's own, wherever it is held."""
    leaks: dict[str, set[str]] = {}
    seen = 0
    for item in gc.get_objects():
        kind = type(item)
        if not str(kind.__module__).startswith("eid.") or isinstance(item, type):
            continue
        seen += 1
        found = scene.aviary.find(repr(item))
        if found:
            leaks.setdefault(f"{kind.__module__}.{kind.__qualname__}", set()).update(found)
    assert seen > 50
    assert leaks == {}


def test_no_exception(scene: Scene) -> None:
    assert [found for text in scene.tracebacks if (found := scene.aviary.find(text))] == []


def test_no_log_record(scene: Scene) -> None:
    assert [found for line in scene.logged if (found := scene.aviary.find(line))] == []


def test_nothing_in_the_database(scene: Scene) -> None:
    """Journal, jobs and register: neither as text nor as octets, in no table, in no free page."""
    files = [path for path in Path(scene.workshop.directory).glob("eid.db*") if path.is_file()]
    assert files
    for path in files:
        raw = path.read_bytes()
        assert scene.aviary.find(raw.decode("latin-1")) == set()
        assert [octets for octets in scene.aviary.octets if len(octets) >= 8 and octets in raw] == []


def test_no_key_file_is_plain(scene: Scene) -> None:
    for path in Path(scene.workshop.directory).rglob("*"):
        if path.is_file() and path.suffix in (".pem", ".key", ".p8"):
            raw = path.read_bytes()
            assert b"PRIVATE KEY" not in raw or b"ENCRYPTED" in raw, path.name
            if b"PRIVATE KEY" in raw:
                assert path.stat().st_mode & 0o077 == 0
