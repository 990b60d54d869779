"""The counting consumer as a separate process that pauses at a chosen moment.

`python -m tests.parts.runtime.child JSON`, where JSON is an `Order`. The
consumer itself is unchanged: its methods are wrapped here. Each moment that it
reaches is printed as a line on standard output.
"""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal
from unittest.mock import patch
from uuid import UUID, uuid4

from pydantic import BaseModel, SecretStr
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply import stored_books
from consumers.runtime.fate import Fate
from consumers.runtime.member.app import run_consumer
from consumers.runtime.member.loop import Loop
from consumers.runtime.service import Handler
from consumers.runtime.settings import ConsumerSettings, ConsumerTiming, Tuning
from router.contract.event import Event
from router.contract.topics import Topics
from router.telemetry.logs import configure_logging
from tests.parts.connections import connection_to
from tests.parts.ports import free_port
from tests.parts.runtime.counting import count, service
from tests.parts.runtime.members import Feed
from tests.parts.runtime.running import Running, running

Moment = Literal[
    "in the transaction", "in a statement", "after the commit", "before the delete", "never"
]

PADDING = "x" * 60_000
IDLE = "INSERT INTO counting.effect (event_id) SELECT $1::uuid WHERE length($2::text) < 0"


class Order(BaseModel):
    """What to consume, and the moment at which to pause, the first time it is reached."""

    bootstrap: str
    overrides: dict[str, Any] = {}
    """Options of every Kafka client."""
    database_url: str
    prefix: str
    tuning: dict[str, Any]
    moment: Moment = "never"
    seconds: float = 0
    timing: dict[str, float] = {}
    """What differs from the usual intervals and time-outs."""

    def settings(self) -> ConsumerSettings:
        """Return the settings of the consumer."""
        return ConsumerSettings(
            name="counting",
            kafka=connection_to(self.bootstrap, **self.overrides),
            database_url=SecretStr(self.database_url),
            topics=Topics(self.prefix),
            tuning=Tuning.model_validate(self.tuning),
            timing=ConsumerTiming(**self.timing),
        )


@asynccontextmanager
async def child(
    feed: Feed, order: Mapping[str, object] | None = None, **tuning: object
) -> AsyncIterator[Running]:
    """Run a counting consumer of a feed in a separate process, which ends with the block."""
    port = free_port()
    settings = feed.settings(management_port=port, **tuning)
    given = Order.model_validate(
        {
            "bootstrap": settings.bootstrap,
            "overrides": dict(settings.kafka.overrides),
            "database_url": settings.database_url.get_secret_value(),
            "prefix": feed.prefix,
            "tuning": settings.tuning.model_dump(),
            **(order or {}),
        }
    )
    command = (sys.executable, "-m", "tests.parts.runtime.child", given.model_dump_json())
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE, stdout=PIPE)
    async with running(process, port) as consumer:
        yield consumer


def say(moment: Moment) -> None:
    """Print a moment, for the test."""
    sys.stdout.write(f"{moment}\n")
    sys.stdout.flush()


def handler(order: Order) -> Handler:
    """Count, and pause once if the order asks for it."""
    left = [order.moment]

    async def handle(transaction: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
        outcomes = await count(transaction, events)
        moment = left.pop() if left else "never"
        if moment == "in the transaction":
            say(moment)
            await asyncio.sleep(order.seconds)
        elif moment == "in a statement":
            raw = await transaction.get_raw_connection()
            assert raw.driver_connection is not None
            await raw.driver_connection.executemany(IDLE, _frozen_in_the_middle())
        return outcomes

    return handle


def _frozen_in_the_middle() -> Iterator[tuple[UUID, str]]:
    """Yield rows; the process freezes itself after the server has received the first ones."""
    for number in range(200):
        if number == 100:
            say("in a statement")
            os.kill(os.getpid(), signal.SIGSTOP)
        yield uuid4(), PADDING


def arm(order: Order) -> None:
    """Make the process pause, or end, outside its handler."""
    if order.moment == "after the commit":
        _wrap(Loop, "_commit", lambda: say("after the commit"), order.seconds)
    elif order.moment == "before the delete":
        _wrap(stored_books, "delete_sent", _die, 0)


def _wrap(where: object, name: str, act: Callable[[], None], seconds: float) -> None:
    """Act before the first call of a coroutine function, then wait."""
    original = getattr(where, name)
    calls: list[object] = []

    async def wrapped(*arguments: Any) -> Any:  # noqa: ANN401 - any arguments
        calls.append(name)
        if len(calls) == 1:
            act()
            await asyncio.sleep(seconds)
        return await original(*arguments)

    patch.object(where, name, wrapped).start()


def _die() -> None:
    say("before the delete")
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    given = Order.model_validate_json(sys.argv[1])
    configure_logging("info", "json")
    arm(given)
    asyncio.run(run_consumer(service(handler(given)), given.settings()))
