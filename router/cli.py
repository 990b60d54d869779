"""The `payrouter` command: what belongs to the edge, and what every command shares."""

import asyncio
import functools
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from router.app import build_endpoints, check_room, run_edge
from router.contract.topics import Topics, TopicsBeside
from router.data_dir import DEFAULT, DataDir, config_path, resolve_settings
from router.dev import Plan
from router.dev_command import develop
from router.errors import ConfigurationError
from router.kafka_client import broker_options, client_options
from router.providers import ProviderError, discover
from router.send import TAMPERS, Order, Sent, check_amount, orders, post, simulate
from router.senders import senders
from router.settings import Settings, problem_line, read_database
from router.stream import ARTICLES
from router.telemetry.logs import configure_logging
from router.topics_admin import TopicsUnavailable, apply_topics

EXIT_PROBLEM = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

DEFAULT_PORT = 8080


@dataclass(frozen=True)
class Consumers:
    """What the edge's part of the command has to be told of the consumers."""

    check: Callable[[Mapping[str, dict[str, Any]]], None] = lambda _consumers: None
    """Refuses their part of the configuration where it is wrong."""
    topics: Callable[[Topics], TopicsBeside] = lambda _names: TopicsBeside()


@dataclass(frozen=True)
class Invocation:
    """Where a command looks: `--config` and `--data-dir`, and what they lead to."""

    config: Path | None
    data_dir: DataDir
    consumers: Consumers
    articles: Sequence[str] = ARTICLES
    """What is bought in the play of `dev --rate`."""

    def settings(self) -> Settings:
        """Load the configuration in force, check the consumers' part, set up the log."""
        settings = resolve_settings(self.config, self.data_dir, os.environ)
        self.consumers.check(settings.consumers)
        configure_logging(settings.log.level, settings.log.format)
        return settings

    def kafka(self) -> dict[str, Any]:
        """Return the client settings as consumers take them."""
        return broker_options(self.settings().kafka)

    def develop(
        self,
        port: int | None,
        consumers: Sequence[str],
        prepare: Callable[[], Awaitable[None]],
        rate: float | None,
        public_url: str | None,
    ) -> Coroutine[Any, Any, None]:
        """Return what runs `dev`: with the configuration given, or one made here."""
        given = config_path(self.config, self.data_dir, os.environ)
        given = None if given == self.data_dir.generated else given
        config = given or self.data_dir.generate(discover())
        settings = resolve_settings(config, self.data_dir, os.environ)
        self._check_whole(settings)
        plan = Plan(
            config=config,
            given=given is not None,
            data_dir=self.data_dir,
            port=port or settings.edge.port or DEFAULT_PORT,
            consumers=consumers,
            environ=dict(os.environ),
            topics=self.consumers.topics,
            prepare=prepare,
            say=lambda line: click.echo(line, err=True),
        )
        _said_once()
        return develop(plan, rate, public_url, console())

    def _check_whole(self, settings: Settings) -> None:
        """Refuse here what a child would refuse later, and in more words."""
        self.consumers.check(settings.consumers)
        build_endpoints(settings)
        check_room(settings)
        client_options(settings.kafka)

    def database_url(self, own: Mapping[str, Any], under: str) -> str:
        """Return the URL of a consumer's database: its own table's, else `[database]`'s."""
        database = read_database(dict(own), under) if own else self.settings().database
        if database.url is None:
            message = (
                "database.url: missing, and no `payrouter dev` runs here;"
                " set it, or database.url_file"
            )
            raise ConfigurationError(message)
        return database.url.get_secret_value()


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; default: PAYROUTER_CONFIG, ./payrouter.toml, the data directory's.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT,
    envvar="PAYROUTER_DATA_DIR",
    show_default=True,
    help="Where a running `dev` leaves its addresses and data.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def wrong_configuration(error: ValidationError, under: str) -> NoReturn:
    """Raise what makes a validation error one line that names the key."""
    raise ConfigurationError(problem_line(error, under)) from None


