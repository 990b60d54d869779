"""The rights of processes, what of them is missing, and the commands that grant them."""

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
)

from router.broker.adapter.bootstrap import cause_of, unreachable
from router.broker.rights import (
    NOTHING_GRANTED,
    ConsumerParts,
    KafkaOperation,
    Resource,
    ResourceKind,
    alike,
    consumer_rights,
    denied,
    edge_rights,
    grant,
    lacking,
    on_topic,
    principal_of,
)
from router.contract.topics import Topics

USER = "User:ledger"
PARTS = ConsumerParts("payrouter.ledger", ["payment", "payout"], ["payment.ledger.dlq"])
RIGHTS = consumer_rights(USER, PARTS)
ADD = "kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:ledger"
READ, WRITE = KafkaOperation.READ, KafkaOperation.WRITE


def topic(name: str) -> Resource:
    return Resource(ResourceKind.TOPIC, name)


@pytest.mark.parametrize(
    ("granted", "missing"),
    [
        (READ.bit | KafkaOperation.DESCRIBE_CONFIGS.bit, []),
        (READ.bit, ["DESCRIBE_CONFIGS"]),
        (KafkaOperation.DESCRIBE_CONFIGS.bit | WRITE.bit, ["READ"]),
        # Nothing is known of DESCRIBE_CONFIGS on a topic that the broker hides.
        (NOTHING_GRANTED, ["READ"]),
        (-1, []),
    ],
)
def test_what_is_missing_follows_from_the_authorized_operations(
    granted: int, missing: list[str]
) -> None:
    found = lacking(RIGHTS, {topic("payout"): granted})
    assert [each.operation.name for each in found] == missing


def test_nothing_is_missing_of_what_the_broker_does_not_report() -> None:
    assert lacking(RIGHTS, {}) == []


def test_rights_alike_are_one_sentence_and_one_command() -> None:
    missing = [on_topic(USER, READ, name, "applies events") for name in ("payment", "payout")]
    assert denied(missing) == [
        (
            f"User:ledger may not READ topics `payment`, `payout`; grant: {ADD}"
            " --operation Read --topic payment --topic payout"
        )
    ]


def test_a_required_right_is_not_mixed_with_an_optional_one() -> None:
    topics = Topics()
    writing = [each for each in edge_rights(USER, topics) if each.operation is WRITE]
    groups = [[each.resource.name for each in own] for own in alike(writing)]
    assert groups == [["payment", "payout", "subscription", "quarantine"], ["refused"]]


def test_a_name_that_a_shell_would_change_is_quoted() -> None:
    certificate = principal_of(None).replace("NAME", "CN=pay,O=Shop Ltd")
    assert "'User:CN=pay,O=Shop Ltd'" in grant([on_topic(certificate, READ, "payment", "")])


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (TopicAuthorizationFailedError("payout"), "may not READ topic `payout`; grant: "),
        (TopicAuthorizationFailedError({"payout"}), "may not READ topic `payout`; grant: "),
        (GroupAuthorizationFailedError("payrouter.ledger"), "may not READ group `payrouter.l"),
        (GroupAuthorizationFailedError(), "may not READ group `payrouter.ledger`; grant: "),
        # One of several topics, and the error names none of them.
        (TopicAuthorizationFailedError(), "our user lacks a right on a topic: `payrouter rights`"),
        (ClusterAuthorizationFailedError(), "may not READ topic `payment`; grant: "),
    ],
    ids=["name", "names", "group", "only group", "unknown", "producer"],
)
def test_an_error_names_the_right_if_it_leaves_no_doubt(error: Exception, cause: str) -> None:
    needed = [each for each in RIGHTS if each.operation is READ]
    assert cause in cause_of(error, needed)
    assert cause in unreachable(error, "kafka:9092", needed)
    assert "cannot reach" not in unreachable(error, "kafka:9092", needed)
