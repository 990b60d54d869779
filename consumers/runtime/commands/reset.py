"""`payrouter offsets reset NAME`."""

import click

from consumers.runtime.commands.fence_reset import Plan, ResetRefused, apply_reset, plan_reset
from consumers.runtime.commands.one_consumer import answered, json_option, show_json, show_table
from consumers.runtime.configured import Consumer


def _target(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Refuse what is neither `earliest`, `latest`, nor an offset."""
    if value not in {"earliest", "latest"} and not (value.isascii() and value.isdigit()):
        message = f"{value!r} is neither earliest, latest nor an offset"
        raise click.BadParameter(message)
    return value


@click.command
@click.option("--topic", required=True, help="payment, or the topic's name on the broker.")
@click.option("--partition", type=click.IntRange(0), help="Default: every one.")
@click.option(
    "--to", required=True, callback=_target, help="earliest, latest, or the next offset to apply."
)
@click.option("--yes", is_flag=True, help="Do it; without, only show what would be done.")
@click.option("--force", is_flag=True, help="Even where effects might be had a second time.")
@json_option
@click.pass_obj
def reset(  # noqa: PLR0913 - one argument per option
    consumer: Consumer,
    *,
    topic: str,
    partition: int | None,
    to: str,
    yes: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Set what NAME applies next of a topic. A running consumer follows within seconds.

    Read again, known events have no second effect; a reset further back than
    events are remembered is refused. Forward, what lies between is never
    applied. Who did so is kept.
    """
    if topic in consumer.service.topics:
        topic = consumer.settings.topics.name(topic)
    try:
        plan = answered(plan_reset(consumer, topic, partition, to))
    except ResetRefused as problem:
        raise click.ClickException(str(problem)) from None
    _refuse_the_forgotten(consumer, plan, force=force)
    if yes:
        answered(apply_reset(consumer, plan))
    _show(consumer, plan, done=yes, as_json=as_json)


def _refuse_the_forgotten(consumer: Consumer, plan: Plan, *, force: bool) -> None:
    forgotten = plan.forgotten()
    if forgotten and not force:
        first = forgotten[0]
        written = "at a time it does not say" if first.oldest is None else f"{first.oldest:%c}"
        message = (
            f"{first.partition} offset {first.to} was written {written}; {consumer.service.name}"
            f" knows every event only since {plan.known_since:%c}, so that older ones might have"
            " their effect a second time. --force does it all the same"
        )
        raise click.ClickException(message)


def _show(consumer: Consumer, plan: Plan, *, done: bool, as_json: bool) -> None:
    if as_json:
        show_json({"done": done, "partitions": [each.as_json() for each in plan.resets]})
        return
    rows = [
        (each.partition, "" if each.was is None else each.was, each.to, each.begin, each.end)
        for each in plan.resets
    ]
    columns = ("partition", "next", "becomes", "log begins", "log ends")
    show_table(consumer.service.name, columns, rows, numbers=columns[1:])
    click.echo("done" if done else "nothing was changed; --yes does it")
