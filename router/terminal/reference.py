"""Reference of the command line, generated from the commands: a man page and a Markdown page."""

import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import click

from router.terminal.command_tree import CommandTree

COMMON: Final = ("--config", "--data-dir", "--json")
"""Options that are described once, not with every command."""

_HELP: Final = ("-h, --help", "Show this message and exit.")

_EXIT_CODES: Final = (
    ("0", "All is well."),
    ("1", "The command found a problem, or could not reach the broker or the database."),
    ("2", "Wrong usage or configuration."),
    ("130", "Interrupted."),
)

_VARIABLES: Final = (
    ("PAYROUTER_CONFIG", "Configuration file, unless --config is given."),
    ("PAYROUTER_DATA_DIR", "Data directory, unless --data-dir is given."),
    ("PAYROUTER_SECTION__KEY", "Value of a key of the configuration; overrides the file's."),
)


@dataclass(frozen=True)
class CommandPage:
    """What the reference contains of one command or group."""

    path: str
    depth: int
    section: str
    usage: str
    paragraphs: Sequence[str]
    options: Sequence[tuple[str, str]]
    examples: Sequence[str]


def pages(root: CommandTree) -> Sequence[CommandPage]:
    """Return the root and every documented command below it, in the order of the help."""
    top = click.Context(root, info_name=root.name)
    return [_page(top, ""), *_below(top, root, "")]


def _below(parent: click.Context, tree: CommandTree, section: str) -> Iterator[CommandPage]:
    for entry in tree.entries.values():
        if not entry.documented:
            continue
        loaded = entry.load()
        context = click.Context(loaded, info_name=entry.name, parent=parent)
        yield _page(context, section or entry.section)
        if isinstance(loaded, CommandTree):
            yield from _below(context, loaded, section or entry.section)


def _page(context: click.Context, section: str) -> CommandPage:
    command = context.command
    path = context.command_path
    options = [each for each in command.params if isinstance(each, click.Option)]
    records = [option.get_help_record(context) for option in options]
    shown = [record for record in records if record is not None]
    usage = " ".join((path, *command.collect_usage_pieces(context)))
    return CommandPage(
        path=path,
        depth=path.count(" "),
        section=section,
        usage=usage,
        paragraphs=inspect.cleandoc(command.help or "").split("\n\n"),
        options=[record for record in shown if not _is_common(record[0])],
        examples=examples_of(command),
    )


def examples_of(command: click.Command) -> Sequence[str]:
    """Return the command lines of a command's examples."""
    lines = (command.epilog or "").splitlines()
    return [line.strip() for line in lines if line.strip().startswith("payrouter ")]


def _is_common(record: str) -> bool:
    names = record.replace(",", " ").split()
    return any(name in COMMON for name in names)


def common_options(root: CommandTree) -> Sequence[tuple[str, str]]:
    """Return the options that most commands have, as `config show` has them."""
    config = root.entries["config"].load()
    assert isinstance(config, CommandTree)  # noqa: S101 - for mypy
    show = config.entries["show"].load()
    context = click.Context(show, info_name="show")
    records = [param.get_help_record(context) for param in show.params]
    return [*(record for record in records if record is not None), _HELP]


def markdown(root: CommandTree) -> str:
    """Write the reference as a page of the documentation."""
    first, *others = pages(root)
    lines = [
        "# Command line",
        "",
        "Made by `payrouter man --markdown`. `payrouter man | man -l -` shows it as a man page.",
        "",
        *_text(first.paragraphs),
        "## Common options",
        "",
        *_table("option", common_options(root)),
        "## Exit codes",
        "",
        *_table("code", _EXIT_CODES),
        "## Environment variables",
        "",
        *_table("variable", _VARIABLES),
    ]
    section = ""
    for page in others:
        if page.section != section:
            section = page.section
            lines += [f"## {section}", ""]
        lines += _markdown(page)
    return "\n".join(lines).rstrip() + "\n"


def _markdown(page: CommandPage) -> Iterator[str]:
    yield from (f"{'#' * (page.depth + 2)} {page.path}", "")
    yield from _text(page.paragraphs)
    if page.examples:
        yield from ("```text", page.usage, "```", "")
        yield from _table("option", page.options)
        yield from ("```sh", *page.examples, "```", "")


def _text(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield from (paragraph, "")


def _table(heading: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    if rows:
        yield from (f"| {heading} | |", "|---|---|")
        for name, meaning in rows:
            cells = (f"`{name}`", " ".join(meaning.split()))
            yield f"| {' | '.join(map(_cell, cells))} |"
        yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def man_page(root: CommandTree) -> str:
    """Write the reference as a man page."""
    first, *others = pages(root)
    lines = [
        '.TH PAYROUTER 1 "" "payrouter" "User Commands"',
        ".SH NAME",
        f"payrouter \\- {_roff(_uncapitalized(first.paragraphs[0]))}",
        ".SH SYNOPSIS",
        ".B payrouter",
        ".I COMMAND",
        "[\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]",
        ".SH OPTIONS",
        *_terms(common_options(root)),
    ]
    section = ""
    for page in others:
        if page.section != section:
            section = page.section
            lines.append(f".SH {section.upper()}")
        lines += _man(page)
    lines += [".SH EXIT STATUS", *_terms(_EXIT_CODES), ".SH ENVIRONMENT", *_terms(_VARIABLES)]
    return "\n".join(lines) + "\n"


def _man(page: CommandPage) -> Iterator[str]:
    yield f".SS {_roff(page.usage if page.examples else page.path)}"
    for number, paragraph in enumerate(page.paragraphs):
        if number:
            yield ".PP"
        yield from map(_roff, paragraph.splitlines())
    yield from _terms(page.options)
    if page.examples:
        yield from (".PP", ".EX", *map(_roff, page.examples), ".EE")


def _terms(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, meaning in rows:
        yield from (".TP", f"\\fB{_roff(name)}\\fR", _roff(" ".join(meaning.split())))


def _uncapitalized(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
