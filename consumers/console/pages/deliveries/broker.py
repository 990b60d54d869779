"""The broker as pages ask it: its connection, and its errors as answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.errors import KafkaError

from consumers.console.web.problems import Away, TooSlow
from consumers.console.web.visit import ConsoleVisit
from router.broker.adapter.bootstrap import unreachable
from router.broker.connection import KafkaConnection
from router.broker.rights import operator_rights
from router.broker.topic_reader import TopicMissing


@asynccontextmanager
async def asked_broker(visit: ConsoleVisit) -> AsyncIterator[KafkaConnection]:
    """Connect to the broker; raises Away or TooSlow if it does not answer."""
    settings = visit.sources.settings
    kafka = KafkaConnection.of(settings.kafka)
    try:
        yield kafka
    except TopicMissing as problem:
        raise Away(str(problem)) from problem
    except TimeoutError as error:
        raise TooSlow(settings.console.request_seconds) from error
    except (KafkaError, OSError) as error:
        rights = operator_rights(kafka.principal, settings.topics.topics(), ())
        raise Away(unreachable(error, settings.kafka.bootstrap_servers, rights)) from error
