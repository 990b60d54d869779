"""The catalogue of all metrics, read from the metrics themselves: none is described twice."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

OPEN: Mapping[str, str] = {
    "endpoint": "as configured, or `unknown`",
    "provider": "of the endpoint, or `unknown`",
    "key": "fingerprint of a key of the endpoint, or `unknown`",
    "topic": "as configured",
    "partition": "its number",
    "consumer": "its name",
    "work": "`watch`, `lag`, `parked`, `outbox`, `forget`, and what the consumer itself does so",
    "source": "`broker`, or the consumer whose store it is",
    "version": "the version that runs",
    **dict.fromkeys(("implementation", "major", "minor", "patchlevel"), "of Python"),
}
"""Labels whose values are those of an installation. All others have the same values everywhere."""

_UNITS = {
    "_timestamp_seconds": "Unix time in seconds",
    "_seconds": "seconds",
    "_bytes": "bytes",
    "_records": "records",
}


@dataclass(frozen=True)
class Described:
    """A metric as it is declared.

    `labels` has the values of a closed label, and none of one whose values
    are the installation's.
    """

    name: str
    kind: str
    unit: str | None
    meaning: str
    labels: Mapping[str, Sequence[str]]
    buckets: Sequence[str]
    processes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "name": self.name,
            "type": self.kind,
            "unit": self.unit,
            "meaning": self.meaning,
            "labels": {
                name: list(values) if values else None for name, values in self.labels.items()
            },
            "buckets": list(self.buckets),
            "processes": self.processes,
        }


class CatalogueIncomplete(Exception):  # noqa: N818 - reads as what it is
    """A metric is declared so that not all of it can be told."""


def catalogue(processes: Mapping[str, CollectorRegistry]) -> Sequence[Described]:
    """Describe what these processes measure, each metric once; raises CatalogueIncomplete."""
    found: dict[str, Described] = {}
    for process, registry in processes.items():
        for metric in _described(registry):
            known = found.setdefault(metric.name, metric)
            if replace(known, processes=[]) != metric and known is not metric:
                message = (
                    f"{metric.name}: {process} and {known.processes[0]} declare it differently"
                )
                raise CatalogueIncomplete(message)
            known.processes.append(process)
    return list(found.values())


def markdown(metrics: Iterable[Described]) -> str:
    """Write the catalogue as a page of the documentation."""
    groups: dict[tuple[str, ...], list[Described]] = {}
    for metric in metrics:
        groups.setdefault(tuple(metric.processes), []).append(metric)
    parts = [_HEAD]
    for processes, those in groups.items():
        parts.append(f"\n## {' · '.join(processes)}\n\n{_TABLE}")
        parts.extend(_row(metric) for metric in those)
    parts.append("\n## Labels of an installation\n\n| label | values |\n|---|---|\n")
    used = {label for metric in chain(*groups.values()) for label in metric.labels}
    parts.extend(f"| `{name}` | {values} |\n" for name, values in OPEN.items() if name in used)
    return "".join(parts)


_HEAD = """# Metrics

Written by `payrouter metrics --markdown`; `make check` fails where it is not what the code says.

Every process answers on `/metrics` of its management port; the headings name the processes that
say a metric. What is read from a consumer's store is said alike by all that read it, so a query
takes the largest. A histogram is the series `_bucket`, `_sum` and `_count`. A label without values
here has those of the installation, which stand at the end. Every series there can be is there from
the start, but those of a partition, which come with it.

A process renders a scrape in short steps between its other work, in about a tenth of its time, and
one scrape at a time: scrapes that arrive meanwhile get the same text. An edge has about ten series
for each endpoint; a thousand endpoints are about 1 MB and take a second or two.
"""

_TABLE = "| metric | type | labels | meaning |\n|---|---|---|---|\n"


def _row(metric: Described) -> str:
    kind = metric.kind if metric.unit is None else f"{metric.kind}, {metric.unit}"
    labels = "; ".join(_label(name, values) for name, values in metric.labels.items())
    buckets = f" Buckets: {', '.join(metric.buckets)}." if metric.buckets else ""
    meaning = metric.meaning.rstrip(".").replace("|", "\\|")
    return f"| `{metric.name}` | {kind} | {labels} | {meaning}.{buckets} |\n"


def _label(name: str, values: Sequence[str]) -> str:
    return f"`{name}`: {', '.join(values)}" if values else f"`{name}`"


def _described(registry: CollectorRegistry) -> Iterator[Described]:
    for collector in list(registry._collector_to_names):  # noqa: SLF001 - told nowhere else
        for family in collector.collect():
            labels = _label_names(collector, family)
            yield Described(
                name=f"{family.name}_total" if family.type == "counter" else family.name,
                kind=family.type,
                unit=_unit(family.name),
                meaning=family.documentation,
                labels={label: _values(family, label) for label in labels},
                buckets=_distinct(family, "le"),
            )


def _label_names(collector: Collector, family: Metric) -> Sequence[str]:
    # A metric knows its labels itself; a collector's families each know their own.
    declaring = collector if isinstance(collector, MetricWrapperBase) else family
    return list(getattr(declaring, "_labelnames", ()))


def _values(family: Metric, label: str) -> Sequence[str]:
    if label in OPEN:
        return ()
    values = _distinct(family, label)
    if not values:
        message = f"{family.name}: which values its label {label} has is not declared"
        raise CatalogueIncomplete(message)
    return values


def _distinct(family: Metric, label: str) -> Sequence[str]:
    return list(dict.fromkeys(s.labels[label] for s in family.samples if label in s.labels))


def _unit(name: str) -> str | None:
    return next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), None)
