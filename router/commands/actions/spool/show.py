"""Shows and checks the spools of this machine."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.contract.wire import OutgoingRecord
from router.edge.spool.reading import SpoolContent, read_spools
from router.edge.spool.storage.disk import RealDisk
from router.errors import ConfigurationError
from router.terminal.output import show_json, show_table

_COLUMNS = ("spool", "process", "records", "bytes", "oldest (s)", "set aside", "problems")


def show_spools(invocation: Invocation, *, as_json: bool) -> None:
    """Print a row for each spool, then the records that are set aside."""
    contents = contents_of(load_settings(invocation))
    if as_json:
        show_json({"spools": [_document(each) for each in contents]})
        return
    show_table("", _COLUMNS, [_row(each) for each in contents], numbers=_COLUMNS[2:])
    for content in contents:
        for path, aside in content.asides:
            click.echo(f"set aside: {described(aside.record)}: {aside.reason} ({path.name})")
        _show_problems(content)


def verify_spools(invocation: Invocation, *, as_json: bool) -> int:
    """Print every problem; return the exit status."""
    contents = contents_of(load_settings(invocation))
    sound = not any(each.problems for each in contents)
    if as_json:
        show_json({"sound": sound, "spools": [_document(each) for each in contents]})
        return 0 if sound else 1
    for content in contents:
        _show_problems(content)
        torn = f", {content.torn_bytes} bytes of a write not completed" * bool(content.torn_bytes)
        click.echo(f"{content.folder}: {content.records} records wait{torn}")
    click.echo("every file is sound" if sound else "files with problems are kept and not read")
    return 0 if sound else 1


def contents_of(settings: Settings) -> Sequence[SpoolContent]:
    """Return the content of all spools; raises ConfigurationError."""
    root = root_of(settings)
    try:
        return read_spools(RealDisk(), root)
    except OSError as error:
        message = f"spool.path: cannot read {root}: {error.strerror}"
        raise ConfigurationError(message) from None


def root_of(settings: Settings) -> Path:
    """Return the folder of the spools; raises ConfigurationError if none is configured."""
    if settings.spool.path is None:
        message = "spool.path is not set: there is no spool"
        raise ConfigurationError(message)
    return settings.spool.path


def described(record: OutgoingRecord) -> str:
    """Return topic, type and id of a record, but nothing of its content."""
    headers = dict(record.headers)
    kind, event_id = (headers.get(name, b"?").decode() for name in ("ce_type", "ce_id"))
    return f"{record.topic} {kind} {event_id}"


def _row(content: SpoolContent) -> tuple[object, ...]:
    return (
        content.folder.name,
        content.process or "none",
        content.records,
        content.size,
        "" if content.oldest is None else f"{_age(content.oldest):.0f}",
        len(content.asides),
        len(content.problems),
    )


def _document(content: SpoolContent) -> Mapping[str, object]:
    return {
        "folder": str(content.folder),
        "process": content.process,
        "cluster_id": content.cluster,
        "records": content.records,
        "by_topic": dict(content.waiting),
        "bytes": content.size,
        "oldest_age_seconds": None if content.oldest is None else _age(content.oldest),
        "torn_bytes": content.torn_bytes,
        "set_aside": [
            {"file": str(path), "record": described(aside.record), "reason": aside.reason}
            for path, aside in content.asides
        ],
        "problems": [{"file": str(each.path), "why": each.why} for each in content.problems],
    }


def _show_problems(content: SpoolContent) -> None:
    for each in content.problems:
        click.echo(f"{each.path}: {each.why}")


def _age(moment: float) -> float:
    return max(0.0, time.time() - moment)
