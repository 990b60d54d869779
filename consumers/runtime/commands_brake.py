"""`payrouter brake show NAME` and `payrouter brake clear NAME`."""

import sys

import click

from consumers.runtime.brake import Brake, clear_brake, read_brake
from consumers.runtime.command import (
    EXIT_PROBLEM,
    Consumer,
    answered,
    json_option,
    operator,
    show_json,
)
from consumers.runtime.held_admin import record_operation
from consumers.runtime.store import acting, reading


@click.command
@json_option
@click.pass_obj
def show(consumer: Consumer, *, as_json: bool) -> None:
    """Tell whether the brake of NAME holds, since when and why. Fails if it does."""

    async def read() -> Brake:
        async with reading(consumer.settings) as connection:
            return await read_brake(connection, consumer.tables)

    brake = answered(read())
    _say(brake, str(brake), as_json=as_json)
    sys.exit(0 if brake.held_since is None else EXIT_PROBLEM)


@click.command
@json_option
@click.pass_obj
def clear(consumer: Consumer, *, as_json: bool) -> None:
    """Let go of the brake of NAME: it goes on where it stood. Who did so is kept."""

    async def let_go() -> Brake:
        async with acting(consumer.settings) as engine, engine.begin() as transaction:
            was = await clear_brake(transaction, consumer.tables)
            await record_operation(
                transaction, consumer.tables, operator(), "brake clear", str(was)
            )
            return was

    was = answered(let_go())
    said = "the brake did not hold" if was.held_since is None else f"cleared; {was}"
    _say(was, said, as_json=as_json)


def _say(brake: Brake, said: str, *, as_json: bool) -> None:
    if as_json:
        since = None if brake.held_since is None else brake.held_since.isoformat()
        held = since is not None
        show_json({"held": held, "since": since, "streak": brake.streak, "detail": brake.detail})
    else:
        click.echo(said)
