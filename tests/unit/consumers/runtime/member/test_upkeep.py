"""What the upkeep read from the store does not undo what a batch has done since."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from consumers.runtime.apply.brake import Brake
from consumers.runtime.measures.metrics import ConsumerMetrics
from consumers.runtime.member.loop import Loop
from consumers.runtime.member.report import Report
from consumers.runtime.member.upkeep import Upkeep
from consumers.runtime.settings import Tuning
from router.telemetry.logs import get_log

HELD = Brake("payment", 20, datetime(2026, 11, 30, tzinfo=UTC), "payment-0 offset 19: no")


@dataclass
class Stored:
    """A store with these brakes; `in_between` happens while they are read."""

    held: Mapping[str, Brake]
    in_between: Callable[[], None] = field(default=lambda: None)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator["Stored"]:
        """Yield this store."""
        yield self

    async def brakes(self) -> Mapping[str, Brake]:
        """Return the brakes from before."""
        self.in_between()
        return self.held

    async def fences(self) -> Mapping[Any, Any]:
        """Return no fences."""
        return {}


def upkeep(stored: Stored) -> Upkeep:
    report = Report("counting", ConsumerMetrics(CollectorRegistry(), "counting"), get_log("test"))
    nothing: Any = None
    store: Any = stored
    loop = Loop(nothing, Tuning.model_validate({}), report)
    return Upkeep(nothing, store, nothing, (), loop, report, nothing, nothing)


async def test_a_brake_pulled_while_the_brakes_were_read_stays() -> None:
    stored = Stored({})
    watching = upkeep(stored)
    stored.in_between = lambda: watching.loop.update_brakes({"payment": HELD})

    with capture_logs() as log:
        await watching.watch()
        assert watching.loop.member.brakes == {"payment": HELD}
        stored.held, stored.in_between = {"payment": HELD}, lambda: None
        await watching.watch()

    assert [line["event"] for line in log] == ["brake_holds"]


async def test_a_brake_that_a_command_cleared_is_cleared() -> None:
    stored = Stored({"payment": HELD})
    watching = upkeep(stored)

    with capture_logs() as log:
        await watching.watch()
        stored.held = {"payment": Brake("payment")}
        await watching.watch()

    assert watching.loop.member.brakes == {}
    assert [line["event"] for line in log] == ["brake_holds", "brake_cleared"]