def unknown_consumer(name: str, known: Iterable[str]) -> NoReturn:
    """Raise what says that a table is no consumer's."""
    message = f"consumers.{name}: there is no such consumer; there are {', '.join(sorted(known))}"
    raise ConfigurationError(message)


def check_database(own: Mapping[str, Any], under: str) -> None:
    """Refuse a consumer's own database table that is wrong."""
    read_database(dict(own), under)


def console() -> Console:
    """Return where listings are printed: as wide as the terminal, or as they are without one."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WHOLE_LINES)


_WHOLE_LINES = 10_000
"""A pipe has no width of its own: no line is cut for it."""


def listing(*columns: str, numbers: Iterable[str] = (), **options: Any) -> Table:  # noqa: ANN401 - rich's
    """Begin a table; text that is too long for its column goes on below, numbers never do."""
    table = Table(**options)
    right = set(numbers)
    for column in columns:
        if column in right:
            table.add_column(column, justify="right", no_wrap=True)
        else:
            table.add_column(column, overflow="fold")
    return table


def invoked(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--config` and `--data-dir`, as its first argument, an Invocation."""

    @config_option
    @data_dir_option
    @functools.wraps(command)
    def wrapped(*args: Any, config: Path | None, data_dir: Path, **options: Any) -> Any:  # noqa: ANN401
        consumers = click.get_current_context().find_root().obj or Consumers()
        return command(Invocation(config, DataDir(data_dir), consumers), *args, **options)

    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("payrouter"), prog_name="payrouter")
def cli() -> None:
    """Put verified payment webhooks onto Kafka and apply every event exactly once."""


