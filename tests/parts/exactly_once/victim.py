"""A FastStream service in a process that kills itself at a given moment.

`python -m tests.parts.exactly_once.victim JSON`, where JSON is a `Victim`. Each event adds a row,
without a key that would prevent a second one.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Literal
from unittest.mock import patch

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.exactly_once import ExactlyOnce, Session
from consumers.exactly_once.reporting import Reporter
from router.contract.event import Event

EFFECT = "CREATE TABLE effect (id bigserial PRIMARY KEY, event_id uuid, member text)"
ADD = text("INSERT INTO effect (event_id, member) VALUES (:event_id, :member)")


class Victim(BaseModel):
    """What to run, and when to die: at the record of this number."""

    bootstrap: str
    database_url: str
    topic: str
    group_id: str
    instance: str
    guarded: bool
    moment: Literal["before the commit", "after the commit", "never"] = "never"
    record: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run it in a process until the block ends."""
        command = (sys.executable, "-m", "tests.parts.exactly_once.victim", self.model_dump_json())
        process = await asyncio.create_subprocess_exec(*command)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def until_it_dies(self) -> None:
        """Run it until it kills itself."""
        async with self.running() as process, asyncio.timeout(60):
            assert await process.wait() == -signal.SIGKILL


class Death:
    """Counts the records, and kills the process at its moment."""

    def __init__(self, victim: Victim) -> None:
        """Begin at the first record."""
        self._victim = victim
        self._records = 0

    async def before_commit(self) -> None:
        """Call with an effect that is not committed."""
        self._records += 1
        # Long enough for a rebalance to come in the middle.
        await asyncio.sleep(0.005)
        self._at("before the commit")

    def after_commit(self, *_: object) -> None:
        """Call once the effect is committed, and Kafka does not know yet."""
        self._at("after the commit")

    def _at(self, moment: str) -> None:
        if self._victim.moment == moment and self._records == self._victim.record:
            os.kill(os.getpid(), signal.SIGKILL)


def service(victim: Victim, death: Death) -> FastStream:
    """Declare the service."""
    broker = KafkaBroker(victim.bootstrap, logger=None)
    engine = create_async_engine(victim.database_url)
    if victim.guarded:
        guard = ExactlyOnce(broker, engine)

        @guard.subscriber(victim.topic, group_id=victim.group_id, group_instance_id=victim.instance)
        async def add(event: Event, session: Session) -> None:
            await session.execute(ADD, {"event_id": event.id, "member": victim.instance})
            await death.before_commit()

    else:

        @broker.subscriber(
            victim.topic,
            group_id=victim.group_id,
            group_instance_id=victim.instance,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.NACK_ON_ERROR,
        )
        async def add_unguarded(event: Event) -> None:
            async with engine.begin() as connection:
                await connection.execute(ADD, {"event_id": event.id, "member": victim.instance})
                await death.before_commit()
            death.after_commit()

    return FastStream(broker, logger=None)


@asynccontextmanager
async def store_of(victim: Victim) -> AsyncIterator[AsyncEngine]:
    """Yield the victim's database, with the table of effects and those of the guard."""
    engine = create_async_engine(victim.database_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text(EFFECT))
        await ExactlyOnce(KafkaBroker(victim.bootstrap), engine).create_tables()
        yield engine
    finally:
        await engine.dispose()


def main(arguments: Sequence[str]) -> None:
    """Run the service of the arguments."""
    victim = Victim.model_validate_json(arguments[0])
    death = Death(victim)
    with patch.object(Reporter, "passed", _dying(death)):
        asyncio.run(service(victim, death).run())


def _dying(death: Death) -> object:
    passed = Reporter.passed

    def dying(reporter: Reporter, *arguments: object) -> None:
        death.after_commit()
        passed(reporter, *arguments)  # type: ignore[arg-type]

    return dying


if __name__ == "__main__":
    main(sys.argv[1:])
