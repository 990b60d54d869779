"""The whole `payrouter` command: the edge's part, the runtime's, and that of every consumer."""

import asyncio
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar

import click
from pydantic import BaseModel, SecretStr, ValidationError
from rich.text import Text

from consumers.runtime import (
    commands_brake,
    commands_held,
    commands_offsets,
    commands_outbox,
    commands_reset,
    commands_trace,
)
from consumers.runtime.app import run_consumer
from consumers.runtime.catalogue import declared
from consumers.runtime.command import Consumer
from consumers.runtime.discovery import ServiceError, discover, topics_beside
from consumers.runtime.exporter import Exporting, run_exporter
from consumers.runtime.migrate import SchemaOutdated, upgrade
from consumers.runtime.service import Play, Service
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store import (
    StoreUnavailable,
    acting,
    open_upgrade_engine,
    unavailability_explained,
)
from router.cli import (
    EXIT_PROBLEM,
    EXIT_USAGE,
    Consumers,
    Invocation,
    Problems,
    check_database,
    cli,
    console,
    invoked,
    json_option,
    listing,
    run,
    serve,
    supervised_option,
    unknown_consumer,
    wrong_configuration,
)

Model = TypeVar("Model", bound=BaseModel)


def consumer_settings(invocation: Invocation, service: Service) -> ConsumerSettings:
    """Read what one consumer needs out of the configuration in force."""
    settings = invocation.settings()
    table = dict(settings.consumers.get(service.name, {}))
    database = table.pop("database", None) or {}
    database_url = invocation.database_url(database, f"consumers.{service.name}.database")
    kafka, renewed = invocation.kafka()
    return ConsumerSettings(
        name=service.name,
        kafka=kafka,
        renewed=renewed,
        database_url=SecretStr(database_url()),
        database_url_now=database_url,
        topics=settings.topics.topics(),
        tuning=_tuning(service, table),
        cluster_id=settings.kafka.cluster_id,
        options=_options(service, table),
        orders=settings.order.fields,
        accounts=settings.accounts,
    )


def check_consumers(consumers: Mapping[str, dict[str, Any]]) -> None:
    """Refuse a `[consumers.NAME]` that no consumer reads, or not so."""
    known, problems = discover(), Problems()
    for name, table in consumers.items():
        if name not in known:
            with problems.gathered():
                unknown_consumer(name, known)
            continue
        with problems.gathered():
            check_database(table.get("database") or {}, f"consumers.{name}.database")
        own = {key: value for key, value in table.items() if key != "database"}
        for read in (_tuning, _options):
            with problems.gathered():
                read(known[name], own)
    problems.refuse()


