"""Finds a payment in every consumer's database and in the quarantined and refused deliveries."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import holding, read_brakes
from consumers.runtime.casebook.entry import CaseEntry, entries_of
from consumers.runtime.casebook.reading import CaseFilter, read_cases
from consumers.runtime.casebook.stored_case import StoredCase, kinds_of
from consumers.runtime.configured import Consumer
from consumers.runtime.progress.reading import Standings
from consumers.runtime.store.database import StoreUnavailable, reading
from consumers.runtime.trace.answer import TraceAnswer, allowed_answers, of_account
from consumers.runtime.trace.held import HeldRecord, held_records, received_events, texts_of
from consumers.runtime.trace.held_up import held_up
from consumers.runtime.trace.kept_scan import KeptScan, Scanned, body_of, scan_kept
from consumers.runtime.trace.mentions import Mentions
from consumers.runtime.trail import TrailQuery, TrailStep
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused

_Found = TypeVar("_Found")

Opened = Callable[[Consumer], AbstractAsyncContextManager[AsyncConnection]]
"""Opens a connection to a consumer's database; raises StoreUnavailable."""

ROUNDS = 5
"""Maximum number of rounds: each searches all consumers for what the last round found."""


@dataclass(frozen=True)
class TraceQuestion:
    """The search: a text, optionally an account, and how many stored deliveries to read.

    `allowed` are the accounts that may be shown, None for all. What is not known to belong to one
    of them is left out, while `account` leaves out only what is known to belong to another.
    """

    text: str
    account: str | None = None
    quarantine_limit: int = 1000
    allowed: frozenset[str] | None = None

    def covers(self, account: str | None) -> bool:
        """Return whether the question includes what belongs to this account."""
        if self.allowed is not None and account not in self.allowed:
            return False
        return self.account in {None, account}


@dataclass(frozen=True)
class Trace:
    """All findings, and the sources that could not be read.

    `away` has the consumers whose database could not be read, with the reason.
    """

    question: TraceQuestion
    sought: TrailQuery
    answers: Mapping[str, TraceAnswer]
    topics: Mapping[str, frozenset[str]]
    quarantined: Scanned[Quarantined] = field(default_factory=Scanned)
    refused: Scanned[Refused] = field(default_factory=Scanned)
    away: Mapping[str, str] = field(default_factory=dict)
    standings: Standings = field(default_factory=lambda: Standings({}))
    """Progress of each consumer on its partitions."""
    kinds: frozenset[str] = frozenset()
    """Kinds of the cases that were read, open or not."""

    @property
    def found(self) -> bool:
        """Whether anything was found."""
        known = any(
            each.steps or each.held or each.received or each.cases for each in self.answers.values()
        )
        return known or bool(self.quarantined.found) or bool(self.refused.found)

    @property
    def open_cases(self) -> Sequence[CaseEntry]:
        """The open cases of what was found, the oldest first."""
        every = [each for answer in self.answers.values() for each in answer.cases]
        return entries_of(
            sorted(
                (each for each in every if not each.closed), key=lambda each: each.order_of_listing
            )
        )

    @property
    def whole(self) -> bool:
        """Whether every consumer's database could be read."""
        return not self.away


def opened_listing(consumer: Consumer) -> AbstractAsyncContextManager[AsyncConnection]:
    """Open a connection to the database of listings, for one question."""
    return reading(consumer.settings.listing)


async def trace(
    consumers: Sequence[Consumer], question: TraceQuestion, opened: Opened = opened_listing
) -> Trace:
    """Search all consumers until nothing new is found, then read the stored deliveries."""
    of_each = partial(_of_each, opened=opened)
    ids = frozenset(_as_ids(question.text))
    sought = TrailQuery(question.text, ids, accounts=question.allowed)
    answers: dict[str, TraceAnswer] = {}
    away: dict[str, str] = {}
    for _ in range(ROUNDS):
        present = [each for each in consumers if each.service.name not in away]
        for name, result in await of_each(present, partial(_answer, sought=sought)):
            if isinstance(result, str):
                away[name] = result
            else:
                answers[name] = of_account(result, question.account)
        answers = allowed_answers(answers, question.allowed)
        grown = _grown(sought, answers.values())
        if grown == sought:
            break
        sought = grown
    topics = {each.service.name: each.topics for each in consumers}
    present = [each for each in consumers if each.service.name not in away]
    wanted = partial(_cases, answers=answers, sought=sought, question=question)
    for name, cases in await of_each(present, wanted):
        if isinstance(cases, str):
            away[name] = cases
        else:
            answers[name] = replace(answers[name], cases=cases)
    present = [each for each in present if each.service.name not in away]
    (quarantined, refused), standings = await asyncio.gather(
        _kept(consumers, question, sought), _standings(present)
    )
    kinds = frozenset(kind for each in present for kind in kinds_of(each.service))
    return Trace(question, sought, answers, topics, quarantined, refused, away, standings, kinds)


