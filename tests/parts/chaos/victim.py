"""The real ledger consumer in a process that kills itself at a given moment.

`python -m tests.parts.chaos.victim JSON`, where JSON is an `Order`. Nothing in the
consumer is changed: this module wraps its methods to find the moment.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Any, Literal
from unittest.mock import patch

from pydantic import BaseModel, SecretStr

from consumers.ledger.service import SERVICE
from consumers.runtime.apply.process import Applier
from consumers.runtime.member.app import build_consumer, consume
from consumers.runtime.member.loop import Loop
from consumers.runtime.plain.batches import PlainBatches
from consumers.runtime.settings import ConsumerSettings, Tuning
from router.contract.topics import Topics
from router.telemetry.management import stop_signal
from tests.parts.connections import connection_to

Moment = Literal["before the commit", "after the commit", "somewhere", "never"]


class Order(BaseModel):
    """What to consume, and when to die: in the batch of this number, after `seconds`."""

    bootstrap: str
    database_url: str
    prefix: str
    moment: Moment
    batch: int = 1
    seconds: float = 0


def settings(order: Order) -> ConsumerSettings:
    """Return the consumer's settings: small batches, static membership."""
    return ConsumerSettings(
        name=SERVICE.name,
        kafka=connection_to(order.bootstrap),
        database_url=SecretStr(order.database_url),
        topics=Topics(order.prefix),
        tuning=Tuning(
            group_id=f"{order.prefix}ledger",
            instance_id="ledger-0",
            batch_records=25,
            batch_wait_seconds=0.05,
            session_timeout_seconds=6,
            transaction_timeout_seconds=5,
        ),
        options=SERVICE.options(),
    )


def die(*_: object) -> None:
    """Kill the process, like a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(order: Order) -> None:
    """Make the process die at its moment."""
    if order.moment == "before the commit":
        # Everything is written and the fence moved, but the transaction is still open.
        _wrap([(Applier, "_move"), (PlainBatches, "_apply")], order.batch, before=False, act=die)
    elif order.moment == "after the commit":
        _wrap([(Loop, "_commit")], order.batch, before=True, act=die)
    elif order.moment == "somewhere":
        timer = threading.Timer(order.seconds, die)
        timer.daemon = True
        places = [(Applier, "handle"), (PlainBatches, "_apply")]
        _wrap(places, order.batch, before=True, act=timer.start)


def _wrap(
    places: Sequence[tuple[type, str]], number: int, *, before: bool, act: Callable[[], None]
) -> None:
    """Act at the call of this number of any of these methods, before or after it."""
    calls = count(1)

    def wrapping(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wrapped(*arguments: Any) -> Any:  # noqa: ANN401 - the arguments of the method
            if before and next(calls) == number:
                act()
            result = await original(*arguments)
            # One that fails does not count: the general way repeats a batch that is not plain.
            if not before and next(calls) == number:
                act()
            return result

        return wrapped

    for where, name in places:
        patch.object(where, name, wrapping(getattr(where, name))).start()


async def main(order: Order) -> None:
    """Consume until SIGTERM or the moment to die."""
    process = build_consumer(SERVICE, settings(order), stop_signal())
    try:
        await consume(process)
    finally:
        await process.engine.dispose()


if __name__ == "__main__":
    given = Order.model_validate_json(sys.argv[1])
    arm(given)
    asyncio.run(main(given))
