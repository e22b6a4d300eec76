"""Which handler does which kind of work, who can, and what is done at intervals: the tables of the worker.

To add a kind, write ``handle(workshop: Workshop, work: Work) -> None`` in the service it belongs to (the rules stand in
`eid.services.durable.work`) and add its line here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from eid.services.application import adjudication, approval
from eid.services.application import desk as application_desk
from eid.services.appointment import work as appointment_work
from eid.services.audit import work as audit_work
from eid.services.caller import retention as access_retention
from eid.services.card import production, status_lists, status_work
from eid.services.durable import oversight
from eid.services.durable.work import Capability, Handler, Timer
from eid.services.osia import credential_events, subscriptions
from eid.services.osia import identification as osia_identification
from eid.services.person import erasure, notifications, statistics
from eid.services.stamp import work as stamp_work

HANDLERS: Final[dict[str, Handler]] = {
    "notify": notifications.tell,
    "sms.stamp": notifications.tell_stamp,
    "access.code": notifications.tell_code,
    "appointment.settle": appointment_work.settle,
    "appointment.displace": appointment_work.displace,
    "appointment.release": appointment_work.release,
    "stamp.release": stamp_work.release,
    "payment.refund": stamp_work.refund,
    "abis.search": adjudication.handle_search,
    "abis.forget": adjudication.handle_forget,
    "stamp.consume": approval.handle_consume,
    "stock.settle": production.handle_settle,
    "osia.identify": osia_identification.handle_identify,
    "osia.deliver": subscriptions.deliver,
    "osia.credential": credential_events.tell,
    "production.cancel": production.handle_cancel,
    audit_work.SEAL: audit_work.seal,
    status_lists.PUBLISH: status_work.publish,
}
NEEDS: Final[dict[str, Capability]] = {
    audit_work.SEAL: Capability.SEAL,
    status_lists.PUBLISH: Capability.PUBLISH,
}
"""The kinds that not every worker can do."""
DUE: Final[dict[str, oversight.IsDue]] = {
    status_lists.PUBLISH: status_lists.is_waited_for,
}
"""Kinds that people do by hand as well: whether there is anything to do."""
TIMERS: Final[dict[str, Timer]] = {
    "access": Timer(timedelta(hours=1), access_retention.sweep),
    "seal": Timer(timedelta(seconds=10), audit_work.ask_to_seal),
    "status": Timer(timedelta(seconds=30), status_work.ask_to_publish),
    "unserved": Timer(timedelta(minutes=5), lambda workshop: oversight.tell_unserved(workshop, NEEDS, DUE)),
    "appointments": Timer(timedelta(minutes=1), appointment_work.sweep),
    "applications": Timer(timedelta(hours=1), application_desk.sweep),
    "stamps": Timer(timedelta(minutes=1), stamp_work.sweep),
    "statistics": Timer(timedelta(minutes=5), statistics.sweep),
    "subscriptions": Timer(timedelta(minutes=1), subscriptions.sweep),
    "messages": Timer(timedelta(hours=6), subscriptions.tidy),
    "retention": Timer(timedelta(hours=6), erasure.sweep),
    "abis": Timer(timedelta(minutes=5), adjudication.chase),
}
