"""Every table of the schema: whoever compares or makes the whole of it imports `metadata` from here."""

from __future__ import annotations

from eid.store import access_tables as _access
from eid.store import application_tables as _applications
from eid.store import appointment_tables as _appointments
from eid.store import card_tables as _cards
from eid.store import notification_tables as _notifications
from eid.store import office_tables as _office
from eid.store import osia_tables as _osia
from eid.store import production_tables as _production
from eid.store import stamp_tables as _stamps
from eid.store import tree_head_tables as _tree_heads
from eid.store import work_tables as _work
from eid.store.tables import metadata

__all__ = ["metadata"]

FAMILIES = (
    _access,
    _applications,
    _appointments,
    _cards,
    _notifications,
    _office,
    _osia,
    _production,
    _stamps,
    _tree_heads,
    _work,
)
"""The modules of tables beside `eid.store.tables`, one for each family of rows."""
