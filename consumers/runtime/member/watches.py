"""Compares what a consumer needs with what is there, at the start and then every minute.

Its topics (sources, dead letters, outcomes) are compared as those of the edge are, and so are the
rights of its role on its tables: one that only a rare statement needs is named when it is lost.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.runtime.service import Service
from consumers.runtime.store.database import StoreAway, transaction_of
from consumers.runtime.store.table_rights import lacked_rights
from consumers.runtime.topic_check import TopicCheck
from router.background import in_background
from router.broker.client import make_admin
from router.broker.connection import KafkaConnection
from router.broker.topics.watch import REQUEST_MILLISECONDS, TopicMetrics, TopicWatch
from router.telemetry.logs import Log, get_log
from router.telemetry.management import Health

RETRY_SECONDS = 5.0
"""Interval between checks while a right is missing, so that a grant is noticed soon."""


def topic_watch(
    check: TopicCheck, kafka: KafkaConnection, registry: CollectorRegistry
) -> TopicWatch:
    """Return the topic watch of one consumer."""
    return TopicWatch(
        make=partial(make_admin, kafka, request_timeout_ms=REQUEST_MILLISECONDS),
        needs=check.needs,
        metrics=TopicMetrics(registry, [need.name for need in check.needs]),
        log=get_log("topics"),
        interval_seconds=check.every_seconds,
        require_check=check.required,
        rights=check.rights,
    )


@dataclass
class StoreWatch:
    """Checks the rights until it is stopped, and keeps the latest result."""

    engine: AsyncEngine
    service: Service
    log: Log
    interval_seconds: float = 60.0
    lacked: Sequence[str] = ()
    """A sentence for each table on which the role lacks rights."""

    def health(self, other: Health) -> Health:
        """Combine the result with the health of the rest."""
        if not self.lacked:
            return other
        more = [] if other.good else [other.detail]
        return Health(good=False, detail="\n".join([*more, *self.lacked]))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Check the rights while the block runs."""
        async with in_background(self._run()):
            yield

    async def _run(self) -> None:
        while True:
            try:
                # A store that is away is reported by everything that uses it.
                with contextlib.suppress(StoreAway, SQLAlchemyError):
                    await self.check()
            except Exception:
                # Our own bug. A grant must still be noticed, so the next check has to run.
                self.log.exception("rights_not_compared")
            soon = min(RETRY_SECONDS, self.interval_seconds)
            await asyncio.sleep(soon if self.lacked else self.interval_seconds)

    async def check(self) -> None:
        """Compare once, and log what is new."""
        async with transaction_of(self.engine) as connection:
            lacked = await lacked_rights(connection, self.service)
        before, self.lacked = self.lacked, lacked
        if lacked and lacked != before:
            self.log.error("rights_missing", detail="; ".join(lacked))
        elif before and not lacked:
            self.log.info("rights_granted")