async def _standings(consumers: Sequence[Consumer]) -> Standings:
    try:
        return await held_up(consumers)
    except StoreUnavailable as problem:
        # The database has become unavailable since.
        return Standings({}, away=str(problem))


async def _of_each(
    consumers: Sequence[Consumer],
    read: Callable[[AsyncConnection, Consumer], Awaitable[_Found]],
    opened: Opened,
) -> Sequence[tuple[str, _Found | str]]:
    """Read from every consumer's database; the reason in place of what could not be read."""
    results = await asyncio.gather(*(_asked(each, read, opened) for each in consumers))
    return list(zip((each.service.name for each in consumers), results, strict=True))


async def _asked(
    consumer: Consumer,
    read: Callable[[AsyncConnection, Consumer], Awaitable[_Found]],
    opened: Opened,
) -> _Found | str:
    try:
        async with opened(consumer) as connection:
            return await read(connection, consumer)
    except StoreUnavailable as problem:
        return str(problem)
    except Exception as error:  # noqa: BLE001 - one consumer's bug must not hide the others
        return f"its trail fails with {type(error).__name__}"


async def _cases(
    connection: AsyncConnection,
    consumer: Consumer,
    *,
    answers: Mapping[str, TraceAnswer],
    sought: TrailQuery,
    question: TraceQuestion,
) -> Sequence[StoredCase]:
    """Read the cases of the orders, payments and held records that were found."""
    payments = {step.facts.get("payment") for each in answers.values() for step in each.steps}
    wanted = CaseFilter(
        account=question.account,
        orders=sought.orders,
        names={sought.text, *(each for each in payments if each)},
        held={each.id for each in answers[consumer.service.name].held},
        closed=None,
    )
    found = (await read_cases(connection, consumer, wanted)).cases
    if question.allowed is None:
        return found
    return [each for each in found if each.account in question.allowed or each.held in wanted.held]


async def _answer(
    connection: AsyncConnection, consumer: Consumer, sought: TrailQuery
) -> TraceAnswer:
    own = consumer.service.trail
    steps = [] if own is None else await own(connection, sought)
    held = await held_records(connection, consumer.tables, sought)
    ids = sought.event_ids | _ids(steps, held)
    brakes = holding(await read_brakes(connection, consumer.tables))
    return TraceAnswer(steps, await received_events(connection, consumer.tables, ids), held, brakes)


def _grown(sought: TrailQuery, answers: Iterable[TraceAnswer]) -> TrailQuery:
    """Add the findings to the search."""
    event_ids, orders = set(sought.event_ids), set(sought.orders)
    for answer in answers:
        event_ids |= _ids(answer.steps, answer.held)
        orders |= {step.order for step in answer.steps if step.order is not None}
        orders |= {record.order for record in answer.held if record.order is not None}
    return replace(sought, event_ids=frozenset(event_ids), orders=frozenset(orders))


def _ids(steps: Iterable[TrailStep], held: Iterable[HeldRecord]) -> frozenset[UUID]:
    found = {step.event_id for step in steps} | {record.event_id for record in held}
    return frozenset(each for each in found if each is not None)


async def _kept(
    consumers: Sequence[Consumer], question: TraceQuestion, sought: TrailQuery
) -> tuple[Scanned[Quarantined], Scanned[Refused]]:
    if not consumers or question.quarantine_limit == 0:
        return Scanned(), Scanned()
    settings = consumers[0].settings
    mentions = Mentions(texts_of(sought))

    def wanted(kept: Quarantined | Refused) -> bool:
        if not question.covers(kept.account):
            return False
        return str(kept.id) == question.text or mentions.within(body_of(kept))

    names, newest = settings.topics, question.quarantine_limit
    return await asyncio.gather(
        scan_kept(settings.kafka, KeptScan(names.quarantine, newest, Quarantined, wanted)),
        scan_kept(settings.kafka, KeptScan(names.refused, newest, Refused, wanted)),
    )


def _as_ids(text: str) -> Sequence[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
