"""Helpers of the tests of `payrouter trace`: booked events, and its output as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from consumers.ledger.handler import handle
from consumers.ledger.service import SERVICE as LEDGER
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.service import Handler, Service
from router.contract.event import Event
from tests.parts.runtime.commands import Payrouter
from tests.parts.runtime.counting import record
from tests.parts.runtime.members import Feed


async def booked(feed: Feed, *events: Event) -> None:
    """Apply these events to the ledger, as records of the feed's first partition."""
    await applied_by(LEDGER, handle, feed, *events)


async def applied_by(service: Service, handle: Handler, feed: Feed, *events: Event) -> None:
    """Apply these events to a consumer, as records of the feed's first partition."""
    partition = feed.partition(0)
    applier = Applier(StoredBooks(feed.engine, service, "cluster"), service, handle)
    fences = await applier.fences({partition: 0})
    batch = [record(offset, each, partition) for offset, each in enumerate(events)]
    await applier.apply(batch, fences)


async def traced(payrouter: Payrouter, *arguments: str, status: int = 0) -> Any:  # noqa: ANN401
    """Run `payrouter trace` and return what it printed as JSON."""
    said = await payrouter("trace", *arguments, "--json")
    assert said.status == status, said.err
    return said.json


def told(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return group and word of each line."""
    return [(line["group"], line["what"]) for line in lines]
