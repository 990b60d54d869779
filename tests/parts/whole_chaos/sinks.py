"""Asks the sinks of a run, not its sources: books, stock, messages, and what must not be left."""

import asyncio
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tests.parts.waiting import eventually
from tests.parts.whole_chaos.orders import Due, Effect, Sold
from tests.parts.whole_chaos.plan import CONSUMERS
from tests.parts.whole_chaos.progress import SPOOLED, applied, asked, drained
from tests.parts.whole_chaos.site import READ, Site

SETTLED_SECONDS: Final = 180.0

_EVENTS: Final = (
    "SELECT type, coalesce(reference, provider_reference), count(*) FROM ledger.event GROUP BY 1, 2"
)
_BOOKED: Final = """
SELECT coalesce(event.reference, event.provider_reference), purpose, sum(posting.amount)
FROM ledger.posting
JOIN ledger.transaction ON transaction.id = transaction_id
JOIN ledger.event USING (event_id)
JOIN ledger.account ON account.id = account_id
WHERE purpose IN ('payments', 'payouts')
GROUP BY 1, 2
"""
_APPLIED: Final = """
SELECT type, coalesce(reference, provider_reference) AS name, applied_at FROM ledger.event
UNION ALL
SELECT type, coalesce(reference, provider_reference), applied_at FROM notifications.change
UNION ALL
SELECT ledger.event.type, coalesce(reference, provider_reference), inventory.event.applied_at
FROM inventory.event JOIN ledger.event USING (event_id)
"""
_LAST: Final = f"SELECT type, name, max(applied_at) FROM ({_APPLIED}) AS each GROUP BY 1, 2"
_STOCK: Final = "SELECT sku, committed, reserved, oversold FROM inventory.stock"
_ORDERS: Final = "SELECT reference, status FROM inventory.orders"
_MESSAGES: Final = """
SELECT kind, coalesce(change.reference, change.provider_reference), state
FROM notifications.message JOIN notifications.change USING (event_id)
"""
_LEFT: Final = {
    "dead letters": "SELECT count(*) FROM {}.held WHERE state = 'dead'",
    "parked records": "SELECT count(*) FROM {}.held WHERE state = 'parked'",
    "unsent outcomes": "SELECT count(*) FROM {}.outbox",
}
_SPOOL: Final = (
    SPOOLED,
    "payrouter_spool_aside_records",
    "payrouter_spool_refused_files",
    "payrouter_spool_damaged_records_total",
)
_UNSENT: Final = "SELECT count(*) FROM notifications.message WHERE state <> 'sent'"
_COUNTS: Final = "SELECT sum(applied), sum(duplicate), sum(stale), sum(gaps) FROM {}.fence"


@dataclass(frozen=True)
class Held:
    """What the sinks hold."""

    events: Mapping[Effect, int]
    paid: Mapping[str, Decimal]
    paid_out: Mapping[str, Decimal]
    stock: Mapping[str, int]
    reserved: int
    oversold: int
    orders: Mapping[str, str]
    messages: Mapping[Effect, int]
    received: int
    """Different messages at the receiver."""
    applied: Mapping[str, int] = field(default_factory=dict)
    """Records that were not duplicates, by consumer."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Number of things that must not be left, by what they are."""


@dataclass(frozen=True)
class Verdict:
    """References of what is lost and doubled, and everything else that is wrong."""

    lost: frozenset[str]
    doubled: frozenset[str]
    wrong: Sequence[str]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.wrong)


def judged(due: Due, held: Held) -> Verdict:
    """Compare what the sinks hold with what is due."""
    lost = {name for kind, name in due.events if (kind, name) not in held.events}
    doubled = {name for (_, name), count in held.events.items() if count > 1}
    for wanted, found in ((due.paid, held.paid), (due.paid_out, held.paid_out)):
        lost |= {name for name in wanted if abs(found.get(name, Decimal(0))) < wanted[name]}
        doubled |= {name for name in found if abs(found[name]) > wanted.get(name, Decimal(0))}
    lost |= {name for name in due.orders if held.orders.get(name) != "committed"}
    lost |= {name for kind, name in due.messages if (kind, name) not in held.messages}
    doubled |= {name for (_, name), count in held.messages.items() if count > 1}
    return Verdict(frozenset(lost), frozenset(doubled), list(_wrong(due, held)))