def shown_consumers(consumers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Write what was checked, secrets masked as each consumer's own model says."""
    known = discover()
    return {name: _shown(known[name], table) for name, table in consumers.items()}


def _shown(service: Service, table: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in table.items() if key != "database"}
    shown: dict[str, Any] = {"database": "**********"} if "database" in table else {}
    for read in (_tuning(service, own), _options(service, own)):
        shown |= read.model_dump(mode="json", exclude_unset=True)
    return shown


def _tuning(service: Service, table: dict[str, Any]) -> Tuning:
    """Read the runtime's part: whatever is not an option of the consumer's own."""
    options = service.options.model_fields
    return _read(Tuning, service, {k: v for k, v in table.items() if k not in options})


def _options(service: Service, table: dict[str, Any]) -> BaseModel:
    """Read the consumer's own part of its table."""
    options = service.options
    return _read(options, service, {k: v for k, v in table.items() if k in options.model_fields})


def _read(model: type[Model], service: Service, values: dict[str, Any]) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        beside = {"database", *Tuning.model_fields, *service.options.model_fields}
        wrong_configuration(error, f"consumers.{service.name}", model, beside)


@cli.command()
@click.argument("name")
@invoked
@supervised_option
def consume(invocation: Invocation, name: str, *, supervised: bool) -> None:
    """Run one consumer: NAME is ledger, or that of a consumer of your own."""
    service = _service(name)
    settings = consumer_settings(invocation, service)
    try:
        serve(run_consumer(service, settings, supervised=supervised))
    except SchemaOutdated as problem:
        raise click.ClickException(str(problem)) from None


@cli.command()
@invoked
@supervised_option
def exporter(invocation: Invocation, *, supervised: bool) -> None:
    """Tell Prometheus how far every consumer is, from log and stores, whether it runs or not."""
    where = invocation.settings().exporter
    exporting = Exporting(where.management_host, where.management_port, where.every_seconds)
    known = {each.service.name: each for each in _consumers(invocation)}
    problems = Problems()
    for name in where.consumers:
        if name not in known:
            with problems.gathered():
                unknown_consumer(name, known, "exporter.consumers")
    problems.refuse()
    watched = [known[name] for name in where.consumers or known]
    serve(run_exporter(watched, exporting, supervised=supervised))


@cli.command()
@click.option(
    "--port",
    type=click.IntRange(1, 64000),
    help="Port of the edge, its metrics at 1000 more, the others' after that;"
    " default: the configuration's, or 8080.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0.01, 1000),
    help="Play gateway: so many deliveries a second, until the end.",
)
@click.option("--public-url", help="How the internet reaches this edge, to be shown.")
@invoked
def dev(
    invocation: Invocation, port: int | None, rate: float | None, public_url: str | None
) -> None:
    """Run the whole system here: broker, database, edge and consumers, until Ctrl-C."""
    services = discover()

    async def prepare() -> None:
        for service in services.values():
            settings = consumer_settings(invocation, service)
            await _upgraded(settings, service)
            if rate and service.before_play:
                await _made_ready(settings, service, invocation.articles)

    serve(invocation.develop(port, sorted(services), prepare, rate, public_url))


@cli.group()
def db() -> None:
    """Set up the consumers' tables."""


@db.command("upgrade")
@invoked
@json_option
def db_upgrade(invocation: Invocation, *, as_json: bool) -> None:
    """Bring the tables of every consumer up to this version."""
    applied = {
        name: asyncio.run(_upgraded(consumer_settings(invocation, service), service))
        for name, service in discover().items()
    }
    if as_json:
        click.echo(json.dumps(applied))
        return
    table = listing("consumer", "applied")
    for name, revisions in applied.items():
        table.add_row(Text(name), Text(", ".join(revisions) or "nothing, it is up to date"))
    console().print(table)


@cli.group()
def offsets() -> None:
    """Show how far each consumer has applied each partition, and set it."""


@cli.group()
def parked() -> None:
    """Look at records that are tried again by themselves."""


@cli.group()
def dlq() -> None:
    """Look at dead records, and have them tried again."""


@cli.group()
def brake() -> None:
    """Look at what stops a topic after many failures in a row, and have it go on."""


@cli.group()
def outbox() -> None:
    """Look at what a consumer has to publish."""


def main() -> NoReturn:
    """Run the command line."""
    try:
        _add_commands()
    except ServiceError as problem:
        click.echo(f"payrouter: {problem}", err=True)
        raise SystemExit(EXIT_USAGE) from None
    try:
        run(cli, Consumers(check_consumers, shown_consumers, topics_beside, declared))
    except StoreUnavailable as problem:
        click.echo(f"payrouter: {problem}", err=True)
        raise SystemExit(EXIT_PROBLEM) from None


_OF_ONE_CONSUMER: Mapping[click.Group, Sequence[click.Command]] = {
    parked: (commands_held.parked_list, commands_held.parked_retry),
    dlq: (
        commands_held.dlq_list,
        commands_held.dlq_show,
        commands_held.dlq_replay,
        commands_held.dlq_history,
    ),
    brake: (commands_brake.show, commands_brake.clear),
    outbox: (commands_outbox.show, commands_outbox.retry),
    offsets: (commands_reset.reset,),
}
"""The runtime's own commands, each about the consumer named first."""


def _add_commands() -> None:
    for group, commands in _OF_ONE_CONSUMER.items():
        for command in commands:
            group.add_command(_with_consumer(command))
    cli.add_command(_with(commands_trace.trace, _consumers))
    one = click.Argument(["name"], required=False)
    offsets.add_command(_with(commands_offsets.show, _one_or_all, [one]))
    for service in discover().values():
        cli.add_command(_service_group(service))


def whole_command() -> click.Group:
    """Return the command line with everything there is on it, for those who look and do not run."""
    _add_commands()
    return cli


def _with(
    command: click.Command,
    look: Callable[..., object],
    arguments: Sequence[click.Argument] = (),
) -> click.Command:
    """Give a command `--config` and `--data-dir`, and as its object what `look` makes of them.

    `look` also takes these arguments, which come before the command's own.
    """
    own = command.callback
    if own is None:
        return command

    @invoked
    @functools.wraps(own)
    def callback(invocation: Invocation, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        named = {str(each.name): options.pop(str(each.name)) for each in arguments}
        click.get_current_context().obj = look(invocation, **named)
        return _call(own, *args, **options)

    wrapped = click.command(command.name)(callback)
    wrapped.help = command.help
    wrapped.params = [*arguments, *command.params, *wrapped.params]
    return wrapped


def _with_consumer(command: click.Command) -> click.Command:
    return _with(command, _consumer, [click.Argument(["name"])])


def _consumer(invocation: Invocation, name: str) -> Consumer:
    service = _service(name)
    return Consumer(service, consumer_settings(invocation, service))


def _consumers(invocation: Invocation) -> list[Consumer]:
    """Return every consumer, configured."""
    consumers = []
    for service in discover().values():
        settings = consumer_settings(invocation, service)
        consumers.append(Consumer(service.configured(service, settings.setup), settings))
    return consumers


def _one_or_all(invocation: Invocation, name: str | None) -> list[Consumer]:
    return [_consumer(invocation, name)] if name else _consumers(invocation)


def _service(name: str) -> Service:
    services = discover()
    if name not in services:
        message = f"there is no consumer {name}; there are {', '.join(sorted(services))}"
        raise click.UsageError(message)
    return services[name]


async def _upgraded(settings: ConsumerSettings, service: Service) -> list[str]:
    engine = open_upgrade_engine(settings)
    try:
        with unavailability_explained(settings):
            return list(await upgrade(engine, service))
    finally:
        await engine.dispose()


async def _made_ready(
    settings: ConsumerSettings, service: Service, articles: Sequence[str]
) -> None:
    async with acting(settings) as engine:
        configured = service.configured(service, settings.setup)
        if configured.before_play:
            await configured.before_play(engine, Play(settings.accounts, articles))


def _service_group(service: Service) -> click.Group:
    """Make the group of a consumer's own commands: each gets that consumer's settings."""
    group = click.Group(service.name, help=f"Look into the {service.name}.")
    for command in service.commands:
        group.add_command(_with(command, partial(consumer_settings, service=service)))
    return group


def _call(callback: Callable[..., Any], *args: Any, **options: Any) -> Any:  # noqa: ANN401
    return callback(*args, **options)
