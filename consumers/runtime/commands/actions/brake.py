"""Shows and releases the brakes of a consumer."""

import sys
from collections.abc import Mapping

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake, clear_brakes, holding, read_brakes
from consumers.runtime.commands.actions.held_admin import record_operation, with_reason
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import acting, reading
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.operator_name import operator_name
from router.terminal.output import show_json
from router.terminal.processes import run_async


def show_brakes(consumer: Consumer, topic: str | None, *, as_json: bool) -> None:
    """Print the brakes; exits with status 1 if one holds."""

    async def read() -> Mapping[str, Brake]:
        async with reading(consumer.settings) as connection:
            topics = await _topics(connection, consumer, topic)
            return await read_brakes(connection, consumer.tables, topics)

    brakes = run_async(read())
    if as_json:
        show_json([_as_json(each) for each in brakes.values()])
    else:
        click.echo("\n".join(map(str, brakes.values())) or "no brake holds, no record has failed")
    sys.exit(EXIT_PROBLEM if holding(brakes) else 0)


def clear_and_show(consumer: Consumer, topic: str | None, *, as_json: bool) -> None:
    """Release the brakes and print those that held."""

    async def release() -> Mapping[str, Brake]:
        async with acting(consumer.settings) as engine, engine.begin() as transaction:
            return await release_brakes(transaction, consumer, topic, operator_name())

    released = run_async(release())
    if as_json:
        show_json([_as_json(each) for each in released.values()])
        return
    for brake in released.values():
        click.echo(f"cleared; {brake}")
    if not released:
        click.echo("no brake held")


async def release_brakes(
    transaction: AsyncConnection, consumer: Consumer, topic: str | None, who: str, why: str = ""
) -> Mapping[str, Brake]:
    """Release the brake of a topic, or all, and record the operation; return those that held.

    Raises UsageError if the consumer never read the topic.
    """
    topics = await _topics(transaction, consumer, topic)
    released = await clear_brakes(transaction, consumer.tables, topics)
    detail = with_reason("; ".join(map(str, released.values())) or "no brake held", why)
    await record_operation(transaction, consumer.tables, who, "brake clear", detail)
    return released


async def _topics(
    connection: AsyncConnection, consumer: Consumer, topic: str | None
) -> list[str] | None:
    """Return the topic given, or None for all. Raises UsageError if NAME never read it."""
    if topic is None:
        return None
    if topic not in consumer.topics | (await read_brakes(connection, consumer.tables)).keys():
        own = ", ".join(sorted(consumer.topics))
        message = f"{consumer.service.name} reads {own}, and no {topic}"
        raise click.UsageError(message)
    return [topic]


def _as_json(brake: Brake) -> dict[str, object]:
    since = brake.held_since and brake.held_since.isoformat()
    held = brake.held_since is not None
    return {
        "topic": brake.topic,
        "held": held,
        "since": since,
        "streak": brake.streak,
        "detail": brake.detail,
    }
