"""Each message is sent once: several instances, kills, rate limits, any interleaving."""

import asyncio
import signal
import sys
from collections import Counter
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.rules import KINDS
from consumers.notifications.tables import SCHEMA
from consumers.runtime.fate import Fate
from router.contract.event import Event
from tests.parts.contract.orders import order
from tests.parts.notifications.desk import (
    EMAIL,
    applied,
    messages,
    options,
    rule,
    run,
    said,
    states,
    told,
)
from tests.parts.notifications.receivers import hook
from tests.parts.notifications.sending import dispatcher, drained, due_now, lease_over, written
from tests.parts.notifications.victim import Moment, Order

PATIENCE_SECONDS = 60.0


async def test_two_instances_send_each_message_once(desk: AsyncEngine) -> None:
    await written(desk, 60)
    async with hook() as receiver:
        instances = [dispatcher(receiver.url) for _ in range(2)]
        await asyncio.gather(*(drained(desk, each) for each in instances))
    assert len(receiver.keys) == len(set(receiver.keys)) == 60
    assert await states(desk) == ["sent"] * 60
    assert len(await said(desk)) == 60


async def killed(desk: AsyncEngine, url: str, moment: Moment) -> None:
    """Run a dispatcher in a separate process until it kills itself."""
    database = desk.url.render_as_string(hide_password=False)
    wanted = Order(database_url=database, hook_url=url, moment=moment)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.parts.notifications.victim", wanted.model_dump_json()
    )
    try:
        ended = await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert ended == -signal.SIGKILL


@pytest.mark.parametrize(
    ("moment", "arrived_before", "arrived_at_all"),
    [("before the send", 0, 1), ("between send and mark", 1, 2), ("after the mark", 1, 1)],
)
async def test_a_message_is_sent_twice_only_if_its_sender_dies_between_send_and_mark(
    desk: AsyncEngine, moment: Moment, arrived_before: int, arrived_at_all: int
) -> None:
    """The repeated message has the same key, so the receiver can detect the repeat."""
    await written(desk, 1)
    async with hook() as receiver:
        await killed(desk, receiver.url, moment)
        assert len(receiver.keys) == arrived_before
        other = dispatcher(receiver.url)
        await drained(desk, other)
        assert len(receiver.keys) == arrived_before, "the lease of the dead still lasts"
        await lease_over(desk)
        await drained(desk, other)
    (row,) = await messages(desk)
    assert receiver.keys == [str(row.id)] * arrived_at_all
    assert row.state == "sent"
    assert len(await said(desk)) == 1


async def test_a_rate_limit_applies_to_all_instances_together(desk: AsyncEngine) -> None:
    await written(desk, 12)
    async with hook() as receiver:
        instances = [dispatcher(receiver.url, per_minute=5) for _ in range(3)]
        await asyncio.gather(*(drained(desk, each) for each in instances))
        assert len(receiver.keys) == 5
        assert Counter(await states(desk)) == {"sent": 5, "pending": 7}
        await run(desk, f"UPDATE {SCHEMA}.departure SET at = at - interval '30 s'")
        await drained(desk, *instances)
        assert len(receiver.keys) == 5
        await run(desk, f"UPDATE {SCHEMA}.departure SET at = at - interval '31 s'")
        await drained(desk, *instances)
    assert len(set(receiver.keys)) == 10


async def test_retries_count_towards_the_rate_limit(desk: AsyncEngine) -> None:
    await written(desk, 1)
    async with hook(*[500] * 5) as receiver:
        sender = dispatcher(receiver.url, per_minute=2)
        for _ in range(5):
            await drained(desk, sender)
            await due_now(desk)
    assert len(receiver.requests) == 2


RULES = options(
    [
        rule(["payment.*", "subscription.*"], "customer", "log", "mail"),
        rule(["payment.*", "alert.*"], "on-call", "hook"),
        rule("payment.confirmed", "on-call", "hook", "mail"),
    ]
)


def stories(random: Random) -> list[object]:
    """Return events of a few payments with their orders and repeats, shuffled."""
    kinds = [kind for kind in KINDS if kind.startswith(("payment.", "subscription."))]
    events: list[object] = []
    for number in range(random.randint(1, 3)):
        facts = {"reference": f"A-{number}", "provider_reference": f"P-{number}"}
        events += [told(random.choice(kinds), **facts) for _ in range(random.randint(1, 5))]
        if random.random() < 0.5:
            events.append(order(reference=f"A-{number}", customer={"email": EMAIL}))
    events += random.choices(events, k=random.randint(0, 4))
    random.shuffle(events)
    return events


@pytest.mark.parametrize("block", range(4))
async def test_no_interleaving_creates_two_messages_for_one_change_and_channel(
    desk: AsyncEngine, block: int
) -> None:
    """Runs fifty interleavings of batches, repeats, roll-backs, concurrent handlers, pruning."""
    for seed in range(block * 50, block * 50 + 50):
        tables = ("message", "change", "movement", "subject", "customer")
        await run(desk, "TRUNCATE " + ", ".join(f"{SCHEMA}.{table}" for table in tables))
        accepted = await interleaved(desk, Random(seed))
        rows = await messages(desk)
        keys = [(row.event_id, row.channel, row.recipient) for row in rows]
        assert len(keys) == len(set(keys)), seed
        told_of = {row.event_id for row in rows if not row.kind.startswith("alert.")}
        assert told_of == accepted, seed


async def interleaved(desk: AsyncEngine, random: Random) -> set[object]:
    """Apply one interleaving; return the ids of the events that changed something."""
    events = stories(random)
    accepted: set[object] = set()

    async def apply(batch: list[object]) -> None:
        outcomes = await applied(desk, RULES, *batch)
        for event, outcome in zip(batch, outcomes, strict=True):
            if outcome is Fate.APPLIED and isinstance(event, Event):
                assert event.id not in accepted
                accepted.add(event.id)

    while events:
        batch = [events.pop() for _ in range(min(len(events), random.randint(1, 4)))]
        if random.random() < 0.2:
            # Other payments at the same time in another process, but never the same event:
            # the runtime claims its id first.
            known = {getattr(each, "id", None) for each in batch}
            others = [each for each in events if getattr(each, "id", None) not in known][:3]
            events = [each for each in events if each not in others]
            await asyncio.gather(apply(batch), apply(others))
        else:
            await apply(batch)
    return accepted
