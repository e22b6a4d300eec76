"""A provider's statement of a day: CSV (RFC 4180), UTF-8, one line for each movement of money."""

from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from eid.enrolment.payment import Money
from eid.enrolment.payment_statement import Kind, StatementLine
from eid.errors import DecodeError

COLUMNS: Final = ("reference", "provider_reference", "kind", "amount", "currency", "at")
MAX_STATEMENT: Final = 64 << 20  # octets; a day of a nation has 60,000 lines of about 120
_PATTERNS: Final = {
    "provider_reference": re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII),
    "kind": re.compile(r"payment|refund"),
    "amount": re.compile(r"[0-9]{1,9}", re.ASCII),
    "currency": re.compile(r"[A-Z]{3}", re.ASCII),
    "at": re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII),
}


def decode_statement(raw: bytes) -> tuple[StatementLine, ...]:
    """The lines of a statement, in its order; one without movements has its header only.

    Raises:
        DecodeError: it is not CSV of these columns, or a field is malformed; the text names line and column.
    """
    if len(raw) > MAX_STATEMENT:
        raise DecodeError(f"a statement of over {MAX_STATEMENT} octets")
    try:
        rows = csv.reader(io.StringIO(raw.decode("utf-8"), newline=""), strict=True)
        if next(rows, None) != list(COLUMNS):
            raise DecodeError("a statement has other columns", offset=0)
        return tuple(_decode_row(number, row) for number, row in enumerate(rows, start=2))
    except UnicodeDecodeError as error:
        raise DecodeError("a statement is not UTF-8", offset=error.start) from None
    except csv.Error:
        raise DecodeError("a statement is not CSV") from None


def _decode_row(number: int, row: list[str]) -> StatementLine:
    if len(row) != len(COLUMNS):
        raise DecodeError(f"line {number} of the statement has {len(row)} fields")
    fields = dict(zip(COLUMNS, row, strict=True))
    for name, pattern in _PATTERNS.items():
        if not pattern.fullmatch(fields[name]):
            raise DecodeError(f"line {number} of the statement: {name}")
    try:
        reference = uuid.UUID(fields["reference"])
        at = datetime.fromisoformat(fields["at"]).astimezone(UTC)
    except (ValueError, OverflowError):
        raise DecodeError(f"line {number} of the statement: reference or at") from None
    money = Money(int(fields["amount"]), fields["currency"])
    kind: Kind = "refund" if fields["kind"] == "refund" else "payment"
    return StatementLine(reference, fields["provider_reference"], kind, money, at)


def encode_statement(lines: Iterable[StatementLine]) -> bytes:
    """A statement as CSV; the sandbox provider's side."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines:
        at = line.at.astimezone(UTC).isoformat()
        writer.writerow(
            (line.reference, line.provider_reference, line.kind, line.money.amount, line.money.currency, at)
        )
    return text.getvalue().encode("utf-8")
