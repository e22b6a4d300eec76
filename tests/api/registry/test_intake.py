"""Bodies at the registry: from whom how much is taken in."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Engine

from api.intake import SMALL
from eid.enrolment.roles import Role
from tests.builders.registry import Office, build_office

pytestmark = pytest.mark.anyio
PATH = f"/v1/applications/{uuid.UUID(int=7)}/documents"
LARGE = 10 * SMALL


@pytest.fixture
def office(any_database: Engine) -> Office:
    return build_office(any_database)


async def send(office: Office, headers: dict[str, str]) -> tuple[int, int]:
    """The status of the answer to a large paper, and how many pieces of it were taken."""
    taken = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(LARGE // SMALL):
            taken += 1
            yield bytes(SMALL)

    async with office.client() as client:
        stated = {"Content-Type": "application/pdf", **headers}
        answer = await client.post(PATH, content=pieces(), headers=stated, params={"paper": "photograph"})
    return answer.status_code, taken


@pytest.mark.parametrize("token", [{}, {"Authorization": "Bearer nobody"}])
async def test_nobody_known_leaves_a_paper(office: Office, token: dict[str, str]) -> None:
    """Not one octet of it is read, for the room for bodies is everybody's."""
    assert await send(office, {**token, "Content-Length": str(LARGE)}) == (401, 0)
    assert await send(office, token) == (413, 2)  # where he does not say how much it is


async def test_somebody_known_does(office: Office) -> None:
    officer = office.headers(Role.ENROLMENT_OFFICER, site="rabat-1")
    assert await send(office, {**officer, "Content-Length": str(LARGE)}) == (404, LARGE // SMALL)
