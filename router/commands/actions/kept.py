"""Shared by `payrouter quarantine` and `payrouter refused`: reading the topic, output."""

import base64
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import click
from aiokafka.errors import KafkaError

from router.broker.adapter.bootstrap import unreachable
from router.broker.connection import KafkaConnection
from router.broker.rights import KafkaOperation, Right, operator_rights, principal_of
from router.broker.topic_reader import TopicMissing
from router.configuration.settings import Settings
from router.terminal.exits import CommandError
from router.terminal.output import (
    ProgressUpdate,
    progress_bar,
    quiet_aiokafka,
    show_fields,
    text_of,
)
from router.terminal.processes import run_async

_Answer = TypeVar("_Answer")
_Found = TypeVar("_Found")


def read_kept(
    settings: Settings,
    read: Callable[[KafkaConnection, ProgressUpdate], Coroutine[Any, Any, _Answer]],
) -> _Answer:
    """Read a topic with a progress bar, or end the command with one line."""
    quiet_aiokafka()
    with progress_bar("reading the topic") as progress:
        kafka = KafkaConnection.of(settings.kafka)
        return ask_broker(settings, read(kafka, progress), KafkaOperation.READ)


def ask_broker(
    settings: Settings, question: Coroutine[Any, Any, _Answer], needed: KafkaOperation
) -> _Answer:
    """Run what needs the broker, or end the command with one line.

    `needed` is what it does with each topic that it uses.
    """
    try:
        return run_async(question)
    except TopicMissing as problem:
        raise CommandError(str(problem)) from None
    except (KafkaError, TimeoutError, OSError) as error:
        rights = _rights(settings, needed)
        message = unreachable(error, settings.kafka.bootstrap_servers, rights)
        raise CommandError(message) from None


def _rights(settings: Settings, needed: KafkaOperation) -> Sequence[Right]:
    user, topics = principal_of(settings.kafka.sasl_username), settings.topics.topics()
    return [right for right in operator_rights(user, topics, ()) if right.operation is needed]


def report_omitted(older: int, unreadable: int) -> None:
    """Report what a list leaves out: older entries, and records that cannot be decoded."""
    if older > 0:
        click.echo(f"older ones not shown: {older}; --limit shows more", err=True)
    if unreadable:
        click.echo(
            f"{unreadable} records of the topic cannot be read: they come from another program or"
            " a later version",
            err=True,
        )


def single(found: Sequence[_Found], id_: str, what: str) -> _Found:
    """Return the only entry found for an id or its beginning, or end the command."""
    if len(found) != 1:
        message = f"there are {len(found) or 'no'} {what} with an id that begins with {id_}"
        raise CommandError(message)
    return found[0]


def show_delivery(title: str, whole: Mapping[str, object]) -> None:
    """Print a delivery field by field; the body as text if it is text, else as base64."""
    raw = whole.get("raw")
    if isinstance(raw, Mapping):
        own = {name: value for name, value in raw.items() if not name.startswith("body")}
        whole = {**whole, "raw": {**own, **_body(raw)}}
    show_fields(title, whole)


def _body(raw: Mapping[str, str]) -> Mapping[str, str]:
    encoded = raw["body_encoding"] == "base64"
    body = base64.b64decode(raw["body"]) if encoded else raw["body"].encode()
    text = text_of(body)
    if text is not None:
        return {"body (text)": text}
    return {
        "body (base64)": base64.b64encode(body).decode(),
        "body (text, other bytes escaped)": _escaped(body),
    }


def _escaped(body: bytes) -> str:
    text = body.decode("utf-8", "backslashreplace")
    return "".join(
        each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text
    )
