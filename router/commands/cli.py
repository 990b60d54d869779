"""The `payrouter` command: what belongs to the edge, and what every command shares.

Every command imports this module, so a command imports what it needs when it is given.
"""

import json
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from router.commands.invocation import (
    EXIT_INTERRUPTED,
    EXIT_PROBLEM,
    EXIT_USAGE,
    Consumers,
    Invocation,
    check_database,
    console,
    invoked,
    json_option,
    listing,
    unknown_consumer,
    wrong_configuration,
)
from router.terminal.command_group import CommandGroup, found_in

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from router.configuration.problems import Problems
    from router.configuration.settings import Settings

__all__ = [
    "EXIT_PROBLEM",
    "EXIT_USAGE",
    "CommandGroup",
    "Consumers",
    "Invocation",
    "check_database",
    "cli",
    "console",
    "found_in",
    "invoked",
    "json_option",
    "listing",
    "loop_factory",
    "main",
    "problems_gathered",
    "run",
    "serve",
    "supervised_option",
    "unknown_consumer",
    "wrong_configuration",
]
"""What `consumers.cli` builds on stands here, whichever module it is from."""


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="payrouter", prog_name="payrouter")
def cli() -> None:
    """Put verified payment webhooks onto Kafka and apply every event exactly once."""


def _send() -> click.Command:
    from router.commands.send import send
    from router.commands.senders import senders

    return senders(send)


cli.elsewhere |= {
    "send": _send,
    "endpoint": found_in("router.commands.endpoint", "endpoint"),
    "verify": found_in("router.commands.verify", "verify"),
    "quarantine": found_in("router.commands.quarantine", "quarantine"),
    "refused": found_in("router.commands.refused", "refused"),
    "metrics": found_in("router.commands.metrics", "metrics"),
    "topics": found_in("router.commands.topics", "topics"),
}


def run(group: click.Group, consumers: Consumers | None = None) -> NoReturn:
    """Run the command line: 0 fine, 1 found a problem, 2 wrong usage or configuration."""
    try:
        status = group(standalone_mode=False, obj=consumers)
    except click.UsageError as problem:
        problem.show()
        raise SystemExit(EXIT_USAGE) from None
    except click.ClickException as problem:
        click.echo(f"payrouter: {problem}", err=True)
        raise SystemExit(EXIT_PROBLEM) from None
    except click.Abort:
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_PROBLEM) from None
    except _wrong_configurations() as problem:  # looked up only where something was raised
        for line in str(problem).splitlines():
            click.echo(f"payrouter: {line}", err=True)
        raise SystemExit(EXIT_USAGE) from None
    except _unavailable() as problem:
        click.echo(f"payrouter: {problem}", err=True)
        raise SystemExit(EXIT_PROBLEM) from None
    raise SystemExit(status if isinstance(status, int) else 0)


def problems_gathered() -> "Problems":
    """Return what gathers the problems of several checks, a line each."""
    from router.configuration.problems import Problems

    return Problems()


def _wrong_configurations() -> tuple[type[Exception], ...]:
    from router.errors import ConfigurationError
    from router.providers import ProviderError

    return ConfigurationError, ProviderError


def _unavailable() -> type[Exception]:
    from router.broker.topics.listing import TopicsUnavailable

    return TopicsUnavailable


supervised_option = click.option(
    "--supervised", is_flag=True, hidden=True, help="Stop when standard input ends."
)


@cli.command()
@invoked
@supervised_option
def edge(invocation: Invocation, *, supervised: bool) -> None:
    """Serve the webhooks: verify, normalize, publish, then answer."""
    from router.edge.app import run_edge

    settings = invocation.settings()
    serve(run_edge(settings, supervised=supervised, source=invocation.source()))


def serve(process: Any) -> None:  # noqa: ANN401 - a coroutine
    """Run a serving process; a port that is taken is wrong usage, in one line."""
    import asyncio

    from router.errors import ConfigurationError

    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(process)
    except OSError as error:
        message = str(error.args[-1]) if error.args else type(error).__name__
        raise ConfigurationError(message) from None


def loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """Return what makes uvloop's event loops, None where there is no uvloop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


@cli.group("config")
def configuration() -> None:
    """Show the configuration in force."""


@configuration.command("show")
@invoked
@json_option
def config_show(invocation: Invocation, *, as_json: bool) -> None:
    """Show the configuration in force, secrets masked, and check it as a start would."""
    from rich.text import Text

    from router.edge.endpoints import checked_options

    settings = invocation.settings()
    options = checked_options(settings) if settings.endpoints else {}
    values = _masked(settings, options)
    # Read by the consumer's own process: which of it is secret only its own model says.
    values["consumers"] = invocation.consumers.shown(settings.consumers)
    if as_json:
        click.echo(json.dumps(values, indent=2))
        return
    table = listing("key", "value")
    for key, value in _flat(values):
        table.add_row(Text(key), Text(value))
    console().print(table)


def _masked(settings: "Settings", options: "Mapping[str, BaseModel]") -> dict[str, Any]:
    values = settings.model_dump(mode="json", exclude_none=True)
    for name, own in options.items():
        endpoint = values["endpoints"][name]
        del endpoint["options"]
        endpoint.update(own.model_dump(mode="json", exclude_none=True))
    return values


def _flat(values: Any, under: str = "") -> list[tuple[str, str]]:  # noqa: ANN401 - nested JSON
    if not isinstance(values, dict) or not values:
        return [(under, json.dumps(values, ensure_ascii=False))]
    lines = []
    for key, value in values.items():
        lines += _flat(value, f"{under}.{key}" if under else key)
    return lines


def main() -> NoReturn:
    """Run the edge's part of the command alone."""
    run(cli)
