"""The counting consumer as a process of its own, which stands still where it is told to.

`python -m tests.parts.runtime.child JSON`, where JSON is an `Order`. Nothing
in the consumer knows of this: its methods are wrapped here. A moment it reaches
is a line on standard output.
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

from consumers.runtime.apply import outbox
from consumers.runtime.fate import Fate
from consumers.runtime.member.app import run_consumer
from consumers.runtime.member.loop import Loop
from consumers.runtime.service import Handler
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.event import Event
from router.contract.topics import Topics
from router.telemetry.logs import configure_logging
from router.telemetry.management import listen
from tests.parts.runtime.counting import count, service
from tests.parts.runtime.members import Feed
from tests.parts.runtime.running import Running, running

Moment = Literal[
    "in the transaction", "in a statement", "after the commit", "before the delete", "never"
]

PADDING = "x" * 60_000
IDLE = "INSERT INTO counting.effect (event_id) SELECT $1::uuid WHERE length($2::text) < 0"


class Order(BaseModel):
    """What to consume, and the first moment of a kind at which to stand still."""

    kafka: dict[str, Any]
    database_url: str
    prefix: str
    tuning: dict[str, Any]
    moment: Moment = "never"
    seconds: float = 0
    patches: dict[str, float] = {}
    """Constants to be set, by their full name."""

    def settings(self) -> ConsumerSettings:
        """Return what the consumer is started with."""
        return ConsumerSettings(
            name="counting",
            kafka=self.kafka,
            database_url=SecretStr(self.database_url),
            topics=Topics(self.prefix),
            tuning=Tuning.model_validate(self.tuning),
        )


@asynccontextmanager
async def child(
    feed: Feed, order: Mapping[str, object] | None = None, **tuning: object
) -> AsyncIterator[Running]:
    """Run a counting consumer of a feed in a process of its own; it does not outlive the block."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    settings = feed.settings(management_port=port, **tuning)
    given = Order.model_validate(
        {
            "kafka": dict(settings.kafka),
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
    """Tell the test."""
    sys.stdout.write(f"{moment}\n")
    sys.stdout.flush()


def handler(order: Order) -> Handler:
    """Count, and stand still once where the order says so."""
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
    """Give rows of which the first are with the server when this process freezes itself."""
    for number in range(200):
        if number == 100:
            say("in a statement")
            os.kill(os.getpid(), signal.SIGSTOP)
        yield uuid4(), PADDING


def arm(order: Order) -> None:
    """Have the process stand still, or end, outside its handler."""
    if order.moment == "after the commit":
        _wrap(Loop, "_commit", lambda: say("after the commit"), order.seconds)
    elif order.moment == "before the delete":
        _wrap(outbox, "sent", _die, 0)
    for name, value in order.patches.items():
        patch(name, value).start()


def _wrap(where: object, name: str, act: Callable[[], None], seconds: float) -> None:
    """Act before the first call of a coroutine function, and wait."""
    original = getattr(where, name)
    calls: list[object] = []

    async def wrapped(*arguments: Any) -> Any:  # noqa: ANN401 - whatever it takes
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
