"""The pytest plugin, run as a relying party runs it: in a project of its own, in a process of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.builders.machine import require_module

pytest_plugins = ["pytester"]
DOCUMENTATION = Path(__file__).parents[2] / "docs/testing.md"
ROOT = Path(__file__).parents[2]
BARE = [
    word
    for name in (
        "cacheprovider",
        "xdist",
        "xdist.looponfail",
        "pytest_cov",
        "hypothesispytest",
        "anyio",
        "schemathesis",
    )
    for word in ("-p", f"no:{name}")
]


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(encoding="utf-8"), re.DOTALL)


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess(*BARE)


def test_entry_point_is_declared() -> None:
    assert 'eid = "eid.testing.plugin"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_examples_in_process(pytester: pytest.Pytester) -> None:
    first, products, _, fault = examples()
    pytester.makepyfile(test_first=first, test_products=products, test_fault=fault)
    pytester.runpytest_subprocess(*BARE).assert_outcomes(passed=4)


def test_example_over_pcsc(pytester: pytest.Pytester) -> None:
    require_module("smartcard")
    run(pytester, examples()[2]).assert_outcomes(passed=1)


def test_readers_are_never_crossed(pytester: pytest.Pytester) -> None:
    require_module("smartcard")
    result = run(
        pytester,
        """
        import threading
        import pytest
        from eid.errors import LifecycleError
        from eid.protocols.exchange import drive
        from eid.protocols.files import read_file, select_master_file
        from eid.lds.files import EF_CARD_ACCESS

        PROFILES = ("ma-cnie", "icao-td3-passport", "eu-td1-id-card", "ma-cnie")

        def test_each_reader_shows_its_own_card(pcsc_virtual_readers, issue_specimen_card):
            inserted = [
                pcsc_virtual_readers.insert(issue_specimen_card(name)) for name in PROFILES
            ]
            assert len({item.name for item in inserted}) == 4
            with pytest.raises(LifecycleError, match="all 4 virtual readers"):
                pcsc_virtual_readers.insert(inserted[0].card)
            found = {}

            def read(item):
                with item.connect() as connection:
                    for _ in range(20):
                        found.setdefault(item.name, set()).add(
                            (connection.atr, drive(read_file(EF_CARD_ACCESS), connection))
                        )

            threads = [threading.Thread(target=read, args=(item,)) for item in inserted]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            for item in inserted:
                assert found[item.name] == {(item.card.card.atr, item.card.files["EF.CardAccess"])}

        def test_a_lost_answer_is_an_error_of_the_link(pcsc_virtual_readers, virtual_card):
            from eid.card.faults import FaultyCard, parse_faults
            from eid.errors import TransportError

            faulty = FaultyCard(virtual_card.card, parse_faults("drop-after@2"))
            with pcsc_virtual_readers.insert(virtual_card, faulty).connect() as connection:
                read = bytes.fromhex("00B09C0000")
                assert connection.transmit(read)[-2:] == b"\\x90\\x00"
                with pytest.raises(TransportError):
                    connection.transmit(read)

        def test_the_readers_are_free_again(pcsc_virtual_reader):
            with pcsc_virtual_reader.connect() as connection:
                assert connection.atr == pcsc_virtual_reader.card.card.atr
        """,
    )
    result.assert_outcomes(passed=3)


def test_a_copy_is_a_chip_of_its_own_and_its_profile_is_a_setting(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        def test_first(virtual_card):
            assert virtual_card.copy().card is not virtual_card.card
            virtual_card.card.process(bytes.fromhex("0084000008"))
            assert virtual_card.copy().card.state() == virtual_card.card.state()

        def test_setting(virtual_card, card_profile):
            assert card_profile.name == virtual_card.profile.name == "eu-td1-id-card"
            assert virtual_card.can == "123456"
            assert "DG11" not in virtual_card.files
            assert virtual_card.mrz_information not in repr(virtual_card)

        @pytest.mark.card_profile("no-such-card")
        def test_an_unknown_profile_is_told(virtual_card):
            pass
        """,
    )
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "errors": 1}
    result.stdout.fnmatch_lines(["*no profile 'no-such-card'*"])
    pytester.makeini("[pytest]\neid_card_profile = eu-td1-id-card\n")
    assert pytester.runpytest_subprocess(*BARE).parseoutcomes() == {"passed": 2, "errors": 1}
