from __future__ import annotations

import pytest

from eid.codec.status_word import SW, describe_status_word, is_success


@pytest.mark.parametrize(
    ("sw", "text"),
    [
        (0x9000, "ok"),
        (0x63C3, "verification failed, 3 tries left"),
        (0x63C0, "verification failed, 0 tries left"),
        (0x6110, "16 bytes still available"),
        (0x6100, "256 bytes still available"),
        (0x6C08, "wrong Le, 8 bytes available"),
        (0x6C00, "wrong Le, 256 bytes available"),
        (0x6982, "security status not satisfied"),
        (0x1234, "unknown status word"),
    ],
)
def test_meaning(sw: int, text: str) -> None:
    assert describe_status_word(sw) == text


def test_every_16_bit_value_has_a_text() -> None:
    assert all(describe_status_word(sw) for sw in range(0x10000))


@pytest.mark.parametrize(
    ("sw", "success"),
    [
        (0x9000, True),
        (0x6100, True),
        (0x6282, True),
        (0x63C2, False),
        (0x6300, False),
        (0x6982, False),
        (0x9001, False),
    ],
)
def test_success(sw: int, success: bool) -> None:
    assert is_success(sw) is success


def test_names_are_unique() -> None:
    assert len({int(member) for member in SW}) == len(SW.__members__)
