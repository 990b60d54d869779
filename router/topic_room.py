"""Do the topics take records as large as the edge may send? Asked of the broker, once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError

from router.telemetry.logs import Log
from router.telemetry.management import Health

RETRY_SECONDS = 5.0
_SIZE = "max.message.bytes"


@dataclass
class TopicRoom:
    """Looks at `max.message.bytes` of each topic until the broker has told them.

    A topic that takes less than `needed` bytes would refuse a genuine delivery
    of legal size for good, so the edge is not ready. A broker that does not
    tell (no such request, no such right) is believed.
    """

    options: Mapping[str, Any] = field(repr=False)
    topics: list[str]
    needed: int
    log: Log
    problem: str | None = None

    def health(self, producer: Health) -> Health:
        """Join what was found with the producer's health."""
        if self.problem is not None and producer.good:
            return Health(good=False, detail=self.problem)
        return producer

    @contextlib.asynccontextmanager
    async def looked_at(self) -> AsyncIterator[None]:
        """Ask the broker while the block runs."""
        task = asyncio.create_task(self._look())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> None:
        while True:
            try:
                self._judge(await self._sizes())
            except (IncompatibleBrokerVersion, NotImplementedError):
                return
            except (KafkaError, TimeoutError, OSError):
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _sizes(self) -> Mapping[str, int]:
        admin = AIOKafkaAdminClient(**self.options)
        try:
            async with asyncio.timeout(RETRY_SECONDS):
                await admin.start()
                resources = [
                    ConfigResource(ConfigResourceType.TOPIC, topic, {_SIZE: None})
                    for topic in self.topics
                ]
                answers = await admin.describe_configs(resources)
        finally:
            await admin.close()
        return dict(_read(answers))

    def _judge(self, sizes: Mapping[str, int]) -> None:
        small = {topic: size for topic, size in sizes.items() if size < self.needed}
        if small:
            listed = ", ".join(f"{topic} takes {size}" for topic, size in sorted(small.items()))
            self.problem = (
                f"records may have {self.needed} bytes, but {listed}: raise {_SIZE} of the topic"
                " or lower edge.body_limit_bytes, then start again"
            )
            self.log.error("topic_too_small", detail=self.problem)


def _read(answers: Any) -> list[tuple[str, int]]:  # noqa: ANN401 - aiokafka's responses
    found = []
    for answer in answers:
        for code, _message, _kind, topic, entries in answer.resources:
            values = {entry[0]: entry[1] for entry in entries}
            if code == 0 and _SIZE in values:
                found.append((topic, int(values[_SIZE])))
    return found
