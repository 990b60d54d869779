"""Finds the producer of an open transaction: DescribeProducers and ListTransactions.

aiokafka has neither of these requests.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
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

from router.broker.adapter.private import KafkaClient, ask, connections_of, leader_of

_TEXT = CompactString("utf-8")
_TAGS = ("tags", TaggedFields)


@dataclass(frozen=True)
class OpenTransaction:
    """Producer of an open transaction, as reported by the leader of a partition.

    `transactional_id` is None if no broker lists the transaction: its coordinator has
    already ended it, or we lack the right DESCRIBE on it.
    """

    producer_id: int
    epoch: int
    transactional_id: str | None = None

    def __str__(self) -> str:
        """Name the producer with everything that is known about it."""
        named = f"transactional id {self.transactional_id}, " if self.transactional_id else ""
        return f"{named}producer {self.producer_id}, epoch {self.epoch}"


async def open_transaction(
    client: KafkaClient, partition: TopicPartition, offset: int, seconds: float
) -> OpenTransaction | None:
    """Return the producer whose open transaction begins at an offset; None if it is unknown.

    Raises KafkaError, NotImplementedError (a broker older than 3.0, or the evaluation
    broker), OSError or TimeoutError.
    """
    leader = leader_of(client, partition)
    if leader is None:
        return None
    request = DescribeProducers(partition.topic, [partition.partition])
    answer = await ask(client, request, node=leader, seconds=seconds)
    found = begun_at(answer.topics, offset)
    if found is None:
        return None
    name = await _transactional_id(client, found.producer_id, seconds)
    return OpenTransaction(found.producer_id, found.epoch, name)


def begun_at(topics: Iterable[Sequence[Any]], offset: int) -> OpenTransaction | None:
    """Find the producer whose transaction begins at an offset in the answer about a partition."""
    for _, partitions, _ in topics:
        for _, _, _, producers, _ in partitions:
            for producer_id, epoch, _, _, _, begun, _ in producers:
                if begun == offset:
                    return OpenTransaction(producer_id, epoch)
    return None


async def _transactional_id(client: KafkaClient, producer_id: int, seconds: float) -> str | None:
    """Ask every broker: each lists only the transactions that it coordinates."""
    nodes = [node.nodeId for node in connections_of(client).cluster.brokers()]
    request = ListTransactions([producer_id])
    pending = (ask(client, request, node=node, seconds=seconds) for node in nodes)
    for answer in await asyncio.gather(*pending, return_exceptions=True):
        if isinstance(answer, KafkaError | NotImplementedError | OSError | TimeoutError):
            continue
        if isinstance(answer, BaseException):
            raise answer
        for transactional_id, found, _, _ in answer.transaction_states:
            if found == producer_id:
                return str(transactional_id)
    return None


class DescribeProducersAnswer(api.Response):  # type: ignore[misc] # aiokafka is untyped
    """Response, version 0."""

    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("name", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition_index", Int32),
                        ("error_code", Int16),
                        ("error_message", _TEXT),
                        (
                            "active_producers",
                            CompactArray(
                                ("producer_id", Int64),
                                ("producer_epoch", Int32),
                                ("last_sequence", Int32),
                                ("last_timestamp", Int64),
                                ("coordinator_epoch", Int32),
                                ("current_txn_start_offset", Int64),
                                _TAGS,
                            ),
                        ),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class DescribeProducersRequest(api.RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    """Request, version 0: Kafka 2.8 and later."""

    FLEXIBLE_VERSION = True
    API_KEY = 61
    API_VERSION = 0
    RESPONSE_TYPE = DescribeProducersAnswer
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("name", _TEXT), ("partition_indexes", CompactArray(Int32)), _TAGS),
        ),
        _TAGS,
    )


class DescribeProducers(api.Request[DescribeProducersRequest]):  # type: ignore[misc] # aiokafka is untyped
    """Asks a leader for the producers of partitions; needs READ on the topic."""

    API_KEY = 61

    def __init__(self, topic: str, partitions: Sequence[int]) -> None:
        """Ask about partitions of one topic."""
        self._topic, self._partitions = topic, partitions

    def build(
        self, request_struct_class: type[DescribeProducersRequest]
    ) -> DescribeProducersRequest:
        """Build the request."""
        return request_struct_class([(self._topic, self._partitions, {})], {})


class ListTransactionsAnswer(api.Response):  # type: ignore[misc] # aiokafka is untyped
    """Response, version 0."""

    API_KEY = 66
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("unknown_state_filters", CompactArray(_TEXT)),
        (
            "transaction_states",
            CompactArray(
                ("transactional_id", _TEXT),
                ("producer_id", Int64),
                ("transaction_state", _TEXT),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class ListTransactionsRequest(api.RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    """Request, version 0: Kafka 3.0 and later."""

    FLEXIBLE_VERSION = True
    API_KEY = 66
    API_VERSION = 0
    RESPONSE_TYPE = ListTransactionsAnswer
    SCHEMA = Schema(
        ("state_filters", CompactArray(_TEXT)),
        ("producer_id_filters", CompactArray(Int64)),
        _TAGS,
    )


class ListTransactions(api.Request[ListTransactionsRequest]):  # type: ignore[misc] # aiokafka is untyped
    """Asks a coordinator for its transactions; the answer has those we may DESCRIBE."""

    API_KEY = 66

    def __init__(self, producer_ids: Sequence[int]) -> None:
        """Ask for the transactions of these producers."""
        self._producer_ids = producer_ids

    def build(self, request_struct_class: type[ListTransactionsRequest]) -> ListTransactionsRequest:
        """Build the request."""
        return request_struct_class([], self._producer_ids, {})
