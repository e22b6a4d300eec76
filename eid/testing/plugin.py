"""The pytest plugin: `card_profile`, `virtual_card`, `pcsc_virtual_reader` (docs/testing.md).

It is loaded into every test run of an environment in which this package is installed. So nothing but pytest is imported
before a test asks for a fixture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from eid.profile.schema import CardProfile
    from eid.testing.readers import InsertedCard, VirtualReaders
    from eid.testing.specimen import SpecimenCard

DEFAULT_PROFILE: Final = "ma-cnie"
READERS: Final = 4


def pytest_addoption(parser: pytest.Parser) -> None:
    """Settings of a project: which card, how many readers."""
    parser.addini("eid_card_profile", "Card product of the fixtures, by name or file.", default=DEFAULT_PROFILE)
    parser.addini("eid_pcsc_readers", "Virtual readers of the private PC/SC service, 1..16.", default=str(READERS))


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "card_profile(*names): run the test with a card of each of these products")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test marked with several profiles runs once with each."""
    marker = metafunc.definition.get_closest_marker("card_profile")
    if marker is not None and "card_profile" in metafunc.fixturenames:
        metafunc.parametrize("card_profile", marker.args, indirect=True)


@pytest.fixture
def card_profile(request: pytest.FixtureRequest) -> CardProfile:
    """The card product: of the marker `card_profile`, else of the setting `eid_card_profile`."""
    from eid.profile.loader import load_profile

    name = getattr(request, "param", None) or request.config.getini("eid_card_profile")
    return load_profile(str(name)).profile


@pytest.fixture(scope="session")
def issue_specimen_card() -> Callable[[CardProfile | str], SpecimenCard]:
    """Issues specimen cards of a profile, or of its name or file; a document is issued once, each call gives a chip."""
    from eid.profile.loader import load_profile
    from eid.testing.specimen import issue_specimen

    issued: dict[str, SpecimenCard] = {}

    def issue(profile: CardProfile | str) -> SpecimenCard:
        stated = load_profile(profile).profile if isinstance(profile, str) else profile
        key = stated.model_dump_json()
        if key not in issued:
            issued[key] = issue_specimen(stated, datetime.now(UTC).replace(microsecond=0))
        return issued[key].copy()

    return issue


@pytest.fixture
def virtual_card(
    card_profile: CardProfile, issue_specimen_card: Callable[[CardProfile | str], SpecimenCard]
) -> SpecimenCard:
    """An issued card of `card_profile`, in this process; no other test has touched it."""
    return issue_specimen_card(card_profile)


@pytest.fixture(scope="session")
def pcsc_virtual_slots(request: pytest.FixtureRequest) -> Iterator[VirtualReaders]:
    """A PC/SC service of this test process alone, with empty virtual readers."""
    from eid.errors import ReaderUnavailableError
    from eid.testing.readers import VirtualReaders
    from eid.transport.pcscd import private_pcscd

    try:
        with private_pcscd(int(request.config.getini("eid_pcsc_readers"))) as host:
            yield VirtualReaders(host)
    except ReaderUnavailableError as failure:
        if os.environ.get("CI") == "true":  # an examination that quietly leaves parts out proves nothing
            pytest.fail(f"no virtual card reader: {failure}", pytrace=False)
        pytest.skip(f"no virtual card reader: {failure}")


@pytest.fixture
def pcsc_virtual_readers(pcsc_virtual_slots: VirtualReaders) -> Iterator[VirtualReaders]:
    """Empty virtual readers: `insert(card)` takes the next one; all are empty again after the test."""
    yield pcsc_virtual_slots
    pcsc_virtual_slots.remove_all()


@pytest.fixture
def pcsc_virtual_reader(virtual_card: SpecimenCard, pcsc_virtual_readers: VirtualReaders) -> InsertedCard:
    """A virtual reader that every PC/SC program of this test sees, with `virtual_card` in it."""
    return pcsc_virtual_readers.insert(virtual_card)
