"""Shows what a statement would change, and records it: the event in the outbox and who did it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from msgspec.structs import replace as changed
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.ledger.book import SCHEMA
from consumers.ledger.facts.position import Position
from consumers.ledger.recording.finding import Sought, find_subject
from consumers.ledger.recording.pending import (
    OPERATION,
    PendingStatement,
    detail_of,
    pending_statements,
)
from consumers.ledger.recording.preview import Preview, preview_of, version_of
from consumers.ledger.recording.statement import (
    Statement,
    StatementSubject,
    event_about,
    known_currencies,
)
from consumers.ledger.writing.positions import load_movements, lock_positions
from consumers.runtime.apply.outbox import Outgoing, put
from consumers.runtime.commands.actions.held_admin import record_operation
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import acting, reading
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event
from router.contract.wire import encode_event, first_problem
from router.telemetry.logs import new_traceparent
from router.terminal.exits import CommandError


@dataclass(frozen=True)
class Proposal:
    """A statement about a known version of a payment or payout, and what it would change."""

    subject: StatementSubject
    event: Event
    version: str
    preview: Preview
    pending: tuple[PendingStatement, ...] = ()


async def propose(settings: ConsumerSettings, sought: Sought, statement: Statement) -> Proposal:
    """Return what a statement would change; writes nothing.

    Raises CommandError if the payment is unknown, ambiguous, or the statement unsuitable.
    """
    async with reading(settings) as connection:
        subject = await _found(connection, settings, sought, statement)
        return await _proposal(connection, subject, statement)


async def record(
    settings: ConsumerSettings, sought: Sought, statement: Statement, version: str
) -> Proposal:
    """Put the event of a statement into the outbox, with a record of the operation, at once.

    Raises CommandError if the payment changed since the version, which is checked while its row is
    locked.
    """
    async with acting(settings) as engine, engine.begin() as transaction:
        subject = await _found(transaction, settings, sought, statement)
        locked = await _locked(transaction, subject, statement)
        proposal = await _proposal(transaction, locked, statement)
        if proposal.version != version:
            raise CommandError(_changed(proposal))
        event = proposal.event
        tables = RuntimeTables.of(SCHEMA)
        topic = settings.topics.name(event.type.family)
        record = encode_event(event, topic, new_traceparent())
        await put(transaction, tables, [Outgoing(topic, record.key, record.value, record.headers)])
        detail = detail_of(event, statement, locked.position.id)
        await record_operation(transaction, tables, statement.by, OPERATION, detail)
    return proposal


async def _found(
    connection: AsyncConnection, settings: ConsumerSettings, sought: Sought, statement: Statement
) -> StatementSubject:
    subject = await find_subject(connection, sought)
    known = settings.accounts
    if subject.is_new and known and subject.position.account not in known:
        message = (
            f"no endpoint has the account {subject.position.account}; there are {', '.join(known)}"
        )
        raise CommandError(message)
    return await _with_transfer(connection, subject, statement)


async def _locked(
    transaction: AsyncConnection, subject: StatementSubject, statement: Statement
) -> StatementSubject:
    """Lock the row of the position, inserting it if it is new; return its contents."""
    own = subject.position
    kept = (await lock_positions(transaction, [own]))[own.id].position
    position = changed(kept, reference=kept.reference or own.reference)
    return await _with_transfer(transaction, replace(subject, position=position), statement)


async def _with_transfer(
    connection: AsyncConnection, subject: StatementSubject, statement: Statement
) -> StatementSubject:
    """Return the subject with the fold of the transfer that the statement is about."""
    own, transfer = subject.position, statement.transfer
    keys = set() if transfer.movement is None else {(transfer.kind, transfer.movement)}
    folds = await load_movements(connection, {(own.id, key) for key in keys})
    return replace(subject, position=changed(own, movements=folds.get(own.id, {})))


async def _proposal(
    connection: AsyncConnection, subject: StatementSubject, statement: Statement
) -> Proposal:
    _check_currency(subject.position, statement.currency)
    pending = await pending_statements(connection, subject.position.id)
    version = version_of(subject.position, pending)
    # The moment of the database, after the lock: a later statement always has a later one.
    now = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    event = _event(subject, statement, now.astimezone(UTC), version)
    preview = preview_of(subject.position, event, statement.transfer)
    return Proposal(subject, event, version, preview, tuple(pending))


def _event(subject: StatementSubject, statement: Statement, now: datetime, version: str) -> Event:
    if statement.at is not None and statement.at > now:
        message = f"--at: {statement.at.isoformat()} is in the future"
        raise CommandError(message)
    try:
        return event_about(subject, statement, now, version)
    except ValidationError as error:
        raise CommandError(first_problem(error)) from None


def _check_currency(position: Position, currency: str) -> None:
    """Refuse a currency in lower case, which would be another one, unless it is known."""
    known = known_currencies(position)
    if currency in known or currency == currency.upper():
        return
    message = f"--currency: {currency} is not known of this payment; write {currency.upper()}"
    raise CommandError(message)


def _changed(proposal: Proposal) -> str:
    position: Position = proposal.subject.position
    named = position.provider_reference or position.reference
    waiting = "".join(
        f"; a statement that {each.who} recorded at {each.at.isoformat()} is not applied yet"
        for each in proposal.pending
    )
    return (
        f"{position.family} {named} changed since that version{waiting}; nothing was recorded:"
        " run the command without --yes to see what is known now"
    )
