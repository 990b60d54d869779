"""Compares the topics on the broker with what they need, and creates missing ones."""

import textwrap
from collections.abc import Sequence
from functools import partial

import click
from rich.text import Text

from router.broker.client import make_admin
from router.broker.connection import KafkaConnection
from router.broker.rights import KafkaOperation, Right, denied, on_topic, principal_of
from router.broker.topics.apply import (
    ApplyMode,
    TopicReport,
    TopicResult,
    TopicsReport,
    apply_topics,
    moves_keys,
)
from router.broker.topics.contract import MISSING, Difference, Fix, readable
from router.broker.topics.ids import DENIED
from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.configuration.topic_needs import topic_needs
from router.terminal.exits import EXIT_PROBLEM
from router.terminal.output import console, quiet_aiokafka, show_json, show_table
from router.terminal.processes import run_async

_ACTIONS = {
    Fix.CREATE: "create",
    Fix.ALTER: "--alter",
    Fix.BY_HAND: "by hand",
    Fix.WAIT: "wait",
}

_WIDTH = 80

_COLUMNS = ("topic", "what", "wanted", "found", "action")


def apply_and_show(invocation: Invocation, *, check: bool, alter: bool, as_json: bool) -> int:
    """Apply the topics' needs, print the report and return the exit code."""
    mode = ApplyMode.CHECK if check else ApplyMode.ALTER if alter else ApplyMode.CREATE
    settings = load_settings(invocation)
    report = _applied(invocation, settings, mode)
    if as_json:
        show_json([topic.as_json() for topic in report.topics])
    else:
        show(report)
    for name, why in report.refused.items():
        click.echo(f"payrouter: topic {name}: {why}", err=True)
    for sentence in denied(missing_rights(report, principal_of(settings.kafka.sasl_username))):
        click.echo(f"payrouter: {sentence}", err=True)
    return 0 if report.well else EXIT_PROBLEM


def missing_rights(report: TopicsReport, user: str) -> Sequence[Right]:
    """Return the rights of which a report shows that the user lacks them."""
    found = []
    for each in report.topics:
        refused = report.refused.get(each.name, "")
        if each.result is TopicResult.UNKNOWN and DENIED in (each.unchecked or ""):
            found.append(on_topic(user, KafkaOperation.DESCRIBE, each.name, "compares topics"))
        elif DENIED in (each.unchecked or ""):
            found.append(on_topic(user, KafkaOperation.DESCRIBE_CONFIGS, each.name, "compares"))
        if _REFUSED in refused:
            found.append(on_topic(user, _refused(each, refused), each.name, "changes topics"))
    return found


def _refused(topic: TopicReport, why: str) -> KafkaOperation:
    if topic.result is TopicResult.MISSING:
        return KafkaOperation.CREATE
    # That of more partitions begins with its number instead.
    return KafkaOperation.ALTER_CONFIGS if why.startswith(_REFUSED) else KafkaOperation.ALTER


_REFUSED = "TopicAuthorizationFailedError"
"""Begins the reason for which the broker refuses a change without the right."""


def _applied(invocation: Invocation, settings: Settings, mode: ApplyMode) -> TopicsReport:
    quiet_aiokafka()
    make = partial(make_admin, KafkaConnection.of(settings.kafka))
    needs = topic_needs(settings, invocation.consumers.topics(settings.topics.topics()))
    return run_async(apply_topics(make, settings.kafka.bootstrap_servers, needs, mode))


def show(report: TopicsReport) -> None:
    """Print a table with a row per difference, then the notes."""
    rows = [row for topic in report.topics for row in _rows(topic)]
    show_table("", _COLUMNS, rows, whole=_COLUMNS[1:], lined=False)
    screen = console()
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
    """Return each reason once, with the topics it applies to, in lines that fit a screen."""
    topics: dict[str, list[str]] = {}
    for each in report.topics:
        if each.unchecked:
            topics.setdefault(each.unchecked, []).append(each.name)
    return [_folded(f"{why} ({', '.join(names)})") for why, names in topics.items()]


def _folded(note: str) -> str:
    """Fold between words: a broker that shows no configuration leaves out every topic."""
    return textwrap.fill(
        note, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _notes(report: TopicsReport) -> list[str]:
    """Explain the marks, and list the commands that remain and the changes that move keys."""
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
