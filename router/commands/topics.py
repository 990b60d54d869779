"""`payrouter topics`: the topics on the broker, compared with what they need."""

import asyncio
import json
from functools import partial

import click
from rich.text import Text

from router.broker.client import make_admin
from router.broker.connection import KafkaConnection
from router.broker.topics.apply import (
    ApplyMode,
    TopicReport,
    TopicsReport,
    apply_topics,
    moves_keys,
)
from router.broker.topics.contract import MISSING, Difference, Fix, readable
from router.commands.invocation import (
    EXIT_PROBLEM,
    Invocation,
    console,
    invoked,
    json_option,
    listing,
    say_once,
)

_ACTIONS = {
    Fix.CREATE: "create",
    Fix.ALTER: "--alter",
    Fix.BY_HAND: "by hand",
    Fix.WAIT: "wait",
}


@click.group()
def topics() -> None:
    """Create the topics on the broker and compare them with what they need."""


@topics.command("apply")
@invoked
@click.option("--check", is_flag=True, help="Change nothing; status 1 if a topic differs.")
@click.option(
    "--alter",
    is_flag=True,
    help="Also alter what differs, where no record is lost by it. More partitions move keys.",
)
@json_option
def topics_apply(invocation: Invocation, *, check: bool, alter: bool, as_json: bool) -> int:
    """Create the topics that are missing and list how others differ from what they need.

    Exits with status 1 while a topic differs or cannot be compared. Deletes
    nothing, and makes no retention, size or number of partitions smaller.
    """
    if check and alter:
        message = "--check changes nothing: leave out --alter"
        raise click.UsageError(message)
    mode = ApplyMode.CHECK if check else ApplyMode.ALTER if alter else ApplyMode.CREATE
    report = _applied(invocation, mode)
    if as_json:
        click.echo(json.dumps([topic.as_json() for topic in report.topics]))
    else:
        show(report)
    for name, why in report.refused.items():
        click.echo(f"payrouter: topic {name}: {why}", err=True)
    return 0 if report.well else EXIT_PROBLEM


def _applied(invocation: Invocation, mode: ApplyMode) -> TopicsReport:
    settings = invocation.settings()
    say_once()
    make = partial(make_admin, KafkaConnection.of(settings.kafka))
    needs = invocation.topic_needs(settings)
    return asyncio.run(apply_topics(make, settings.kafka.bootstrap_servers, needs, mode))


def show(report: TopicsReport) -> None:
    """Print a table with a row per difference, then what is to be known or done about them."""
    table = listing("topic", box=None, pad_edge=False)
    for column in ("what", "wanted", "found", "action"):
        table.add_column(column, no_wrap=True)
    for topic in report.topics:
        for cells in _rows(topic):
            table.add_row(*map(Text, cells))
    screen = console()
    screen.print(table)
    for line in _notes(report):
        screen.print(Text(line), soft_wrap=True)


def _rows(topic: TopicReport) -> list[tuple[str, ...]]:
    rows = [_row(each, "altered") for each in topic.altered]
    rows += [
        _row(each, _ACTIONS[each.fix] + (" !" if each.endangers else "")) for each in topic.left
    ]
    if topic.unchecked:
        rows.append(("", "configuration", "", "not shown", "" if rows else topic.result.value))
    if not rows:
        rows = [("", "", "", "", topic.result.value)]
    (_, *first), *others = rows
    return [(topic.name, *first), *(("", *rest) for _, *rest in others)]


def _row(difference: Difference, action: str) -> tuple[str, ...]:
    if difference.what == MISSING:
        return ("", difference.what, "", "missing", action)
    least = " or more" if difference.at_least else ""
    what = difference.what
    wanted = readable(what, difference.wanted) + least
    return ("", what, wanted, readable(what, difference.found), action)


def _not_shown(report: TopicsReport) -> list[str]:
    """Give each reason once, with the topics it is about."""
    topics: dict[str, list[str]] = {}
    for each in report.topics:
        if each.unchecked:
            topics.setdefault(each.unchecked, []).append(each.name)
    return [f"{why} ({', '.join(names)})" for why, names in topics.items()]


def _notes(report: TopicsReport) -> list[str]:
    """Say what the marks mean, which commands remain, and what moves keys."""
    left = report.left
    notes = [
        f"topic {each.topic}, {each.what}: {each.action}"
        for each in left
        if each.fix in {Fix.BY_HAND, Fix.WAIT}
    ]
    notes += _not_shown(report)
    if any(each.endangers for each in left):
        notes.append("! means that an event could be lost.")
    enlarged = [d for topic in report.topics for d in (*topic.altered, *topic.left)]
    if any(moves_keys(each) for each in enlarged):
        notes.append(
            "More partitions move keys: an order's later events may be applied before its"
            " earlier ones while both are on their way."
        )
    return notes
