"""What a consumer logs of a right that it lacks."""

import pytest
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
)

from consumers.runtime.member.relay import _with_topic
from consumers.runtime.member.report import explained
from router.broker.rights import ConsumerParts, consumer_rights

PARTS = ConsumerParts(
    "payrouter.ledger", ["payment"], ["payment.ledger.dlq"], commanded=["payment"]
)
RIGHTS = consumer_rights("User:ledger", PARTS)


@pytest.mark.parametrize(
    ("error", "writing", "begins"),
    [
        (TopicAuthorizationFailedError({"payment"}), False, "User:ledger may not READ topic `pay"),
        # Its outbox writes to a topic that it reads, too.
        (TopicAuthorizationFailedError("payment"), True, "User:ledger may not WRITE topic `payme"),
        (GroupAuthorizationFailedError(), False, "User:ledger may not READ group `payrouter.led"),
        (InvalidTopicError(), False, "InvalidTopicError: "),
    ],
    ids=["read", "published", "group", "another error"],
)
def test_the_right_follows_from_what_was_done(
    error: Exception,
    writing: bool,  # noqa: FBT001 - a table
    begins: str,
) -> None:
    assert explained(error, RIGHTS, writing=writing).startswith(begins)


def test_the_outbox_adds_the_topic_to_an_error_that_names_none() -> None:
    assert _with_topic(TopicAuthorizationFailedError(), "payment").args == ("payment",)
    for error in (TopicAuthorizationFailedError("payout"), InvalidTopicError()):
        assert _with_topic(error, "payment") is error
