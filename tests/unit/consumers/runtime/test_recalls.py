"""A consumer that recalls its outcomes declares it, since it needs the right to read them."""

from dataclasses import replace

import pytest

from consumers.discovery import discover, parts_of
from consumers.runtime.service import Setup
from router.broker.rights import KafkaOperation, consumer_rights
from router.contract.topics import Topics

NOTIFICATIONS = discover()["notifications"]
SETUP = Setup(NOTIFICATIONS.options(), Topics())


def test_the_actions_of_each_consumer_are_as_declared() -> None:
    for service in discover().values():
        service.actions(Setup(service.options(), Topics()))


def test_actions_that_recall_must_be_declared() -> None:
    with pytest.raises(TypeError, match="its actions and `recalls` differ"):
        replace(NOTIFICATIONS, recalls=False).actions(SETUP)


def test_a_consumer_that_recalls_may_read_its_outcomes() -> None:
    parts = parts_of(NOTIFICATIONS, Topics("pay."), "payrouter.notifications")
    rights = consumer_rights("User:n", parts)
    own = [each.operation for each in rights if each.resource.name == "pay.notifications.outcome"]
    assert {KafkaOperation.READ, KafkaOperation.WRITE} <= set(own)
