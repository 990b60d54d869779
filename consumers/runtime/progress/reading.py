"""Reads the progress of consumers once, for a command: their stores, then log and groups."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake, holding, read_brakes
from consumers.runtime.apply.failures import describe
from consumers.runtime.apply.offsets import FenceRow, read_fence_rows
from consumers.runtime.configured import Consumer
from consumers.runtime.progress.picture import Behind, LogView
from consumers.runtime.progress.standing import PartitionFacts, Patience, Standing, state_of
from consumers.runtime.progress.survey import (
    ConsumerGroup,
    FencesByConsumer,
    LogReader,
    SurveyLimits,
)
from consumers.runtime.records import Partition
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import reading
from router.broker.adapter.bootstrap import unreachable

ASK_SECONDS = 15.0
"""Time-out for all answers of the broker."""


@dataclass(frozen=True)
class StoreReading:
    """Content of one consumer's store: its fences of all clusters, and the brakes that hold."""

    consumer: Consumer
    fences: Sequence[FenceRow]
    braked: Mapping[str, Brake]

    @property
    def topics(self) -> Sequence[str]:
        """The topics that it reads, by their names on the broker."""
        settings = self.consumer.settings
        return [settings.topics.name(family) for family in self.consumer.service.topics]


@dataclass(frozen=True)
class Standings:
    """All partitions of all consumers, and the errors.

    `away` is the reason why the logs are unknown, None if they were read. `problems` has
    the other errors of the broker.
    """

    of: Mapping[str, Sequence[Standing]]
    away: str | None = None
    problems: Sequence[str] = field(default_factory=list)


async def read_stores(consumers: Sequence[Consumer]) -> Sequence[StoreReading]:
    """Read the stores. Raises StoreUnavailable."""
    return await asyncio.gather(*map(_read_store, consumers))


async def read_standings(
    stores: Sequence[StoreReading], stuck_seconds: float, limits: SurveyLimits
) -> Standings:
    """Query the broker and compare it with the stores; missing answers are unknown."""
    if not stores:
        return Standings({})
    settings = stores[0].consumer.settings
    groups = {
        store.consumer.service.name: ConsumerGroup(store.consumer.settings.group_id, store.topics)
        for store in stores
    }
    reader = LogReader(settings.kafka, groups, settings.cluster_id, limits)
    view, away = None, None
    try:
        async with asyncio.timeout(ASK_SECONDS):
            view = await reader.read(lambda cluster_id: _fences(stores, cluster_id))
    except (KafkaError, OSError, TimeoutError) as error:
        away = _explained(error, settings)
    finally:
        await reader.close()
    found = {
        store.consumer.service.name: list(_standings(store, view, stuck_seconds))
        for store in stores
    }
    return Standings(found, away, reader.problems if away is None else [])


def _explained(error: Exception, settings: ConsumerSettings) -> str:
    if isinstance(error, KafkaError | OSError | TimeoutError):
        return unreachable(error, settings.bootstrap)
    return describe(error)


async def _read_store(consumer: Consumer) -> StoreReading:
    async with reading(consumer.settings) as connection:
        return await read_store(connection, consumer)


async def read_store(connection: AsyncConnection, consumer: Consumer) -> StoreReading:
    """Read one store."""
    fences = await read_fence_rows(connection, consumer.tables)
    brakes = await read_brakes(connection, consumer.tables)
    return StoreReading(consumer, fences, holding(brakes))


def _fences(stores: Iterable[StoreReading], cluster_id: str) -> FencesByConsumer:
    return {
        store.consumer.service.name: {
            _partition(row): row for row in store.fences if row.cluster_id == cluster_id
        }
        for store in stores
    }


def _standings(
    store: StoreReading, view: LogView | None, stuck_seconds: float
) -> Iterable[Standing]:
    """Yield the partitions of the current cluster."""
    patience = Patience(stuck_seconds, store.consumer.settings.tuning.open_transaction_seconds)
    newest = max(store.fences, key=lambda row: row.updated_at, default=None)
    cluster_id = view.cluster_id if view is not None else newest and newest.cluster_id
    own = {_partition(row): row for row in store.fences if row.cluster_id == cluster_id}
    existing = {p for p in view.bounds if p.topic in store.topics} if view is not None else set()
    now = time.time()
    for partition in sorted(own.keys() | existing):
        facts = _facts(store, view, partition, own.get(partition))
        state, trouble = state_of(facts, patience, now)
        yield Standing(
            str(cluster_id),
            partition,
            facts.fence,
            facts.bounds,
            facts.behind,
            facts.member,
            state,
            trouble,
        )


def _facts(
    store: StoreReading, view: LogView | None, partition: Partition, fence: FenceRow | None
) -> PartitionFacts:
    braked = partition.topic in store.braked
    if view is None:
        return PartitionFacts(fence, None, None, Behind(), braked, None)
    name = store.consumer.service.name
    group = view.members.get(name)
    member = None if group is None else group.owners.get(TopicPartition(*partition), "")
    return PartitionFacts(
        fence,
        None if partition.topic in view.hidden else partition in view.bounds,
        view.bounds.get(partition),
        view.behind.get(name, {}).get(partition, Behind()),
        braked,
        member,
    )


def _partition(row: FenceRow) -> Partition:
    return Partition(row.topic, row.partition)
