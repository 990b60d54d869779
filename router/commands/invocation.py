"""What every command shares: the configuration in force, options, listings, exit codes.

Every command imports this module, so a function here imports what it needs when it is called.
"""

import functools
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from pydantic import BaseModel, ValidationError
    from rich.console import Console
    from rich.table import Table

    from router.broker.topics.contract import TopicNeed
    from router.configuration.settings import Settings
    from router.contract.topics import Topics, TopicsBeside
    from router.edge.reload import Source
    from router.evaluation.data_dir import DataDir

EXIT_PROBLEM = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

DEFAULT_PORT = 8080

DATA_DIR = Path(".payrouter")


@dataclass(frozen=True)
class Consumers:
    """What the edge's part of the command has to be told of the consumers."""

    check: Callable[[Mapping[str, dict[str, Any]]], None] = lambda _consumers: None
    """Refuses their part of the configuration where it is wrong."""
    shown: Callable[[Mapping[str, dict[str, Any]]], dict[str, Any]] = lambda consumers: (
        dict.fromkeys(consumers, "**********")
    )
    """Writes their part of the configuration without any secret."""
    topics: "Callable[[Topics], TopicsBeside]" = lambda _names: _no_topics()
    metrics: "Callable[[], Mapping[str, CollectorRegistry]]" = dict
    """What each kind of their processes measures, by its name."""


def _no_topics() -> "TopicsBeside":
    from router.contract.topics import TopicsBeside

    return TopicsBeside()


@dataclass(frozen=True)
class Invocation:
    """Where a command looks: `--config` and `--data-dir`, and what they lead to."""

    config: Path | None
    data_dir: "DataDir"
    consumers: Consumers

    @property
    def articles(self) -> Sequence[str]:
        """What is bought in the play of `dev --rate`."""
        from router.evaluation.stream import ARTICLES

        return ARTICLES

    def settings(self) -> "Settings":
        """Load the configuration in force, check the consumers' part, set up the log."""
        from router.telemetry.logs import configure_logging

        settings = self.read()
        configure_logging(settings.log.level, settings.log.format)
        return settings

    def read(self) -> "Settings":
        """Load the configuration in force, and check it with the consumers' part."""
        from router.commands.checked import checked_settings
        from router.evaluation.data_dir import resolve_sources

        sources = resolve_sources(self.config, self.data_dir, os.environ)
        return checked_settings(sources, self.consumers.check)

    def topic_needs(self, settings: "Settings") -> "Sequence[TopicNeed]":
        """Return what every topic needs, those of the consumers included."""
        from router.configuration.topic_needs import topic_needs

        return topic_needs(settings, self.consumers.topics(settings.topics.topics()))

    def source(self) -> "Source":
        """Return where the configuration can be read again."""
        from router.edge.reload import Source
        from router.evaluation.data_dir import config_path

        return Source(self.read, lambda: config_path(self.config, self.data_dir, os.environ))

    def kafka(self) -> tuple[Mapping[str, Any], Callable[[Any], None]]:
        """Return the client settings as consumers take them, each time with the password of now.

        The second has an aiokafka client sign in with what is valid at each new connection.
        """
        from router.broker.credentials import ClientOptions, KafkaCredentials

        def options() -> Mapping[str, Any]:
            from router.broker.client import broker_options

            return broker_options(kafka, credentials)

        kafka = self.settings().kafka
        credentials = KafkaCredentials(kafka)
        return ClientOptions(options), credentials.renewed

    def develop(
        self,
        port: int | None,
        consumers: Sequence[str],
        prepare: Callable[[], Awaitable[None]],
        rate: float | None,
        public_url: str | None,
        *,
        verbose: bool,
    ) -> Coroutine[Any, Any, None]:
        """Return what runs `dev`: with the configuration given, or one made here."""
        from rich.console import Console

        from router.commands.checked import checked_settings
        from router.commands.dev import develop
        from router.configuration.settings import with_public_url
        from router.evaluation.activity import LOG_AS_LINES, Activity
        from router.evaluation.data_dir import config_path, resolve_sources
        from router.evaluation.system import Plan
        from router.providers import examples

        given = config_path(self.config, self.data_dir, os.environ)
        given = None if given == self.data_dir.generated else given
        config = given or self.data_dir.generate(examples())
        sources = resolve_sources(config, self.data_dir, os.environ)
        local = "http://127.0.0.1"
        settings = checked_settings(sources, self.consumers.check, public_url or local)
        port = port or settings.edge.port or DEFAULT_PORT
        public_url = _public_url(public_url, settings, port)
        self._check_whole(with_public_url(settings, public_url))
        activity = Activity(Console(stderr=True, highlight=False))
        plan = Plan(
            config=config,
            given=given is not None,
            data_dir=self.data_dir,
            port=port,
            public_url=public_url,
            consumers=consumers,
            environ=dict(os.environ),
            topics=self.consumers.topics,
            prepare=prepare,
            say=activity.say,
            log=None if verbose else activity.read,
            log_environ=LOG_AS_LINES,
        )
        say_once()
        return develop(plan, rate, console(), activity)

    def _check_whole(self, settings: "Settings") -> None:
        """Refuse here what a child would refuse later, and in more words."""
        from router.broker.client import client_options
        from router.edge.app import checked_gates

        checked_gates(settings)
        client_options(settings.kafka)

    def database_url(self, own: Mapping[str, Any], under: str) -> Callable[[], str]:
        """Return what tells the URL of a consumer's database, as its file has it at each call.

        It is its own table's, else `[database]`'s.
        """
        from router.configuration.database_url import database_url_now
        from router.configuration.settings import read_database
        from router.errors import ConfigurationError

        database = read_database(dict(own), under) if own else self.settings().database
        if database.url is None:
            message = (
                "database.url: missing, and no `payrouter dev` runs here;"
                " set it, or database.url_file"
            )
            raise ConfigurationError(message)
        return database_url_now(database, under if own else "database")


