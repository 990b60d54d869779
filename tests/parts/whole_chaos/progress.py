"""Whether a deployment moves again: all that was sent is accepted, and all of it is applied."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
from confluent_kafka import KafkaException

from tests.parts.tls_postgres import USER
from tests.parts.whole_chaos.site import READ, Site
from tests.parts.whole_chaos.store import DATABASE

RECOVERED_SECONDS: Final = 240.0
"""After so long without recovery, a run fails."""

_PAUSE_SECONDS: Final = 0.15
_FENCES: Final = "SELECT topic, partition, next_offset FROM {}.fence"

SPOOLED: Final = "payrouter_spool_waiting_records"

Positions = Mapping[tuple[str, int], int]


async def recovered(site: Site, began: float) -> float:
    """Wait until all that has begun is accepted and applied; return the seconds since `began`."""
    try:
        async with asyncio.timeout(RECOVERED_SECONDS):
            await site.gateways.answered(site.gateways.begun)
            await drained(site)
            await applied(site)
    except TimeoutError:
        said = await asyncio.to_thread(site.crew.said)
        message = f"not recovered after {RECOVERED_SECONDS} s:\n{await behind(site)}\n{said}"
        raise AssertionError(message) from None
    return time.monotonic() - began


async def drained(site: Site) -> None:
    """Wait until the spools of all edges are empty."""
    edges = site.crew.of("edge") if site.spooled else ()
    for edge in edges:
        while await asyncio.to_thread(edge.measured, SPOOLED) != 0:
            site.crew.mind()
            await asyncio.sleep(_PAUSE_SECONDS)


async def applied(site: Site) -> None:
    """Wait until each consumer has passed all that is in its topics now."""
    ends = await _ends(site)
    waiting = dict(READ)
    while waiting:
        site.crew.mind()
        for name in list(waiting):
            done = await fences(site, name)
            if done is not None and not _left(site, name, ends, done):
                del waiting[name]
        await asyncio.sleep(_PAUSE_SECONDS)


async def behind(site: Site) -> str:
    """Describe which positions of which consumers are not at the ends of their logs."""
    try:
        async with asyncio.timeout(30):
            ends = await _ends(site)
    except TimeoutError:
        return "no broker answers"
    lines = [f"not accepted: {site.gateways.begun - len(site.gateways.accepted)}"]
    for name in READ:
        done = await fences(site, name)
        lines.append(f"{name}: {'no answer' if done is None else _left(site, name, ends, done)}")
    return "\n".join(lines)


def _left(site: Site, consumer: str, ends: Positions, done: Positions) -> Mapping[str, str]:
    topics = {site.topic(name) for name in READ[consumer]}
    return {
        f"{place[0]}-{place[1]}": f"{done.get(place)} of {end}"
        for place, end in ends.items()
        if place[0] in topics and end and done.get(place, -1) < end
    }


async def _ends(site: Site) -> Positions:
    names = sorted({site.topic(name) for topics in READ.values() for name in topics})
    while True:
        try:
            return await asyncio.to_thread(site.kafka.ends, names)
        except KafkaException:
            site.crew.mind()
            await asyncio.sleep(_PAUSE_SECONDS)


async def fences(site: Site, consumer: str) -> Positions | None:
    """Return the positions of a consumer; None while the database does not answer."""
    rows = await asked(site, _FENCES.format(consumer))
    return None if rows is None else {(topic, number): at for topic, number, at in rows}


async def asked(site: Site, statement: str) -> list[Any] | None:
    """Return the rows of a statement, asked of the primary; None while it does not answer."""
    try:
        async with asyncio.timeout(5):
            connection = await asyncpg.connect(
                host="127.0.0.1",
                port=site.store.primary.port,
                user=USER,
                database=DATABASE,
                ssl=False,
            )
            try:
                return list(await connection.fetch(statement))
            finally:
                connection.terminate()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
