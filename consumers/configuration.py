"""The consumers' part of the configuration: read, checked, shown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click
from pydantic import BaseModel, SecretStr, ValidationError

from consumers import discovery
from consumers.database_url import consumer_database, database_url
from consumers.installed import names
from consumers.runtime.configured import Consumer
from consumers.runtime.service import Service
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.topic_check import TopicCheck
from router.broker.connection import KafkaConnection
from router.broker.rights import ConsumerParts, consumer_rights
from router.broker.topics.contract import TopicNeed
from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.configuration.problems import Problems, problem_lines
from router.configuration.settings import Settings, read_database
from router.configuration.topic_needs import needs_of, topic_needs
from router.errors import ConfigurationError

_Model = TypeVar("_Model", bound=BaseModel)


def one_consumer(invocation: Invocation, name: str) -> Consumer:
    """Return a consumer with its settings. Raises UsageError if there is none."""
    service = service_named(name)
    return Consumer(service, consumer_settings(invocation, service))


def service_named(name: str) -> Service:
    """Return a consumer by name. Raises UsageError if there is none."""
    found = discovery.needed([name])
    if name not in found:
        message = f"there is no consumer {name}; there are {', '.join(sorted(names()))}"
        raise click.UsageError(message)
    return found[name]


def every_consumer(invocation: Invocation) -> list[Consumer]:
    """Return every consumer with its settings."""
    services = discovery.discover()
    settings = load_settings(invocation)
    return [Consumer(each, _settings(settings, each, services)) for each in services.values()]


def consumer_settings(invocation: Invocation, service: Service) -> ConsumerSettings:
    """Return what one consumer needs of the configuration in force."""
    services = discovery.needed([service.name])
    return _settings(load_settings(invocation, services), service, services)


def _settings(
    settings: Settings, service: Service, services: Mapping[str, Service]
) -> ConsumerSettings:
    table = dict(settings.consumers.get(service.name, {}))
    own = table.pop("database", None) or {}
    under = f"consumers.{service.name}.database"
    database = consumer_database(settings, own, under)
    url = database_url(database, own, under)
    kafka, tuning = KafkaConnection.of(settings.kafka), _tuning(service, table)
    topics, group_id = settings.topics.topics(), tuning.group_of(service.name)
    return ConsumerSettings(
        name=service.name,
        kafka=kafka,
        database_url=SecretStr(url()),
        database_url_now=url,
        pooled=database.pooler == "transaction",
        owner_url=database.owner_url,
        reader_url=database.reader_url,
        topics=topics,
        tuning=tuning,
        cluster_id=settings.kafka.cluster_id,
        options=_options(service, table),
        orders=settings.order.fields,
        accounts=settings.accounts,
        topic_check=TopicCheck(
            _needs(settings, service, services),
            settings.topics.check_seconds,
            settings.topics.require_check,
            consumer_rights(kafka.principal, discovery.parts_of(service, topics, group_id)),
        ),
    )


def parts_by_name(settings: Settings) -> Mapping[str, ConsumerParts]:
    """Return what every consumer reads and publishes, without its database."""
    topics = settings.topics.topics()
    found = {}
    for name, service in discovery.discover().items():
        table = dict(settings.consumers.get(name, {}))
        table.pop("database", None)
        found[name] = discovery.parts_of(service, topics, _tuning(service, table).group_of(name))
    return found


def _needs(
    settings: Settings, service: Service, services: Mapping[str, Service]
) -> Sequence[TopicNeed]:
    topics = settings.topics.topics()
    every = topic_needs(settings, discovery.topics_beside(topics, services))
    return list(needs_of(every, discovery.topics_of(service, topics)))


def check_options(tables: Mapping[str, dict[str, Any]]) -> None:
    """Raise ConfigurationError for each problem in the options of these consumers."""
    known, problems = discovery.needed(tables), Problems()
    for name, table in tables.items():
        own = {key: value for key, value in table.items() if key != "database"}
        for read in (_tuning, _options):
            with problems.gathered():
                read(known[name], own)
    problems.refuse()


def shown_consumers(consumers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the checked tables with the secrets masked that each consumer's model declares."""
    known = discovery.needed(consumers)
    return {name: _shown(known[name], table) for name, table in consumers.items()}


def whole_consumers(consumers: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return every setting of every consumer, None if it is not set, with secrets masked."""
    services = discovery.discover()
    return {name: _whole(each, consumers.get(name, {})) for name, each in services.items()}


def _whole(service: Service, table: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in table.items() if key != "database"}
    database = read_database(table.get("database") or {}, f"consumers.{service.name}.database")
    models = (_tuning(service, own), _options(service, own))
    shown = {key: value for each in models for key, value in each.model_dump(mode="json").items()}
    return {**shown, "database": database.model_dump(mode="json")}


def _shown(service: Service, table: dict[str, Any]) -> dict[str, Any]:
    own = {key: value for key, value in table.items() if key != "database"}
    shown: dict[str, Any] = {"database": "**********"} if "database" in table else {}
    for read in (_tuning(service, own), _options(service, own)):
        shown |= read.model_dump(mode="json", exclude_unset=True)
    return shown


def _tuning(service: Service, table: dict[str, Any]) -> Tuning:
    """Read the runtime's part: all that is not an option of the consumer's own."""
    options = service.options.model_fields
    return _read(Tuning, service, {k: v for k, v in table.items() if k not in options})


def _options(service: Service, table: dict[str, Any]) -> BaseModel:
    """Read the consumer's own part of its table."""
    options = service.options
    return _read(options, service, {k: v for k, v in table.items() if k in options.model_fields})


def _read(model: type[_Model], service: Service, values: dict[str, Any]) -> _Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        beside: Iterable[str] = {
            "database",
            *Tuning.model_fields,
            *service.options.model_fields,
        }
        lines = problem_lines(error, f"consumers.{service.name}", model, beside)
        raise ConfigurationError(*lines) from None