def _public_url(given: str | None, settings: "Settings", port: int) -> str:
    from router.configuration.values import checked_public_url
    from router.errors import ConfigurationError

    if given is None:
        return settings.edge.public_url or f"http://127.0.0.1:{port}"
    try:
        return checked_public_url(given)
    except ValueError as error:
        message = f"--public-url: {error}"
        raise ConfigurationError(message) from None


config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Configuration file; default: PAYROUTER_CONFIG, ./payrouter.toml, the data directory's.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DATA_DIR,
    envvar="PAYROUTER_DATA_DIR",
    show_default=True,
    help="Where a running `dev` leaves its addresses and data.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def wrong_configuration(
    error: "ValidationError", under: str, model: "type[BaseModel]", beside: Iterable[str] = ()
) -> NoReturn:
    """Raise what makes a validation error a line for each problem; see `problem_lines`."""
    from router.configuration.problems import problem_lines
    from router.errors import ConfigurationError

    raise ConfigurationError(*problem_lines(error, under, model, beside)) from None


def unknown_consumer(name: str, known: Collection[str], under: str = "consumers") -> NoReturn:
    """Raise what says that a table, or a name in a list, is no consumer's."""
    from router.configuration.problems import nearest
    from router.errors import ConfigurationError

    message = (
        f"{under}.{name}: there is no such consumer;"
        f" there are {', '.join(sorted(known))}{nearest(name, known)}"
    )
    raise ConfigurationError(message)


def check_database(own: object, under: str) -> None:
    """Refuse a consumer's own database table that is wrong, or no table."""
    from router.configuration.settings import read_database

    read_database(dict(own) if isinstance(own, Mapping) else own, under)


def console() -> "Console":
    """Return where listings are printed: as wide as the terminal, or as they are without one."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _WHOLE_LINES)


_WHOLE_LINES = 10_000
"""A pipe has no width of its own: no line is cut for it."""


def listing(*columns: str, numbers: Iterable[str] = (), **options: Any) -> "Table":  # noqa: ANN401 - rich's
    """Begin a table; text that is too long for its column goes on below, numbers never do."""
    from rich.table import Table

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
        from router.evaluation.data_dir import DataDir

        consumers = click.get_current_context().find_root().obj or Consumers()
        return command(Invocation(config, DataDir(data_dir), consumers), *args, **options)

    return wrapped


def say_once() -> None:
    """Have what goes wrong with the broker said in our own line alone."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def endpoint_name(settings: "Settings", provider: str, endpoint: str | None) -> str:
    """Name the endpoint meant: the one given, or the first one of the provider."""
    from router.errors import ConfigurationError

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
