"""Counts of two days of November 2026, made up."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Engine

from eid.store.statistics import add_counts, lock_mark

COUNTS = {  # of each day: Rabat's card, Paris' card, Paris' passport
    "requested": ((12, 30, 2), (9, 21, 6)),
    "validated": ((11, 25, 0), (9, 20, 5)),
    "booked": ((10, 25, 0), (8, 20, 5)),
    "delivered": ((3, 22, 0), (8, 19, 5)),
}


def fill(engine: Engine) -> None:
    places = (("rabat-1", "card"), ("paris", "card"), ("paris", "passport"))
    with engine.begin() as connection:
        for bucket in (1, 2):  # sums over buckets
            lock_mark(connection, bucket)
            counts = {
                (date(2026, 11, 2 + day), *place, event): count - count // 2 if bucket == 1 else count // 2
                for event, days in COUNTS.items()
                for day, row in enumerate(days)
                for place, count in zip(places, row, strict=True)
            }
            add_counts(connection, bucket, counts)
