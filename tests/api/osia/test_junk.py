"""Whatever is sent to the OSIA operations, the fault is the sender's: never a status of 500 and above."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.api.osia.test_osia import BODIES, PLACES
from tests.builders.osia import OPERATIONS, System
from tests.builders.registry import build_office
from tests.builders.sweep import examples

pytestmark = pytest.mark.anyio
NAMES = (
    "applicationId", "captureRecord", "documentDates", "requestType", "requestTypeOther", "deliveryOffice", "language",
    "lastName", "firstNameArabic", "uin", "phone1", "email", "address", "dateOfBirth", "gender", "personId", "others",
    "credentialNumber", "credentialProfileId", "priority", "documentType", "parts", "data", "dataRef", "biometricType",
)  # fmt: skip
TEXTS = st.sampled_from(("FIRST_ISSUANCE", "OTHER", "OSIA", "1985-02-14", "ma-cnie", "=", "AAAA", "")) | st.text(
    max_size=9
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
OPEN = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)
TAKING_BODIES = sorted(name for name, given_body in BODIES.items() if "body" in given_body)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, Any]:
    """A body of an operation with one member replaced, or junk altogether."""
    operation = draw(st.sampled_from(TAKING_BODIES))
    body = BODIES[operation]["body"]
    if not isinstance(body, dict) or draw(st.integers(0, 5)) == 0:
        return operation, draw(VALUES)
    name = draw(st.sampled_from((*body, *NAMES[:3])))
    return operation, {**body, name: draw(OPEN | VALUES)}


@pytest.fixture
def system(engine: Engine) -> System:
    return System(build_office(engine))


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=bodies(), final=st.booleans())
async def test_junk(system: System, sent: tuple[str, Any], final: bool) -> None:
    operation, body = sent
    described = OPERATIONS[operation][1]
    address = described["path"].format(**PLACES)
    query = {"transactionId": "T-1", "finalize": str(final).lower()}
    headers = system.headers(operation, attributeSetName="DEFAULT_SET_01")
    async with system.office.client() as client:
        answer = await client.request(described["method"], address, params=query, headers=headers, json=body)
    assert answer.status_code < 500, (operation, answer.text)
