"""The whole `payrouter` command: the edge's part, the runtime's, and that of every consumer.

Every command imports this module, so a command imports what it needs when it is given.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from consumers.command_groups import OF_ONE_CONSUMER, given_object
from router.commands.cli import (
    EXIT_PROBLEM,
    EXIT_USAGE,
    CommandGroup,
    Consumers,
    Invocation,
    check_database,
    cli,
    console,
    found_in,
    invoked,
    json_option,
    listing,
    problems_gathered,
    run,
    serve,
    supervised_option,
    unknown_consumer,
    wrong_configuration,
)

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from pydantic import BaseModel

    from consumers.runtime.configured import Consumer
    from consumers.runtime.service import Service
    from consumers.runtime.settings import ConsumerSettings, Tuning
    from router.broker.topics.contract import TopicNeed
    from router.contract.topics import Topics, TopicsBeside

Model = TypeVar("Model", bound="BaseModel")


def discover() -> "Mapping[str, Service]":
    """Return every consumer by name."""
    from consumers import discovery

    return discovery.discover()


def consumer_settings(invocation: Invocation, service: "Service") -> "ConsumerSettings":
    """Read what one consumer needs out of the configuration in force."""
    from pydantic import SecretStr

    from consumers.discovery import topics_of
    from consumers.runtime.settings import ConsumerSettings
    from consumers.runtime.topic_check import TopicCheck

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
        topic_check=TopicCheck(
            _own(invocation.topic_needs(settings), topics_of(service, settings.topics.topics())),
            settings.topics.check_seconds,
            settings.topics.require_check,
        ),
    )


def _own(needs: "Sequence[TopicNeed]", names: Collection[str]) -> "list[TopicNeed]":
    return [need for need in needs if need.name in names]


def check_consumers(consumers: Mapping[str, dict[str, Any]]) -> None:
    """Refuse a `[consumers.NAME]` that no consumer reads, or not so."""
    from consumers.installed import installed

    if not consumers and not installed():
        return
    known, problems = discover(), problems_gathered()
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
    if not consumers:
        return {}
    known = discover()
    return {name: _shown(known[name], table) for name, table in consumers.items()}


def _shown(service: "Service", table: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in table.items() if key != "database"}
    shown: dict[str, Any] = {"database": "**********"} if "database" in table else {}
    for read in (_tuning(service, own), _options(service, own)):
        shown |= read.model_dump(mode="json", exclude_unset=True)
    return shown


def _tuning(service: "Service", table: dict[str, Any]) -> "Tuning":
    """Read the runtime's part: whatever is not an option of the consumer's own."""
    from consumers.runtime.settings import Tuning

    options = service.options.model_fields
    return _read(Tuning, service, {k: v for k, v in table.items() if k not in options})


def _options(service: "Service", table: dict[str, Any]) -> "BaseModel":
    """Read the consumer's own part of its table."""
    options = service.options
    return _read(options, service, {k: v for k, v in table.items() if k in options.model_fields})


def _read(model: type[Model], service: "Service", values: dict[str, Any]) -> Model:
    from pydantic import ValidationError

    from consumers.runtime.settings import Tuning

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
    from consumers.runtime.member.app import run_consumer
    from consumers.runtime.store.schema_version import SchemaOutdated

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
    from consumers.runtime.exporter.app import Exporting, run_exporter

    where = invocation.settings().exporter
    exporting = Exporting(where.management_host, where.management_port, where.every_seconds)
    known = {each.service.name: each for each in _consumers(invocation)}
    problems = problems_gathered()
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
@click.option("-v", "--verbose", is_flag=True, help="Print the whole log of every process.")
@invoked
def dev(
    invocation: Invocation,
    port: int | None,
    rate: float | None,
    public_url: str | None,
    *,
    verbose: bool,
) -> None:
    """Run the whole system here: broker, database, edge and consumers, until Ctrl-C."""
    services = discover()

    async def prepare() -> None:
        for service in services.values():
            settings = consumer_settings(invocation, service)
            await _upgraded(settings, service)
            if rate and service.before_play:
                await _made_ready(settings, service, invocation.articles)

    serve(invocation.develop(port, sorted(services), prepare, rate, public_url, verbose=verbose))


@cli.group()
def db() -> None:
    """Set up the consumers' tables."""


