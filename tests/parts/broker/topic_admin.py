"""Creates topics for tests, and describes them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from router.broker.adapter.private import ask
from router.broker.topics.alter_configs import AlterConfigsRequest, refusals
from tests.parts.waiting import eventually


@contextlib.asynccontextmanager
async def asking(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """Yield a started admin client."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


def maker(bootstrap: str) -> Callable[[], AIOKafkaAdminClient]:
    """Return a function that makes admin clients."""
    return lambda: AIOKafkaAdminClient(bootstrap_servers=bootstrap)


async def make(bootstrap: str, name: str, partitions: int = 3, **configs: str) -> None:
    """Create a topic; `cleanup_policy` means `cleanup.policy`."""
    named = {key.replace("_", "."): value for key, value in configs.items()}
    async with asking(bootstrap) as admin:
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=named)])
        assert not [error for error in answer.topic_errors if error[1]], answer

        # The broker learns of the topic shortly after the controller.
        async def learned() -> bool:
            return len((await admin.describe_topics([name]))[0]["partitions"]) >= partitions

        await eventually(learned, f"the topic {name}", seconds=30, pause=0.02)


async def set_configs(bootstrap: str, name: str, **configs: str) -> None:
    """Set configurations of a topic; leave its others unchanged."""
    named = {key.replace("_", "."): value for key, value in configs.items()}
    async with asking(bootstrap) as admin:
        answer = await ask(admin, AlterConfigsRequest({name: named}), seconds=10)
    assert not refusals(answer)


async def configs(bootstrap: str, name: str) -> Mapping[str, str]:
    """Return the configuration of a topic."""
    async with asking(bootstrap) as admin:
        (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {entry[0]: entry[1] for entry in answer.resources[0][4]}


async def partitions(bootstrap: str, name: str) -> int:
    """Return the number of partitions of a topic."""
    async with asking(bootstrap) as admin:
        (topic,) = await admin.describe_topics([name])
    return len(topic["partitions"])


async def names(bootstrap: str) -> set[str]:
    """Return every topic on the broker."""
    async with asking(bootstrap) as admin:
        return set(await admin.list_topics())
