"""`/v1/fees`: what services cost, by age and day, out of the country's rules."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from api.registry_context import CurrentRegistry
from api.schemas.stamps import FeeRow, Fees
from eid.enrolment.deadlines import local_day
from eid.enrolment.rules import EnrolmentRules, Fee

router = APIRouter(tags=["stamps"])


@router.get("/v1/fees", operation_id="listFees", summary="What services cost")
def list_fees(
    registry: CurrentRegistry,
    service: Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9-]{0,31}$")] = None,
    age: Annotated[int | None, Query(ge=0, le=150, description="In full years: only the row that counts")] = None,
    day: Annotated[date | None, Query(alias="date", description="Only rows in force; with `age`: today")] = None,
) -> Fees:
    """The whole table, or what of it counts for a service, an age, a day."""
    rules = registry.rules
    rows = [row for row in rules.fees if service in (None, row.service)]
    if age is not None:
        rows = _of_age(rules, sorted({row.service for row in rows}), age, day or local_day(registry.now(), rules))
    elif day is not None:
        rows = [row for row in rows if row.starts <= day]
    return Fees(fees=[_render(row, rules.stamps.currency) for row in rows], decimals=rules.stamps.decimals)


def _of_age(rules: EnrolmentRules, services: list[str], age: int, day: date) -> list[Fee]:
    dated = [name for name in services if any(row.service == name and row.starts <= day for row in rules.fees)]
    return [rules.fee_row(name, age, day) for name in dated]


def _render(row: Fee, currency: str) -> FeeRow:
    return FeeRow(
        service=row.service, valid_from=row.starts, below_age=row.below_age, amount=row.amount, currency=currency
    )
