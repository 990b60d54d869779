"""A dispatcher in a process that kills itself at a given moment.

`python -m tests.parts.notifications.victim JSON`, where JSON is an `Order`.
"""

import asyncio
import os
import signal
import sys
from typing import Literal

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import create_async_engine

from consumers.notifications.sending.apprise_channel import SendResult
from consumers.notifications.sending.dispatcher import Dispatcher
from consumers.notifications.sending.leases import Leased
from consumers.notifications.sending.rendering import Rendered, open_texts
from tests.parts.notifications.desk import limits
from tests.parts.notifications.sending import TOPIC, by

Moment = Literal["before the send", "between send and mark", "after the mark"]


class Order(BaseModel):
    """The database, the receiver, and the moment to die."""

    database_url: str
    hook_url: str
    moment: Moment


def die() -> None:
    """Kill the process at once, like a power cut."""
    os.kill(os.getpid(), signal.SIGKILL)


async def main(order: Order) -> None:
    """Send due messages until the chosen moment."""
    allowed = limits()
    inner = by(order.hook_url, allowed)

    def send(leased: Leased, rendered: Rendered, key: str) -> SendResult:
        if order.moment == "before the send":
            die()
        told = inner(leased, rendered, key)
        if order.moment == "between send and mark":
            die()
        return told

    engine = create_async_engine(order.database_url)
    await Dispatcher("hook", allowed, send, open_texts(None), TOPIC).run(engine)
    die()


if __name__ == "__main__":
    asyncio.run(main(Order.model_validate_json(sys.argv[1])))
