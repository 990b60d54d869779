"""`payrouter brake show NAME` and `payrouter brake clear NAME`."""

import sys
from collections.abc import Mapping

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.brake import Brake, clear_brakes, holding, read_brakes
from consumers.runtime.commands.held_admin import record_operation
from consumers.runtime.commands.one_consumer import (
    EXIT_PROBLEM,
    answered,
    json_option,
    operator,
    show_json,
)
from consumers.runtime.configured import Consumer
from consumers.runtime.store.database import acting, reading

topic_option = click.option(
    "--topic", metavar="TOPIC", help="This topic alone, as the broker names it; else all of NAME."
)


@click.command
@topic_option
@json_option
@click.pass_obj
def show(consumer: Consumer, topic: str | None, *, as_json: bool) -> None:
    """Tell which brakes of NAME hold, since when and why. Fails if one does."""

    async def read() -> Mapping[str, Brake]:
        async with reading(consumer.settings) as connection:
            topics = await _topics(connection, consumer, topic)
            return await read_brakes(connection, consumer.tables, topics)

    brakes = answered(read())
    if as_json:
        show_json([_as_json(each) for each in brakes.values()])
    else:
        click.echo("\n".join(map(str, brakes.values())) or "no brake holds, no record has failed")
    sys.exit(EXIT_PROBLEM if holding(brakes) else 0)


@click.command
@topic_option
@json_option
@click.pass_obj
def clear(consumer: Consumer, topic: str | None, *, as_json: bool) -> None:
    """Release the brakes of NAME: it goes on where it stopped. Who did so is kept."""

    async def release() -> Mapping[str, Brake]:
        async with acting(consumer.settings) as engine, engine.begin() as transaction:
            topics = await _topics(transaction, consumer, topic)
            released = await clear_brakes(transaction, consumer.tables, topics)
            detail = "; ".join(map(str, released.values())) or "no brake held"
            await record_operation(transaction, consumer.tables, operator(), "brake clear", detail)
            return released

    released = answered(release())
    if as_json:
        show_json([_as_json(each) for each in released.values()])
        return
    for brake in released.values():
        click.echo(f"cleared; {brake}")
    if not released:
        click.echo("no brake held")


async def _topics(
    connection: AsyncConnection, consumer: Consumer, topic: str | None
) -> list[str] | None:
    """Return the topics asked for. Raises UsageError where it neither reads nor has read it."""
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
