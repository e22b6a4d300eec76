"""What becomes of cards, for systems that have subscribed to it (OSIA Notification): a topic for each kind of event.

Whoever may write topics makes the one that he wants to hear of, by its name here; where there is none, nothing is sent.
A message names the card as the credential services do, and its status; never its number, its holder, or why. Messages
may come twice and in another order: `version` grows with every change of a card.
"""

from __future__ import annotations

import json
from typing import Final

from eid.services.card.cards import EVENTS
from eid.services.durable.work import Workshop
from eid.services.osia.subscriptions import publish_event
from eid.store.outbox import Work

STATUSES: Final = {
    "credential.registered": "NEW",
    "credential.activated": "ACTIVE",
    "credential.suspended": "SUSPENDED",
    "credential.resumed": "ACTIVE",
    "credential.revoked": "REVOKED",
}


def tell(workshop: Workshop, work: Work) -> None:
    """Work of the kind "osia.credential". Payload: card, event (of the card's life cycle), version, at."""
    topic, payload = EVENTS[work.payload["event"]], work.payload
    told = {
        "event": topic,
        "credentialId": payload["card"],
        "status": STATUSES[topic],
        "version": int(payload["version"]),
        "timestamp": payload["at"],
    }
    publish_event(workshop, topic, work.id, topic, json.dumps(told))