@db.command("upgrade")
@invoked
@json_option
def db_upgrade(invocation: Invocation, *, as_json: bool) -> None:
    """Bring the tables of every consumer up to this version."""
    import asyncio

    from rich.text import Text

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


@click.group(cls=CommandGroup)
def offsets() -> None:
    """Show how far each consumer has applied each partition, and set it."""


def main() -> NoReturn:
    """Run the command line."""
    whole_command()
    try:
        run(cli, Consumers(check_consumers, shown_consumers, _topics_beside, _declared))
    except SystemExit:
        raise
    except _misfit() as problem:  # looked up only where something else was raised
        click.echo(f"payrouter: {problem}", err=True)
        raise SystemExit(EXIT_USAGE) from None
    except _store_unavailable() as problem:
        click.echo(f"payrouter: {problem}", err=True)
        raise SystemExit(EXIT_PROBLEM) from None


def _misfit() -> type[Exception]:
    from consumers.discovery import ServiceError

    return ServiceError


def _store_unavailable() -> type[Exception]:
    from consumers.runtime.store.database import StoreUnavailable

    return StoreUnavailable


def _topics_beside(names: "Topics") -> "TopicsBeside":
    from consumers.discovery import topics_beside

    return topics_beside(names)


def _declared() -> "Mapping[str, CollectorRegistry]":
    from consumers.catalogue import declared

    return declared()


def whole_command() -> click.Group:
    """Return the command line with everything there is on it."""
    reset = {offsets: ("consumers.runtime.commands.reset", {"reset": "reset"})}
    for group, (module, commands) in {**OF_ONE_CONSUMER, **reset}.items():
        cli.add_command(group)
        for name, function in commands.items():
            group.elsewhere[name] = partial(_with_consumer, found_in(module, function))
    offsets.elsewhere["show"] = _offsets_show
    cli.elsewhere["trace"] = _trace
    cli.rest = _service_groups
    return cli


def _trace() -> click.Command:
    from consumers.runtime.commands.trace import trace

    return given_object(trace, _consumers)


def _offsets_show() -> click.Command:
    from consumers.runtime.commands.offsets import show

    return given_object(show, _one_or_all, [click.Argument(["name"], required=False)])


def _service_groups() -> Mapping[str, click.Command]:
    return {name: _service_group(service) for name, service in discover().items()}


def _with_consumer(found: Callable[[], click.Command]) -> click.Command:
    return given_object(found(), _consumer, [click.Argument(["name"])])


def _consumer(invocation: Invocation, name: str) -> "Consumer":
    from consumers.runtime.configured import Consumer

    service = _service(name)
    return Consumer(service, consumer_settings(invocation, service))


def _consumers(invocation: Invocation) -> "list[Consumer]":
    """Return every consumer, configured."""
    from consumers.runtime.configured import Consumer

    consumers = []
    for service in discover().values():
        settings = consumer_settings(invocation, service)
        consumers.append(Consumer(service.configured(service, settings.setup), settings))
    return consumers


def _one_or_all(invocation: Invocation, name: str | None) -> "list[Consumer]":
    return [_consumer(invocation, name)] if name else _consumers(invocation)


def _service(name: str) -> "Service":
    services = discover()
    if name not in services:
        message = f"there is no consumer {name}; there are {', '.join(sorted(services))}"
        raise click.UsageError(message)
    return services[name]


async def _upgraded(settings: "ConsumerSettings", service: "Service") -> list[str]:
    from consumers.runtime.store.database import open_upgrade_engine, unavailability_explained
    from consumers.runtime.store.migrate import upgrade

    engine = open_upgrade_engine(settings)
    try:
        with unavailability_explained(settings):
            return list(await upgrade(engine, service))
    finally:
        await engine.dispose()


async def _made_ready(
    settings: "ConsumerSettings", service: "Service", articles: Sequence[str]
) -> None:
    from consumers.runtime.service import Play
    from consumers.runtime.store.database import acting

    async with acting(settings) as engine:
        configured = service.configured(service, settings.setup)
        if configured.before_play:
            await configured.before_play(engine, Play(settings.accounts, articles))


def _service_group(service: "Service") -> click.Group:
    """Make the group of a consumer's own commands: each gets that consumer's settings."""
    group = click.Group(service.name, help=f"Look into the {service.name}.")
    for command in service.commands:
        group.add_command(given_object(command, partial(consumer_settings, service=service)))
    return group
