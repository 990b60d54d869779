"""Decides about an order: shows it first, and records the decision if it is confirmed."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.inventory.commands_stock import check_text
from consumers.inventory.deciding.facts import OrderFacts
from consumers.inventory.deciding.reading import (
    DecisionProgress,
    NotDecidable,
    OrderName,
    find_order,
    progress_of,
    read_facts,
    record_decision,
)
from consumers.inventory.deciding.showing import effect_json, facts_json, show_effect, show_facts
from consumers.inventory.policy import Policy
from consumers.runtime.settings import ConsumerSettings
from consumers.runtime.store.database import StoreUnavailable, acting, reading
from router.contract.fields import text_of
from router.contract.operator import Decision
from router.contract.order import Order
from router.terminal.exits import EXIT_PROBLEM, CommandError
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json
from router.terminal.processes import run_async
from router.terminal.typed import typed

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class DecisionRequest:
    """A decision as an operator asks for it.

    `version` is None to show only; else the decision is made if the order still has this version.
    `repeat` returns the command that decides about a version. `patience` is how many seconds to
    wait until the consumer has applied the decision. `who` is the operator, None for the user of
    this process.
    """

    name: OrderName
    decision: Decision
    reason: str
    version: str | None
    repeat: Callable[[str], str]
    patience: int
    who: str | None = None


def decide_and_show(settings: ConsumerSettings, request: DecisionRequest, *, as_json: bool) -> None:
    """Print an order and what the decision changes; record it if the request has a version.

    Raises UsageError for text that no record can hold, and CommandError if the order is missing,
    ambiguous, or was changed since its version was shown.
    """
    check_text("ORDER", request.name.reference)
    check_text("--reason", request.reason)
    if request.name.account is not None:
        check_text("--account", request.name.account)
    try:
        if request.version is None:
            _show(settings, request, as_json=as_json)
        else:
            _decide(settings, request, request.version, as_json=as_json)
    except NotDecidable as problem:
        raise CommandError(str(problem)) from None


async def order_facts(
    connection: AsyncConnection, settings: ConsumerSettings, name: OrderName
) -> OrderFacts:
    """Return an order as it is now, to decide about. Raises NotDecidable."""
    number = await find_order(connection, name)
    return await read_facts(connection, number, _policy(settings))


def _show(settings: ConsumerSettings, request: DecisionRequest, *, as_json: bool) -> None:

    async def read() -> OrderFacts:
        async with reading(settings) as connection:
            return await order_facts(connection, settings, request.name)

    facts = run_async(read())
    message = message_of(facts, request)
    effect = facts.effect_of(message)
    command = request.repeat(facts.version)
    if as_json:
        would = effect_json(message, effect)
        show_json({"done": False, "order": facts_json(facts), "would": would, "command": command})
        return
    show_facts(facts)
    show_effect(facts, message, effect)
    click.echo(f"nothing is decided yet; to decide:\n{command}")


def _decide(
    settings: ConsumerSettings, request: DecisionRequest, version: str, *, as_json: bool
) -> None:

    async def recorded() -> tuple[OrderFacts, Order]:
        async with acting(settings) as engine, engine.begin() as transaction:
            return await record(transaction, settings, request, version)

    facts, message = run_async(recorded())
    if not as_json:
        click.echo(f"{request.decision} is decided, as event {message.id}")
    progress = run_async(_progress(settings, message, request.patience))
    if as_json:
        found = {"event_id": str(message.id), "applied": progress.applied}
        effect = effect_json(message, facts.effect_of(message))
        order = facts_json(facts)
        show_json(
            {"done": True, **found, "refused": progress.refused, "order": order, "effect": effect}
        )
    elif progress.applied:
        click.echo("the inventory has applied it")
    elif progress.refused is None:
        click.echo(_waits(request.name.reference))
    if progress.refused is not None:
        click.echo(_refused(progress.refused), err=True)
        sys.exit(EXIT_PROBLEM)


def _waits(reference: str) -> str:
    return (
        "it waits for the consumer, which publishes and applies it once `payrouter consume"
        f" inventory` runs; `{typed('payrouter trace', [reference])}` shows it then,"
        " `payrouter outbox show inventory` what is not published"
    )


def _refused(error: str) -> str:
    return (
        f"the decision is recorded, but the broker refuses its record: {error};"
        " correct the topic, then run `payrouter outbox retry inventory`"
    )


async def record(
    transaction: AsyncConnection,
    settings: ConsumerSettings,
    request: DecisionRequest,
    version: str,
) -> tuple[OrderFacts, Order]:
    """Record the decision in a transaction, which holds the order's lock. Raises NotDecidable."""
    number = await find_order(transaction, request.name)
    facts = await read_facts(transaction, number, _policy(settings), locked=True)
    if facts.version != version:
        raise NotDecidable(_changed(request.name, facts))
    message = message_of(facts, request)
    await record_decision(transaction, message, request.decision, settings.topics.order)
    return facts, message


def _changed(name: OrderName, facts: OrderFacts) -> str:
    waiting = "".join(f"; {each.by} decided {each.text}" for each in facts.waiting)
    return (
        f"order {name} has changed since that version{waiting};"
        " run the command without --yes and --version to see it, and decide again"
    )


async def _progress(settings: ConsumerSettings, message: Order, patience: int) -> DecisionProgress:
    """Wait until the consumer has applied a decision, or its record is refused."""
    ends = time.monotonic() + patience
    try:
        async with acting(settings) as engine:
            while True:
                async with engine.connect() as connection:
                    found = await progress_of(
                        connection, message.id, message.key, settings.topics.order
                    )
                if found.applied or found.refused is not None or time.monotonic() >= ends:
                    return found
                await asyncio.sleep(_LOOK_SECONDS)
    except StoreUnavailable:
        # It is recorded; whether it is applied can be read later.
        return DecisionProgress(applied=False)


def message_of(facts: OrderFacts, request: DecisionRequest) -> Order:
    """Return the decision about an order as the message that the consumer applies."""
    who = request.who or operator_name()
    return facts.message(request.decision, text_of(who), request.reason)


def _policy(settings: ConsumerSettings) -> Policy:
    options = settings.options
    return options if isinstance(options, Policy) else Policy()