def run(group: click.Group, consumers: Consumers | None = None) -> NoReturn:
    """Run the command line: 0 fine, 1 found a problem, 2 wrong usage or configuration."""
    try:
        status = group(standalone_mode=False, obj=consumers)
    except click.UsageError as problem:
        problem.show()
        raise SystemExit(EXIT_USAGE) from None
    except (ConfigurationError, ProviderError) as problem:
        click.echo(f"payrouter: {problem}", err=True)
        raise SystemExit(EXIT_USAGE) from None
    except (click.ClickException, TopicsUnavailable) as problem:
        click.echo(f"payrouter: {problem}", err=True)
        raise SystemExit(EXIT_PROBLEM) from None
    except click.Abort:
        raise SystemExit(EXIT_INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(EXIT_PROBLEM) from None
    raise SystemExit(status if isinstance(status, int) else 0)


supervised_option = click.option(
    "--supervised", is_flag=True, hidden=True, help="Stop when standard input ends."
)


@cli.command()
@invoked
@supervised_option
def edge(invocation: Invocation, *, supervised: bool) -> None:
    """Serve the webhooks: verify, normalize, publish, then answer."""
    serve(run_edge(invocation.settings(), supervised=supervised))


def serve(process: Any) -> None:  # noqa: ANN401 - a coroutine
    """Run a serving process; a port that is taken is wrong usage, in one line."""
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(process)
    except OSError as error:
        message = str(error.args[-1]) if error.args else type(error).__name__
        raise ConfigurationError(message) from None


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes uvloop's event loops, None where there is no uvloop."""
    try:
        import uvloop  # noqa: PLC0415 - not to be had everywhere
    except ImportError:
        return None
    return uvloop.new_event_loop


@cli.group()
def topics() -> None:
    """Make the topics on the broker."""


@topics.command("apply")
@invoked
@json_option
def topics_apply(invocation: Invocation, *, as_json: bool) -> None:
    """Make the topics that are not there, with the retention and room they need."""
    settings = invocation.settings()
    _said_once()
    beside = invocation.consumers.topics(settings.topics.topics())
    results = asyncio.run(apply_topics(settings, beside))
    if as_json:
        click.echo(json.dumps([{"topic": r.name, "result": r.result} for r in results]))
        return
    table = listing("topic", "result")
    for result in results:
        table.add_row(Text(result.name), result.result)
    console().print(table)


@cli.group("config")
def configuration() -> None:
    """Show the configuration in force."""


@configuration.command("show")
@invoked
@json_option
def config_show(invocation: Invocation, *, as_json: bool) -> None:
    """Show the configuration in force, secrets masked, and check it as a start would."""
    settings = invocation.settings()
    if settings.endpoints:
        build_endpoints(settings)
    values = _masked(settings)
    if as_json:
        click.echo(json.dumps(values, indent=2))
        return
    table = listing("key", "value")
    for key, value in _flat(values):
        table.add_row(Text(key), Text(value))
    console().print(table)


@click.command("send")
@click.argument("provider")
@click.option("--endpoint", help="Endpoint to send to; default: the first one of the provider.")
@click.option(
    "--type",
    "event_type",
    default="payment.confirmed",
    show_default=True,
    help="What happened, such as payment.pending or payout.confirmed.",
)
@click.option("--order", "reference", default="A-1", show_default=True, help="The order's number.")
@click.option("--amount", default="100.50", show_default=True, help="How much was paid.")
@click.option("--currency", default="USDT", show_default=True, help="In which currency.")
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    default=1,
    show_default=True,
    help="How many orders; with more than one, -1, -2 and so on follow the number.",
)
@click.option("--url", help="Base URL of the edge; default: the one running here.")
@click.option(
    "--tamper", type=click.Choice(sorted(TAMPERS)), help="Spoil it; the edge has to refuse."
)
@invoked
@json_option
def send(  # noqa: PLR0913, PLR0917 - one argument per option
    invocation: Invocation,
    provider: str,
    endpoint: str | None,
    event_type: str,
    reference: str,
    amount: str,
    currency: str,
    count: int,
    url: str | None,
    tamper: str | None,
    *,
    as_json: bool,
) -> None:
    """Send what a gateway would send: genuine deliveries, signed with the endpoint's secret."""
    settings = invocation.settings()
    check_amount(amount)
    name = _endpoint_name(settings, provider, endpoint)
    target = build_endpoints(settings)[name]
    secret = settings.endpoints[name].token
    base = url or f"http://{settings.edge.host}:{settings.edge.port}"
    make = TAMPERS[tamper] if tamper else simulate
    right = 0
    for order in orders(Order(event_type, reference, amount, currency), count):
        delivery = make(target, order)
        try:
            answered = post(base, delivery, secret.get_secret_value() if secret else None)
        except OSError as error:
            message = f"nobody answers at {base}; does `payrouter dev` run here? ({error})"
            raise click.ClickException(message) from None
        sent = Sent(order, name, tamper, answered)
        right += sent.as_wanted
        click.echo(json.dumps(sent.as_json()) if as_json else str(sent))
    if right < count:
        raise SystemExit(EXIT_PROBLEM)


cli.add_command(senders(send))


def _said_once() -> None:
    """Have what goes wrong with the broker said in our own line alone."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def _endpoint_name(settings: Settings, provider: str, endpoint: str | None) -> str:
    named = settings.endpoints
    if endpoint is not None:
        if endpoint not in named or named[endpoint].provider != provider:
            message = f"--endpoint: there is no endpoint {endpoint} of {provider}"
            raise ConfigurationError(message)
        return endpoint
    found = [name for name, settings_ in named.items() if settings_.provider == provider]
    if not found:
        message = f"there is no endpoint of {provider}; is `payrouter dev` running here?"
        raise ConfigurationError(message)
    return found[0]


def _masked(settings: Settings) -> dict[str, Any]:
    values = settings.model_dump(mode="json", exclude_none=True)
    # Read by the consumer's own process: here only the names say which of them are secret.
    values["consumers"] = _hidden(values["consumers"])
    return values


def _hidden(table: dict[str, Any]) -> dict[str, Any]:
    hidden = {key: "**********" for key in table if key in {"database", "url"}}
    below = {key: _hidden(value) for key, value in table.items() if isinstance(value, dict)}
    return {**table, **below, **hidden}


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
