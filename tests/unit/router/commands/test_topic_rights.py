"""What `topics apply` reports of the rights that its user lacks."""

import pytest

from router.broker.rights import KafkaOperation, on_topic
from router.broker.topics.apply import TopicReport, TopicResult, TopicsReport
from router.commands.actions.topics import missing_rights

USER = "User:topics"


@pytest.mark.parametrize(
    ("result", "unchecked", "refused", "missing"),
    [
        (TopicResult.THERE, None, "", None),
        (
            TopicResult.UNKNOWN,
            "the broker does not describe it: TOPIC_AUTHORIZATION_FAILED",
            "",
            KafkaOperation.DESCRIBE,
        ),
        (
            TopicResult.THERE,
            "the broker does not show its configuration: TOPIC_AUTHORIZATION_FAILED",
            "",
            KafkaOperation.DESCRIBE_CONFIGS,
        ),
        (TopicResult.THERE, "the broker does not show its configuration: no answer", "", None),
        (
            TopicResult.MISSING,
            None,
            "TopicAuthorizationFailedError: Authorization failed.",
            KafkaOperation.CREATE,
        ),
        (
            TopicResult.THERE,
            None,
            "TopicAuthorizationFailedError: Authorization failed.",
            KafkaOperation.ALTER_CONFIGS,
        ),
        (TopicResult.THERE, None, "[Error 29] TopicAuthorizationFailedError", KafkaOperation.ALTER),
        (TopicResult.MISSING, None, "PolicyViolationError: too many", None),
    ],
)
def test_the_right_follows_from_what_was_refused(
    result: TopicResult, unchecked: str | None, refused: str, missing: KafkaOperation | None
) -> None:
    topic = TopicReport("payment", result, (), (), unchecked)
    report = TopicsReport([topic], {"payment": refused} if refused else {})
    found = missing_rights(report, USER)
    assert [each.operation for each in found] == ([missing] if missing else [])
    assert all(each == on_topic(USER, each.operation, "payment", each.why) for each in found)
