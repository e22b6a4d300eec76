from __future__ import annotations

import pytest

from eid.lds.files import (
    DATA_GROUPS,
    EF_CARD_ACCESS,
    EF_CARD_SECURITY,
    EF_COM,
    EF_CVCA,
    EF_SOD,
    by_fid,
    by_name,
    by_number,
)


def test_data_groups_are_numbered_as_doc_9303_10_says() -> None:
    # Doc 9303-10 4.7: (data group, file identifier, short identifier, tag)
    rows = [(file.number, file.fid, file.sfi, file.tag) for file in DATA_GROUPS]
    tags = "61 75 63 76 65 66 67 68 69 6A 6B 6C 6D 6E 6F 70"
    assert rows == [(n, 0x100 + n, n, int(tag, 16)) for n, tag in enumerate(tags.split(), start=1)]


def test_lookups_agree() -> None:
    for file in (EF_COM, EF_SOD, *DATA_GROUPS):
        assert by_name(file.name) is file
        assert file.tag is not None
        assert by_fid(file.fid) is file
        if file.number is not None:
            assert by_number(file.number) is file


def test_the_same_identifier_means_another_file_under_the_master_file() -> None:
    assert by_fid(0x011D) is EF_SOD
    assert by_fid(0x011D, in_master_file=True) is EF_CARD_SECURITY
    assert by_fid(0x011C, in_master_file=True) is EF_CARD_ACCESS
    assert by_fid(0x011C) is EF_CVCA
    with pytest.raises(KeyError):
        by_fid(0x2F00)


@pytest.mark.parametrize("number", [0, -1, 17])
def test_there_is_no_other_data_group(number: int) -> None:
    with pytest.raises(KeyError):
        by_number(number)
