"""A country's own values in OSIA's flat biographic data."""

from __future__ import annotations

import pytest

from eid.errors import RecordError
from eid.services.osia.attributes import describe_person, read_person
from tests.builders.applicants import applicant_record


def test_a_countrys_own_values_go_there_and_back() -> None:
    record = applicant_record(details={"blood_group": "AB-", "parish": "RABAT"}, contact=None, civil_status=None)
    told = describe_person(record)
    assert (told["detailBloodGroup"], told["detailParish"]) == ("AB-", "RABAT")
    assert read_person({**told, "specimen": True}, ("arabic", "latin"), ("blood_group", "parish")) == record
    with pytest.raises(RecordError, match="biographicData has members other than"):
        read_person(told, ("arabic", "latin"), ("parish",))
