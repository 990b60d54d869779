"""Where is this payment: what every consumer, its runtime and the kept deliveries know of it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake, holding, read_brakes
from consumers.runtime.configured import Consumer
from consumers.runtime.progress.reading import Standings
from consumers.runtime.store.database import StoreUnavailable, reading
from consumers.runtime.trace.held import HeldRecord, Taken, held_records, taken, texts_of
from consumers.runtime.trace.held_up import held_up
from consumers.runtime.trace.kept_scan import Scan, Scanned, body_of, scan_kept
from consumers.runtime.trace.mentions import Mentions
from consumers.runtime.trail import TrailQuery, TrailStep
from router.contract.quarantine import Quarantined
from router.contract.refused import Refused

ROUNDS = 5
"""So often at most the consumers are asked again with what others found."""


@dataclass(frozen=True)
class Question:
    """What a person asked: the text, whose it is to be, how many kept deliveries to read."""

    text: str
    account: str | None = None
    quarantine_limit: int = 1000


@dataclass(frozen=True)
class Answer:
    """What one consumer's database holds."""

    steps: Sequence[TrailStep] = ()
    taken: Sequence[Taken] = ()
    held: Sequence[HeldRecord] = ()
    brakes: Mapping[str, Brake] = field(default_factory=dict)
    """Those that hold, by topic."""


@dataclass(frozen=True)
class Trace:
    """Everything that was found, and what could not be asked.

    `away` are the consumers whose database could not be read, with why.
    """

    question: Question
    sought: TrailQuery
    answers: Mapping[str, Answer]
    topics: Mapping[str, frozenset[str]]
    quarantined: Scanned[Quarantined] = field(default_factory=Scanned)
    refused: Scanned[Refused] = field(default_factory=Scanned)
    away: Mapping[str, str] = field(default_factory=dict)
    standings: Standings = field(default_factory=lambda: Standings({}))
    """Where each consumer is on its partitions."""

    @property
    def found(self) -> bool:
        """Whether there is anything."""
        known = any(each.steps or each.held or each.taken for each in self.answers.values())
        return known or bool(self.quarantined.found) or bool(self.refused.found)

    @property
    def whole(self) -> bool:
        """Whether every consumer could be asked."""
        return not self.away


async def trace(consumers: Sequence[Consumer], question: Question) -> Trace:
    """Ask all of them until nothing new is found, then read the kept deliveries."""
    sought = TrailQuery(question.text, frozenset(_as_ids(question.text)))
    answers: dict[str, Answer] = {}
    away: dict[str, str] = {}
    for _ in range(ROUNDS):
        present = [each for each in consumers if each.service.name not in away]
        told = await asyncio.gather(*(_asked(each, sought) for each in present))
        for consumer, said in zip(present, told, strict=True):
            name = consumer.service.name
            if isinstance(said, str):
                away[name] = said
            else:
                answers[name] = _of_account(said, question.account)
        grown = _grown(sought, answers.values())
        if grown == sought:
            break
        sought = grown
    topics = {each.service.name: each.topics for each in consumers}
    present = [each for each in consumers if each.service.name not in away]
    (quarantined, refused), standings = await asyncio.gather(
        _kept(consumers, question, sought), _standings(present)
    )
    return Trace(question, sought, answers, topics, quarantined, refused, away, standings)


async def _standings(consumers: Sequence[Consumer]) -> Standings:
    try:
        return await held_up(consumers)
    except StoreUnavailable as problem:
        # It was there a moment ago.
        return Standings({}, away=str(problem))


async def _asked(consumer: Consumer, sought: TrailQuery) -> Answer | str:
    """Ask one consumer; where it cannot be, return why."""
    try:
        async with reading(consumer.settings) as connection:
            return await _answer(connection, consumer, sought)
    except StoreUnavailable as problem:
        return str(problem)
    except Exception as error:  # noqa: BLE001 - one consumer's mistake is not to hide the others
        return f"its trail fails with {type(error).__name__}"


async def _answer(connection: AsyncConnection, consumer: Consumer, sought: TrailQuery) -> Answer:
    own = consumer.service.trail
    steps = [] if own is None else await own(connection, sought)
    held = await held_records(connection, consumer.tables, sought)
    ids = sought.event_ids | _ids(steps, held)
    brakes = holding(await read_brakes(connection, consumer.tables))
    return Answer(steps, await taken(connection, consumer.tables, ids), held, brakes)


def _grown(sought: TrailQuery, answers: Iterable[Answer]) -> TrailQuery:
    """Add what was found to what is sought."""
    event_ids, orders = set(sought.event_ids), set(sought.orders)
    for answer in answers:
        event_ids |= _ids(answer.steps, answer.held)
        orders |= {step.order for step in answer.steps if step.order is not None}
        orders |= {record.order for record in answer.held if record.order is not None}
    return replace(sought, event_ids=frozenset(event_ids), orders=frozenset(orders))


def _ids(steps: Iterable[TrailStep], held: Iterable[HeldRecord]) -> frozenset[UUID]:
    found = {step.event_id for step in steps} | {record.event_id for record in held}
    return frozenset(each for each in found if each is not None)


def _of_account(answer: Answer, account: str | None) -> Answer:
    """Leave out what is known to be another merchant's."""
    if account is None:
        return answer
    others = {
        step.event_id
        for step in answer.steps
        if step.event_id is not None and _account(step) not in {None, account}
    }
    return replace(
        answer,
        steps=[
            step
            for step in answer.steps
            if step.event_id not in others and _account(step) in {None, account}
        ],
        taken=[each for each in answer.taken if each.event_id not in others],
        held=[each for each in answer.held if each.event is None or each.event.account == account],
    )


def _account(step: TrailStep) -> str | None:
    return step.facts.get("account") if step.order is None else step.order[0]


async def _kept(
    consumers: Sequence[Consumer], question: Question, sought: TrailQuery
) -> tuple[Scanned[Quarantined], Scanned[Refused]]:
    if not consumers or question.quarantine_limit == 0:
        return Scanned(), Scanned()
    settings = consumers[0].settings
    mentions = Mentions(texts_of(sought))

    def wanted(kept: Quarantined | Refused) -> bool:
        if question.account not in {None, kept.account}:
            return False
        return str(kept.id) == question.text or mentions.within(body_of(kept))

    names, newest = settings.topics, question.quarantine_limit
    return await asyncio.gather(
        scan_kept(settings.kafka, Scan(names.quarantine, newest, Quarantined, wanted)),
        scan_kept(settings.kafka, Scan(names.refused, newest, Refused, wanted)),
    )


def _as_ids(text: str) -> Sequence[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
