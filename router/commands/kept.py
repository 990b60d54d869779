"""Shared by `payrouter quarantine` and `payrouter refused`: filters, reading, output."""

import asyncio
import base64
import contextlib
import functools
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from router.broker.connection import KafkaConnection
from router.broker.topic_reader import TopicMissing
from router.commands.invocation import console, listing, say_once
from router.configuration.settings import Settings
from router.quarantine.kept_topic import KeptFilter, ReadProgress

Answer = TypeVar("Answer")
Found = TypeVar("Found")

_FILTERS = (
    click.option("--id", "ids", multiple=True, help="Id or its beginning; may be repeated."),
    click.option("--reason", help="Such as stale or signature_wrong."),
    click.option("--provider", help="Of this gateway."),
    click.option("--endpoint", help="Of this endpoint."),
    click.option("--since", type=click.DateTime(), help="Received at this time (UTC) or later."),
)


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the filters, and as its argument `wanted` what they say."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,  # noqa: ANN401
        ids: tuple[str, ...],
        reason: str | None,
        provider: str | None,
        endpoint: str | None,
        since: datetime | None,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        moment = None if since is None else since.replace(tzinfo=UTC)
        wanted = KeptFilter(ids, reason, provider, endpoint, moment)
        return command(*args, wanted=wanted, **options)

    return functools.reduce(lambda inner, option: option(inner), reversed(_FILTERS), wrapped)


def read_kept(
    settings: Settings, read: Callable[[KafkaConnection, ReadProgress], Coroutine[Any, Any, Answer]]
) -> Answer:
    """Read a topic with a progress bar, or fail in one line."""
    say_once()
    with _progress() as progress:
        return answered(read(KafkaConnection.of(settings.kafka), progress))


@contextlib.contextmanager
def _progress() -> Iterator[ReadProgress]:
    with Progress(console=Console(stderr=True), transient=True, disable=not _is_watched()) as bar:
        task = bar.add_task("reading the topic", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _is_watched() -> bool:
    return sys.stderr.isatty()


def answered(question: Coroutine[Any, Any, Answer]) -> Answer:
    """Run what asks the broker, or fail in one line."""
    try:
        return asyncio.run(question)
    except TopicMissing as problem:
        raise click.ClickException(str(problem)) from None
    except (KafkaError, TimeoutError, OSError) as error:
        message = f"the broker does not answer: {type(error).__name__}"
        raise click.ClickException(message) from None


def say_rest(older: int, unreadable: int) -> None:
    """Report what a list left out: older entries, and records of others or a later version."""
    if older > 0:
        click.echo(f"{older} older ones are there; --limit shows more", err=True)
    if unreadable:
        click.echo(f"{unreadable} records of the topic are not ours to read", err=True)


def single(found: Sequence[Found], id_: str, what: str) -> Found:
    """Return the only entry found for an id or its beginning, or fail in one line."""
    if len(found) != 1:
        message = f"{len(found) or 'no'} {what} have an id that begins with {id_}"
        raise click.ClickException(message)
    return found[0]


def show_fields(whole: Mapping[str, object]) -> None:
    """Print one delivery field by field, safe for a terminal."""
    table = listing("field", "value")
    for name, value in _flat(whole):
        table.add_row(name, Text(_shown(value)))
    raw = whole.get("raw")
    if isinstance(raw, Mapping) and raw.get("body_encoding") == "base64":
        table.add_row("body, as far as it is text", Text(_shown(_as_text(raw["body"]))))
    console().print(table)


def _as_text(body: str) -> str:
    return base64.b64decode(body).decode("utf-8", "backslashreplace")


def _flat(value: object, under: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(value, Mapping):
        yield under, value
        return
    for name, inner in value.items():
        yield from _flat(inner, f"{under}.{name}" if under else name)


def _shown(value: object) -> str:
    # What others wrote may hold what a terminal would obey.
    return value if isinstance(value, str) and value.isprintable() else json.dumps(value)
