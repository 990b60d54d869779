"""How far consumers are, read once for a person: their stores, then log and groups."""

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError

from consumers.runtime.apply.brake import holding, read_brakes
from consumers.runtime.apply.failures import describe
from consumers.runtime.apply.offsets import FenceRow, read_fence_rows
from consumers.runtime.configured import Consumer
from consumers.runtime.progress.picture import Behind, LogView
from consumers.runtime.progress.standing import Facts, Patience, Standing, state_of
from consumers.runtime.progress.survey import Fences, Group, LogReader
from consumers.runtime.records import Partition
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import reading

ASK_SECONDS = 15.0
"""How long the broker may take for all of it."""


@dataclass(frozen=True)
class Store:
    """What one consumer's store holds: its fences of whatever cluster, and the braked topics."""

    consumer: Consumer
    fences: Sequence[FenceRow]
    braked: Collection[str]

    @property
    def topics(self) -> Sequence[str]:
        """The names on the broker of what it reads."""
        settings = self.consumer.settings
        return [settings.topics.name(family) for family in self.consumer.service.topics]


@dataclass(frozen=True)
class Standings:
    """Every partition of every consumer, and what could not be asked.

    `away` says why nothing is known of the logs, None where they were read;
    `problems` what else the broker did not answer.
    """

    of: Mapping[str, Sequence[Standing]]
    away: str | None = None
    problems: Sequence[str] = field(default_factory=list)


async def read_stores(consumers: Sequence[Consumer]) -> Sequence[Store]:
    """Read the stores. Raises StoreUnavailable."""
    return await asyncio.gather(*map(_store, consumers))


async def read_standings(stores: Sequence[Store], stuck_seconds: float) -> Standings:
    """Ask the broker, and compare; what it does not answer is unknown."""
    if not stores:
        return Standings({})
    settings = stores[0].consumer.settings
    groups = {
        store.consumer.service.name: Group(store.consumer.settings.group_id, store.topics)
        for store in stores
    }
    reader = LogReader(settings.kafka, groups, settings.cluster_id)
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
    if isinstance(error, KafkaConnectionError):
        return f"cannot connect to {settings.bootstrap}"
    if isinstance(error, TimeoutError):
        return f"{settings.bootstrap} does not answer"
    return describe(error)


async def _store(consumer: Consumer) -> Store:
    async with reading(consumer.settings) as connection:
        fences = await read_fence_rows(connection, consumer.tables)
        brakes = await read_brakes(connection, consumer.tables)
    return Store(consumer, fences, holding(brakes).keys())


def _fences(stores: Iterable[Store], cluster_id: str) -> Fences:
    return {
        store.consumer.service.name: {
            _partition(row): row for row in store.fences if row.cluster_id == cluster_id
        }
        for store in stores
    }


def _standings(store: Store, view: LogView | None, stuck_seconds: float) -> Iterable[Standing]:
    """Give the partitions of the cluster that is there, then the fences of others."""
    patience = Patience(stuck_seconds, store.consumer.settings.tuning.open_transaction_seconds)
    newest = max(store.fences, key=lambda row: row.updated_at, default=None)
    cluster_id = view.cluster_id if view is not None else newest and newest.cluster_id
    own = {_partition(row): row for row in store.fences if row.cluster_id == cluster_id}
    there = {p for p in view.bounds if p.topic in store.topics} if view is not None else set()
    now = time.time()
    for partition in sorted(own.keys() | there):
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
    store: Store, view: LogView | None, partition: Partition, fence: FenceRow | None
) -> Facts:
    braked = partition.topic in store.braked
    if view is None:
        return Facts(fence, None, None, Behind(), braked, None)
    name = store.consumer.service.name
    group = view.members.get(name)
    member = None if group is None else group.owners.get(TopicPartition(*partition), "")
    return Facts(
        fence,
        None if partition.topic in view.hidden else partition in view.bounds,
        view.bounds.get(partition),
        view.behind.get(name, {}).get(partition, Behind()),
        braked,
        member,
    )


def _partition(row: FenceRow) -> Partition:
    return Partition(row.topic, row.partition)