def _wrong(due: Due, held: Held) -> Collection[str]:
    wrong = [f"{what}: {count}" for what, count in held.left.items() if count]
    unknown = held.events.keys() - due.events
    if unknown:
        wrong.append(f"events that were never sent: {sorted(unknown)[:3]}")
    if dict(held.stock) != dict(due.stock):
        wrong.append(f"articles sold {dict(held.stock)}, due {dict(due.stock)}")
    for what, count in (("reserved", held.reserved), ("oversold", held.oversold)):
        if count:
            wrong.append(f"articles {what}: {count}")
    for name, most in due.applied.items():
        if held.applied.get(name, 0) > most:
            wrong.append(f"{name} applied {held.applied[name]} records of {most} events")
    if held.received != len(due.messages):
        wrong.append(f"messages received: {held.received}, due {len(due.messages)}")
    return wrong


async def settled(site: Site) -> None:
    """Wait until all is applied, all outcomes are sent and applied, and all messages are sent."""
    async with asyncio.timeout(SETTLED_SECONDS):
        await drained(site)
        await applied(site)
    for statement in (*(_LEFT["unsent outcomes"].format(name) for name in CONSUMERS), _UNSENT):
        await eventually(lambda s=statement: _none(site, s), statement, seconds=SETTLED_SECONDS)  # type: ignore[misc]
    async with asyncio.timeout(SETTLED_SECONDS):
        await applied(site)


async def _none(site: Site, statement: str) -> bool:
    rows = await asked(site, statement)
    return rows is not None and rows[0][0] == 0


async def held(site: Site) -> Held:
    """Read everything."""
    booked = await _rows(site, _BOOKED)
    stock = await _rows(site, _STOCK)
    counts = await counted(site)
    messages = Counter((kind, name) for kind, name, _ in await _rows(site, _MESSAGES))
    return Held(
        events={(kind, name): count for kind, name, count in await _rows(site, _EVENTS)},
        paid={name: amount for name, purpose, amount in booked if purpose == "payments"},
        paid_out={name: amount for name, purpose, amount in booked if purpose == "payouts"},
        stock={sku: sold for sku, sold, _, _ in stock if sold},
        reserved=sum(each[2] for each in stock),
        oversold=sum(each[3] for each in stock),
        orders=dict(map(tuple, await _rows(site, _ORDERS))),
        messages=messages,
        received=len(set(site.receiver.keys)),
        applied={name: each["applied"] + each["stale"] for name, each in counts.items()},
        left=await _everything_left(site),
    )


async def _everything_left(site: Site) -> Mapping[str, int]:
    left = Counter[str]()
    for what, statement in _LEFT.items():
        for name in CONSUMERS:
            left[what] += (await _rows(site, statement.format(name)))[0][0]
    left["messages not sent"] = (await _rows(site, _UNSENT))[0][0]
    said = await asyncio.to_thread(site.crew.run, "cases", "list", "--json")
    left["open cases"] = len(json.loads(said)["cases"])
    ends = await asyncio.to_thread(site.kafka.ends, list(_unused(site)))
    for (topic, _), end in ends.items():
        left[topic] += end
    left["processes that ended by themselves"] = sum(
        len(each.ended) for each in site.crew.members.values()
    )
    for edge in site.crew.of("edge"):
        left["records in spools"] += int(await asyncio.to_thread(edge.measured, *_SPOOL) or 0)
    await asyncio.to_thread(site.crew.run, "ledger", "verify")
    return left


def _unused(site: Site) -> Sequence[str]:
    """Return the topics that must be empty."""
    dead = [site.dead_letters(topic, name) for name in CONSUMERS for topic in READ[name]]
    return [site.topics.quarantine, *dead]


async def counted(site: Site) -> Mapping[str, Mapping[str, int]]:
    """Return by consumer how many records were applied, duplicates, stale, gaps."""
    names = ("applied", "duplicate", "stale", "gaps")
    return {
        name: dict(zip(names, map(int, (await _rows(site, _COUNTS.format(name)))[0]), strict=True))
        for name in CONSUMERS
    }


async def delays(site: Site) -> Sequence[tuple[int, float]]:
    """Return for each event the number of its first delivery, and its seconds.

    They run from the first attempt to deliver it until the last consumer has applied it.
    """
    first = site.gateways.first
    return [
        (first[kind, name].number, (at - first[kind, name].at).total_seconds())
        for kind, name, at in await _rows(site, _LAST)
        if (kind, name) in first
    ]


async def _rows(site: Site, statement: str) -> list[Any]:
    rows = await asked(site, statement)
    assert rows is not None, f"the database does not answer: {statement}"
    return rows


def begun_during(sold: Sequence[Sold], names: Collection[str]) -> Mapping[str, int]:
    """Return the number of the first delivery of each of these references."""
    first: dict[str, int] = {}
    for each in sold:
        if each.order.reference in names:
            first.setdefault(each.order.reference, each.number)
    return first
