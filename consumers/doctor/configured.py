"""Reads the configuration that is checked; each problem is a result."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from consumers import discovery
from consumers.configuration import consumer_settings
from consumers.doctor.results import CheckedArea, CheckedThing, CheckResult, has_failed
from consumers.rights.needed import EDGE
from consumers.runtime.configured import Consumer
from router.broker.connection import KafkaConnection
from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.edge.app import checked_gates
from router.edge.gate import Gate
from router.errors import ConfigurationError

CONFIGURATION = CheckedThing(CheckedArea.CONFIGURATION, "configuration")

_REMEDY = "correct it; `payrouter config show` prints what is in force"


@dataclass(frozen=True)
class Configured:
    """What could be read; `kafka` is None, `gates` and `consumers` are empty if it is unusable."""

    settings: Settings
    kafka: KafkaConnection | None
    gates: Mapping[str, Gate] = field(repr=False)
    consumers: Sequence[Consumer]
    results: Sequence[CheckResult]


def unreadable(error: ConfigurationError, thing: CheckedThing = CONFIGURATION) -> list[CheckResult]:
    """Return a result for each problem of a configuration."""
    return [thing.fail(line, _REMEDY) for line in error.problems]


def read_configuration(invocation: Invocation, processes: Collection[str] = ()) -> Configured:
    """Read and check everything; raises ConfigurationError if no process could start with it.

    With `processes`, an edge or a consumer that is not among them is left out.
    """
    settings = load_settings(invocation)
    results: list[CheckResult] = []
    kafka = None
    try:
        kafka = KafkaConnection.of(settings.kafka)
    except ConfigurationError as error:
        results += unreadable(error)
    gates: Mapping[str, Gate] = {}
    if settings.endpoints and (not processes or EDGE in processes):
        try:
            gates = checked_gates(settings)
        except ConfigurationError as error:
            results += unreadable(error)
    # With another problem of [kafka], each of them would have the same one.
    consumers = _consumers(invocation, settings, processes, results) if kafka else []
    if not has_failed(results):
        results.insert(0, CONFIGURATION.ok("valid"))
    return Configured(settings, kafka, gates, consumers, results)


def _consumers(
    invocation: Invocation,
    settings: Settings,
    processes: Collection[str],
    results: list[CheckResult],
) -> Sequence[Consumer]:
    """Return the consumers that are run, and add the problems of those that would not start."""
    known = discovery.discover()
    if processes and not known.keys() & set(processes):
        return []
    if not _has_database(settings):
        results.append(_no_database())
        return []
    run = processes or settings.exporter.consumers
    found = []
    for name, service in known.items():
        if run and name not in run:
            continue
        try:
            found.append(Consumer(service, consumer_settings(invocation, service)))
        except ConfigurationError as error:
            thing = CheckedThing(CheckedArea.CONFIGURATION, f"consumer {name}")
            results += unreadable(error, thing)
    return found


def _has_database(settings: Settings) -> bool:
    own = (table.get("database") for table in settings.consumers.values())
    return settings.database.url is not None or any(own)


def _no_database() -> CheckResult:
    return CheckedThing(CheckedArea.CONFIGURATION, "database").warn(
        "none is configured",
        "set database.url_file if a consumer uses this configuration: it would not start",
    )
