"""Asks the active controller for its clock: DescribeQuorum, which aiokafka does not have."""

from collections.abc import Sequence
from typing import Any

from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol import api
from aiokafka.protocol.types import (
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from router.broker.adapter.private import KafkaClient, ask

_TOPIC = "__cluster_metadata"
_TAGS = ("tags", TaggedFields)
_REPLICAS = CompactArray(
    ("replica_id", Int32),
    ("log_end_offset", Int64),
    ("last_fetch_timestamp", Int64),
    ("last_caught_up_timestamp", Int64),
    _TAGS,
)


async def controller_clock(client: KafkaClient, seconds: float) -> float:
    """Return the time of the active controller when it answered, in Unix seconds.

    It is the one clock that Kafka reports. Raises KafkaError, NotImplementedError (a broker older
    than 3.3, or the evaluation broker) or TimeoutError.
    """
    answer = await ask(client, DescribeQuorum(), seconds=seconds)
    if answer.error_code:
        raise for_code(answer.error_code)
    ((_, ((_, code, leader, _, _, voters, _, _),), _),) = answer.topics
    if code:
        raise for_code(code)
    return _clock_of(leader, voters)


def _clock_of(leader: int, voters: Sequence[Sequence[Any]]) -> float:
    # The leader reports the present as the moment until which it is caught up itself.
    for replica, _end, _fetched, caught_up, _tags in voters:
        if replica == leader and caught_up > 0:
            return float(caught_up) / 1000
    message = "the controller reports no time"
    raise KafkaError(message)


class DescribeQuorumAnswer(api.Response):  # type: ignore[misc] # aiokafka is untyped
    """Response, version 1."""

    API_KEY = 55
    API_VERSION = 1
    SCHEMA = Schema(
        ("error_code", Int16),
        (
            "topics",
            CompactArray(
                ("topic_name", CompactString("utf-8")),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("error_code", Int16),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("high_watermark", Int64),
                        ("current_voters", _REPLICAS),
                        ("observers", _REPLICAS),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class DescribeQuorumRequest(api.RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    """Request, version 1: Kafka 3.3 and later."""

    FLEXIBLE_VERSION = True
    API_KEY = 55
    API_VERSION = 1
    RESPONSE_TYPE = DescribeQuorumAnswer
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_name", CompactString("utf-8")),
                ("partitions", CompactArray(("partition_index", Int32), _TAGS)),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class DescribeQuorum(api.Request[DescribeQuorumRequest]):  # type: ignore[misc] # aiokafka is untyped
    """Asks about the quorum of controllers; needs DESCRIBE on the cluster."""

    API_KEY = 55

    def build(self, request_struct_class: type[DescribeQuorumRequest]) -> DescribeQuorumRequest:
        """Build the request."""
        return request_struct_class([(_TOPIC, [(0, {})], {})], {})
