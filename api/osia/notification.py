"""OSIA Notification 1.2.0: topics, subscriptions, messages."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.osia import schemas
from api.osia.answers import described
from api.osia.parameters import RawBody, scoped
from api.problems import Problem, ProblemError
from api.registry_context import CurrentRegistry
from eid.enrolment.roles import Actor
from eid.services.osia import subscriptions as service

router = APIRouter(tags=["OSIA notification"])
Subscriber = Annotated[Actor, scoped("notif.sub.write")]
SubscriptionReader = Annotated[Actor, scoped("notif.sub.read")]
TopicWriter = Annotated[Actor, scoped("notif.topic.write")]
TopicReader = Annotated[Actor, scoped("notif.topic.read")]
Publisher = Annotated[Actor, scoped("notif.topic.publish")]
ASKED: Final[Any] = described(400, 403, 500)
KNOWN: Final[Any] = described(400, 403, 404, 500)
LISTED: Final[Any] = described(403, 500)
_TEXT: Final[Any] = {"schema": {"type": "string"}}
_MESSAGE: Final[Any] = {"requestBody": {"required": True, "content": {"plain/text": _TEXT, "text/plain": _TEXT}}}


@router.post("/v1/subscriptions", operation_id="subscribe", responses=ASKED)
def subscribe(
    registry: CurrentRegistry,
    actor: Subscriber,
    topic: Annotated[str, Query(min_length=1, max_length=64)],
    address: Annotated[str, Query(min_length=1, max_length=512)],
    protocol: Literal["http", "email"] = "http",
    policy: Annotated[str | None, Query(max_length=16)] = None,
) -> schemas.Subscription:
    """A message with a token goes to the address first; confirmed with that, the subscription counts."""
    return _describe(service.subscribe(registry, topic, protocol, address, policy, actor))


@router.get("/v1/subscriptions", operation_id="listSubscription", responses=LISTED)
def list_subscriptions(registry: CurrentRegistry, actor: SubscriptionReader) -> list[schemas.Subscription]:
    """The caller's own."""
    return [_describe(item) for item in service.list_subscriptions(registry, actor)]


@router.get("/v1/subscriptions/confirm", operation_id="confirm", response_class=Response, responses=ASKED)
def confirm(
    registry: CurrentRegistry, actor: Subscriber, token: Annotated[str, Query(min_length=1, max_length=256)]
) -> None:
    """By the token that was sent to the address."""
    service.confirm(registry, token, actor)


@router.delete("/v1/subscriptions/{uuid}", operation_id="unsubscribe", status_code=204, responses=KNOWN)
def unsubscribe(registry: CurrentRegistry, actor: Subscriber, uuid: UUID) -> None:
    """Nothing is sent any more, not even what was on its way."""
    service.unsubscribe(registry, uuid, actor)


@router.post("/v1/topics", operation_id="createTopic", responses=ASKED)
def create_topic(
    registry: CurrentRegistry, actor: TopicWriter, name: Annotated[str, Query(min_length=1, max_length=64)]
) -> schemas.Topic:
    """Twice the same name is the same topic."""
    made = service.create_topic(registry, name, actor)
    return schemas.Topic(uuid=str(made.id), name=made.name)


@router.get("/v1/topics", operation_id="listTopics", responses=LISTED)
def list_topics(registry: CurrentRegistry, actor: TopicReader) -> list[schemas.Topic]:
    """All of them."""
    return [schemas.Topic(uuid=str(item.id), name=item.name) for item in service.list_topics(registry)]


@router.delete("/v1/topics/{uuid}", operation_id="deleteTopic", status_code=204, responses=KNOWN)
def delete_topic(registry: CurrentRegistry, actor: TopicWriter, uuid: UUID) -> None:
    """With its subscriptions."""
    service.delete_topic(registry, uuid, actor)


@router.post(
    "/v1/topics/{uuid}/publish",
    operation_id="publish",
    response_class=Response,
    responses=ASKED,
    openapi_extra=_MESSAGE,
)
def publish(
    registry: CurrentRegistry,
    actor: Publisher,
    uuid: UUID,
    content: RawBody,
    subject: Annotated[str, Query(max_length=200)] = "",
) -> None:
    """To all who have confirmed; at least once to each."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ProblemError(Problem.MALFORMED_BODY, "the message is not UTF-8") from None
    if not text:
        raise ProblemError(Problem.MALFORMED_BODY, "the message is empty")
    service.publish(registry, uuid, subject, text, actor)


def _describe(item: service.Subscribed) -> schemas.Subscription:
    found = item.subscription
    return schemas.Subscription(
        uuid=str(found.id),
        topic=str(found.topic_id),
        protocol=cast(Literal["http", "email"], found.protocol),
        address=item.address,
        policy=item.policy,
        active=found.active,
    )
