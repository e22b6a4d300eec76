"""What issuing states sign with: each curve, named and explicit, each padding; the whole matrix is in tests/interop."""

from __future__ import annotations

from collections import Counter

import pytest

from eid.errors import Reason
from eid.verification.report import Outcome, Verdict
from tests.builders.legacy import judge_files
from tests.builders.matrix import CURVE_NAMES, HASH_NAMES, SALTS, Combination, combinations, issue_cell, thinned
from tests.interop.specimen_files import DATA_GROUPS


@pytest.mark.parametrize("cell", list(thinned()), ids=str)
def test_cell(cell: Combination) -> None:
    made = issue_cell(cell, DATA_GROUPS)
    report = judge_files(made.sod, DATA_GROUPS, made.csca, made.crl)
    assert report.verdict is Verdict.TOTAL_PASSED, [item for item in report.checks if item.outcome is Outcome.FAILED]
    assert not [item.detail for item in report.checks if "tolerated" in item.detail]
    altered = made.sod[:-1] + bytes((made.sod[-1] ^ 1,))
    forged = judge_files(altered, DATA_GROUPS, made.csca, made.crl)
    assert {item.id: item.reason for item in forged.failures} == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}


def test_the_matrix_is_whole() -> None:
    cells = list(combinations())
    assert len(set(cells)) == len(cells) == 10 * (2 * len(CURVE_NAMES) + 1 + len(SALTS))
    assert {cell.hash_name for cell in cells} == {cell.group_hash for cell in cells} == set(HASH_NAMES)
    assert all(cell.hash_name != cell.group_hash for cell in cells)
    thin = Counter((cell.key, cell.explicit) for cell in thinned())
    assert thin == Counter(dict.fromkeys({(cell.key, cell.explicit) for cell in cells}, 1))
