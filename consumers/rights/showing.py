"""Prints the rights of processes: as commands, as JSON, or as the page of the documentation."""

from collections.abc import Iterator, Mapping, Sequence

import click

from consumers.rights.needed import CONSOLE, EDGE, EXPORTER, OPERATOR, TOPICS, process_rights
from router.broker.rights import Resource, Right, alike, grant
from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.configuration.settings import settings_from
from router.terminal.output import show_json

_HEAD = """\
# Rights on Kafka

Each process works with these rights and no other; give each its own user. The tables have the names
of an empty configuration. `payrouter rights` prints those of your configuration, as commands of
Kafka that grant them: `payrouter rights ledger --principal User:pay-ledger`.

A process that lacks a right names it in its log (`rights_missing`) and in `/readyz`, with the
command that grants it, and `payrouter doctor --process ledger` does so before the process runs.
Without a right marked *optional*, a process does all its work except what the last column names.
The rights of a prefix can be granted at once: `--resource-pattern-type prefixed --topic pay.`

No process needs a right on the cluster: Kafka from 2.8 on lets a user who may write to one topic
use an idempotent producer. An older one needs `--operation IdempotentWrite --cluster` for the edge
and for each consumer.
"""

_TITLES = {
    EDGE: "The edge",
    EXPORTER: "The exporter",
    CONSOLE: "The console",
    TOPICS: "`payrouter topics apply`",
    OPERATOR: "The other commands of operators",
}


def show_rights(
    invocation: Invocation,
    processes: Sequence[str],
    principal: str | None,
    *,
    markdown: bool,
    as_json: bool,
) -> None:
    """Print the rights of these processes, of all if there are none."""
    # The page must not depend on a configuration that happens to be here.
    settings = settings_from({}) if markdown else load_settings(invocation)
    needed = process_rights(settings, lambda process: principal or f"User:{process}")
    for process in processes:
        if process not in needed:
            message = f"there is no process {process}; there are {', '.join(needed)}"
            raise click.UsageError(message)
    chosen = {name: needed[name] for name in processes or needed}
    if as_json:
        show_json([each for name, rights in chosen.items() for each in _as_json(name, rights)])
    else:
        click.echo("\n".join(_page(chosen) if markdown else _commands(chosen)))


def _as_json(process: str, rights: Sequence[Right]) -> Iterator[Mapping[str, object]]:
    for each in rights:
        yield {
            "process": process,
            "principal": each.principal,
            "resource": each.resource.kind.value,
            "name": each.resource.name,
            "operation": each.operation.value,
            "required": each.required,
            "why": each.why,
        }


def _commands(chosen: Mapping[str, Sequence[Right]]) -> Iterator[str]:
    for name, rights in chosen.items():
        yield f"# {name}"
        yield from (_folded(grant(each)) for each in alike(rights))


def _folded(command: str) -> str:
    """Fold a command at its options, so that it fits a screen and can be pasted."""
    head, *options = command.split(" --")
    lines = [head]
    for option in options:
        if len(lines[-1]) + len(option) > _WIDTH:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" --{option}"
    return "\n".join(lines)


_WIDTH = 74


def _page(chosen: Mapping[str, Sequence[Right]]) -> Iterator[str]:
    yield _HEAD
    for name, rights in chosen.items():
        yield f"## {_TITLES.get(name, f'The consumer {name}')}\n"
        yield "| on | rights | for |"
        yield "|---|---|---|"
        yield from _rows(rights)
        yield ""
    yield "The page is written by `payrouter rights --markdown > docs/kafka-rights.md`."


def _rows(rights: Sequence[Right]) -> Iterator[str]:
    """Yield a row for the resources of a kind with the same rights for the same reasons."""
    by_name: dict[Resource, list[Right]] = {}
    for each in rights:
        by_name.setdefault(each.resource, []).append(each)
    rows: dict[tuple[str, str], list[str]] = {}
    for resource, own in by_name.items():
        operations = ", ".join(dict.fromkeys(map(_marked, own)))
        reasons = "; ".join(dict.fromkeys(each.why for each in own))
        kind = resource.kind.replace("-", " ")
        rows.setdefault((kind, f"{operations} | {reasons}"), []).append(f"`{resource.name}`")
    for (kind, rest), names in rows.items():
        yield f"| {kind} {', '.join(names)} | {rest} |"


def _marked(right: Right) -> str:
    return right.operation.name if right.required else f"{right.operation.name} (optional)"
