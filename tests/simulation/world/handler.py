"""The simulated consumer: books the totals of a payment, like the ledger, in its transaction."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast

from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.fate import Fate
from consumers.runtime.service import Poison, Service
from tests.simulation.store import errors
from tests.simulation.store.books import ModelTransaction
from tests.simulation.store.rows import ACCOUNTS, EFFECTS, AccountEntry, EffectEntry
from tests.simulation.world.messages import SimMessage, Temper

CONSUMER = "simulated"
OUTCOMES = "simulated.outcome"
RETURNED_MORE = "more was returned than paid"
_FAILS = {Temper.FLAKY: 2, Temper.MENDED: 5}
"""How many tries of a record fail."""

_TROUBLES = 2


@dataclass
class SimHandler:
    """Applies messages. `tried` counts the tries of each record, over all processes."""

    tried: Counter[int] = field(default_factory=Counter)

    async def __call__(
        self, connection: AsyncConnection, messages: Sequence[SimMessage]
    ) -> Sequence[Fate]:
        """Apply messages: lock the accounts by key, then book one after the other."""
        books = cast("ModelTransaction", connection)
        await self._fail_or_not(books, messages)
        await books.session.begin_statement()
        for key in sorted({each.key for each in messages}):
            await books.session.lock(("account", key))
        await books.session.begin_statement()
        fates = [book(books, each) for each in messages]
        await books.publish([outcome(each) for each in messages])
        return fates

    async def _fail_or_not(self, books: ModelTransaction, messages: Sequence[SimMessage]) -> None:
        """Fail as the messages make it fail, after the store was written to."""
        for each in messages:
            self.tried[each.serial] += 1
            if each.temper is Temper.POISON:
                message = "never"
                raise Poison(message)
            fails = self.tried[each.serial] <= _FAILS.get(each.temper, 0)
            if fails or each.temper is Temper.HOPELESS:
                await books.session.begin_statement()
                book(books, each)
                message = "not now"
                raise ValueError(message)
            if each.temper is Temper.TROUBLED and self.tried[each.serial] <= _TROUBLES:
                with contextlib.suppress(DBAPIError):
                    raise books.session.abort(errors.check_violated())


def book(books: ModelTransaction, each: SimMessage) -> Fate:
    """Book what a message reports beyond what is booked; judge the case from all facts."""
    view = books.session.view
    was = view.get(ACCOUNTS, each.key) or AccountEntry()
    now = replace(was, paid=max(was.paid, each.paid), returned=max(was.returned, each.returned))
    now = replace(now, case=case_of(now))
    view.put(ACCOUNTS, each.key, now)
    number = books.session.database.committed.next_number(EFFECTS)
    amount = (now.paid - was.paid) - (now.returned - was.returned)
    view.put(EFFECTS, number, EffectEntry(each.id, each.serial, each.key, amount))
    return Fate.STALE if (now.paid, now.returned) == (was.paid, was.returned) else Fate.APPLIED


def case_of(account: AccountEntry) -> str | None:
    """Return the case that the facts justify."""
    return RETURNED_MORE if account.returned > account.paid else None


def outcome(each: SimMessage) -> Outgoing:
    """Return the outcome that the consumer publishes about a message."""
    return Outgoing(OUTCOMES, each.key.encode(), b"%d" % each.serial, [])


def simulated_service(handler: SimHandler, topics: Sequence[str]) -> Service:
    """Return the consumer's definition."""
    return Service(
        name=CONSUMER,
        topics=tuple(topics),
        tables=MetaData(schema=CONSUMER),
        migrations="none",
        handle=handler,
    )
