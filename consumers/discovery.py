"""Finds the consumers: packages of this distribution, and entry points of others."""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint

from consumers.installed import installed, own_names
from consumers.runtime.cases.held_kinds import HELD_KINDS
from consumers.runtime.service import Service
from consumers.runtime.settings import Tuning
from router.broker.rights import ConsumerParts
from router.contract.topics import FAMILIES, QUARANTINE, REFUSED, Topics, TopicsBeside

OUTCOME_SUFFIX = ".outcome"
"""Ends the name of a topic with a consumer's outcomes, as in `Topics.outcome`."""


class ServiceError(Exception):
    """A consumer does not fit the protocol; the process does not start."""

    exit_code = 2


def discover() -> Mapping[str, Service]:
    """Import every consumer and return them by name."""
    found = {name: _own(name) for name in own_names()}
    for entry in installed():
        if entry.name in found:
            message = f"consumer {entry.name} is there twice"
            raise ServiceError(message)
        found[entry.name] = _checked(_loaded(entry), entry.name)
    _check_measures(found)
    _check_cases(found)
    return found


def needed(names: Iterable[str]) -> Mapping[str, Service]:
    """Import the consumers of these names, as far as there are any, and return them by name.

    Imports every consumer if another distribution offers one: it must fit with all others.
    """
    if installed():
        return discover()
    return {name: _own(name) for name in own_names() if name in names}


def _own(name: str) -> Service:
    module = importlib.import_module(f"consumers.{name}.service")
    return _checked(getattr(module, "SERVICE", None), name)


def _check_measures(found: Mapping[str, Service]) -> None:
    """Refuse a metric of two consumers: the exporter exports those of all."""
    owners: dict[str, str] = {}
    for name, service in found.items():
        for measure in service.measures:
            other = owners.setdefault(measure.name, name)
            if other != name:
                message = f"consumer {name}: its measure {measure.name} is the one of {other} too"
                raise ServiceError(message)


def _check_cases(found: Mapping[str, Service]) -> None:
    """Refuse a kind of case of two consumers: pages, metrics and ids are by the kind alone."""
    owners = dict.fromkeys((kind.name for kind in HELD_KINDS), "the runtime")
    for name, service in found.items():
        for kind in (kind for source in service.cases for kind in source.kinds):
            other = owners.setdefault(kind.name, name)
            if other != name:
                message = f"consumer {name}: its case {kind.name} is the one of {other} too"
                raise ServiceError(message)


def _loaded(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:
        message = f"consumer {entry.name} ({entry.value}): {type(error).__name__}: {error}"
        raise ServiceError(message) from error


def _checked(candidate: object, name: str) -> Service:
    if not isinstance(candidate, Service):
        message = f"consumer {name} has no SERVICE that is a consumers.runtime.service.Service"
        raise ServiceError(message)
    if candidate.name != name:
        message = f"consumer {name} calls itself {candidate.name}"
        raise ServiceError(message)
    shared = candidate.options.model_fields.keys() & {"database", *Tuning.model_fields}
    if shared:
        message = f"consumer {name}: its option {min(shared)} is the runtime's own"
        raise ServiceError(message)
    if REFUSED in candidate.topics:
        message = f"consumer {name}: nothing on {REFUSED} is proven, no consumer may read it"
        raise ServiceError(message)
    if candidate.tables.schema is None:
        message = f"consumer {name}: its tables name no schema"
        raise ServiceError(message)
    return candidate


def topics_beside(names: Topics, services: Mapping[str, Service]) -> TopicsBeside:
    """Return the topics that these consumers need in addition to those of the edge."""
    read = {topic for service in services.values() for topic in service.topics}
    said = {topic for topic in read if topic.endswith(OUTCOME_SUFFIX)}
    said |= {f"{name}{OUTCOME_SUFFIX}" for name, each in services.items() if each.says_outcomes}
    return TopicsBeside(
        kept=[
            names.dead_letter(names.name(topic), name)
            for name, service in services.items()
            for topic in service.topics
        ],
        passing=[names.outcome(topic.removesuffix(OUTCOME_SUFFIX)) for topic in sorted(said)],
        foreign=[names.name(topic) for topic in sorted(read - {*FAMILIES, QUARANTINE} - said)],
    )


def parts_of(service: Service, names: Topics, group_id: str) -> ConsumerParts:
    """Return what a consumer reads and publishes, for its rights on the broker."""
    read = [names.name(topic) for topic in service.topics]
    return ConsumerParts(
        group_id,
        read,
        [names.dead_letter(topic, service.name) for topic in read],
        names.outcome(service.name) if service.says_outcomes else None,
        service.recalls,
        [names.name(topic) for topic in service.commanded],
    )


def topics_of(service: Service, names: Topics) -> Sequence[str]:
    """Return the topics on the broker that a consumer reads and writes."""
    read = [names.name(topic) for topic in service.topics]
    dead = [names.dead_letter(topic, service.name) for topic in read]
    return [*read, *dead, *([names.outcome(service.name)] if service.says_outcomes else [])]
