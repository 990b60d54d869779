"""The ledger in batches against one event at a time: same work, same database, same run."""

import time
from collections.abc import Sequence

from pydantic import SecretStr

from consumers.ledger.handler import handle
from consumers.ledger.service import SERVICE
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.records import Decoded, Partition, Record
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.database import open_engine, open_upgrade_engine
from consumers.runtime.store.migrate import upgrade
from router.contract.event import event_id
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.contract.events import event

EVENTS = 6000
ALONE = 300
BATCH = 500
_PARTITION = Partition("payment", 0)


async def measure(database_url: str) -> dict[str, float]:
    """Return events a second through the whole transaction: in batches, and one by one."""
    settings = ConsumerSettings(
        "ledger", connection_to(), SecretStr(database_url), Topics(), Tuning.model_validate({})
    )
    upgrading = open_upgrade_engine(settings)
    await upgrade(upgrading, SERVICE)
    await upgrading.dispose()
    engine = open_engine(settings)
    applier = Applier(StoredBooks(engine, SERVICE, "benchmark"), SERVICE, handle)
    try:
        arrived = [_arrived(n) for n in range(EVENTS + ALONE + BATCH)]
        await _rate(applier, arrived[:BATCH], BATCH)
        batches = await _rate(applier, arrived[BATCH : BATCH + EVENTS], BATCH)
        alone = await _rate(applier, arrived[BATCH + EVENTS :], 1)
    finally:
        await engine.dispose()
    return {"batches": batches, "one by one": alone}


async def _rate(applier: Applier, arrived: Sequence[Decoded], size: int) -> float:
    fences = await applier.fences({_PARTITION: 0})
    started = time.perf_counter()
    for first in range(0, len(arrived), size):
        applied = await applier.apply(arrived[first : first + size], fences)
        fences = applied.fences
    return len(arrived) / (time.perf_counter() - started)


def _arrived(number: int) -> Decoded:
    happened = event(
        id=event_id("blockatm", "shop-eu", str(number)),
        reference=f"B-{number}",
        provider_reference=str(number),
        amount="100.50",
        currency="USDT",
    )
    record = Record(_PARTITION, number, 1_700_000_000_000 + number, b"k", b"v", [])
    return Decoded(record, happened)
