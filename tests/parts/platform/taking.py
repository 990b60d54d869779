"""Takes rights away one by one: who names each, how, how soon, and whether it recovers."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from router.broker.rights import KafkaOperation, ResourceKind, Right, denied
from tests.parts.monitoring.system import CONSUMERS
from tests.parts.platform.brokers import Brokers
from tests.parts.platform.fleet import Fleet
from tests.parts.platform.pods import Pod
from tests.parts.platform.stores import EXPORTER, Stores, TableRight
from tests.parts.waiting import until

INCLUDED_IN: Final = {
    KafkaOperation.DESCRIBE: KafkaOperation.ALTER,
    KafkaOperation.DESCRIBE_CONFIGS: KafkaOperation.ALTER_CONFIGS,
}
"""Kafka lets who may do the one also do the other."""

COMMANDS: Final = ("topics", "operator")
"""Users of commands: they have no process that names anything."""

_AT_ONCE: Final = 12


@dataclass(frozen=True)
class Taken:
    """A right that was taken away, and what followed."""

    of: str
    what: str
    process: str
    """Where every process of it named it; `-` if a command alone uses it."""
    doctor: bool | None
    """Whether doctor named it; None if it does not check this role."""
    named_seconds: float
    back_seconds: float


Naming = tuple[str, bool | None, float]
"""The place where a process named a right, whether doctor did, and after how many seconds."""


def kafka_rounds(rights: Mapping[str, Sequence[Right]]) -> Iterator[Sequence[tuple[str, Right]]]:
    """Yield the rights to take away together: of a process one, of a command one per operation."""
    waiting = {
        name: deque(right for right in own if has_effect(right, own))
        for name, own in rights.items()
    }
    while any(waiting.values()):
        yield [(name, right) for name, own in waiting.items() for right in _next(name, own)]


def _next(name: str, own: deque[Right]) -> Iterator[Right]:
    operations: set[tuple[object, object]] = set()
    resources: set[object] = set()
    for right in list(own):
        operation = (right.operation, right.resource.kind)
        if operation not in operations and right.resource not in resources:
            own.remove(right)
            yield right
            if name not in COMMANDS:
                return
            operations.add(operation)
            resources.add(right.resource)


def has_effect(right: Right, others: Sequence[Right]) -> bool:
    """Return whether its absence changes what a user may do, and the broker reports that."""
    if right.resource.kind is ResourceKind.TRANSACTIONAL_ID:
        return False
    beside = {each.operation for each in others if each.resource == right.resource}
    return INCLUDED_IN.get(right.operation) not in beside


def take_lists(
    system: Fleet,
    brokers: Brokers,
    rights: Mapping[str, Sequence[Right]],
    traffic: Callable[[], None],
) -> Iterator[Taken]:
    """Take away every right on Kafka under traffic, and yield what followed."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for together in kafka_rounds(rights):
            for _, right in together:
                brokers.lists.take(right)
            sent, began = pool.submit(traffic), time.monotonic()
            try:
                look = partial(_list_named, system, began)
                named = list(pool.map(look, *zip(*together, strict=True)))
            finally:
                brokers.lists.grant(right for _, right in together)
            sent.result()
            back = _recovered(system)
            for (name, right), (process, doctor, seconds) in zip(together, named, strict=True):
                what = f"{right.operation} {right.resource.name}"
                yield Taken(name, what, process, doctor, seconds, back)


def _list_named(system: Fleet, began: float, name: str, right: Right) -> Naming:
    (sentence,) = denied([right])
    missing, _, _ = sentence.partition("; grant: ")
    pods = system.of(name)
    process = "-"
    if name not in COMMANDS:
        for pod in pods:
            until(_probes(system, pod, sentence), f"{pod.name}: {sentence}")
            assert system.ready(pod)[0] is not right.required, f"{pod.name}: {sentence}"
        process = "/readyz"
    seconds = time.monotonic() - began
    until(_says(system, pods[0], "broker", missing), f"doctor of {name}: {missing}")
    return process, True, seconds


def _says(system: Fleet, pod: Pod, area: str, sentence: str) -> Callable[[], bool]:
    return lambda: any(each.startswith(sentence) for each in system.ailments(pod, area))


def _recovered(system: Fleet) -> float:
    began = time.monotonic()
    for pod in system.of("edge", *CONSUMERS, "exporter"):
        until(partial(system.is_whole, pod), f"{pod.name} has recovered")
    return time.monotonic() - began


def take_table_rights(
    system: Fleet, stores: Stores, traffic: Callable[[], None]
) -> Iterator[Taken]:
    """Take away every right on the database, of each process one at a time, under traffic."""
    waiting = {name: deque(own) for name, own in stores.rights().items()}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while any(waiting.values()):
            together = [own.popleft() for own in waiting.values() if own]
            for right in together:
                stores.take(right)
            sent = pool.submit(traffic)
            try:
                look = partial(_table_named, system, time.monotonic())
                named = list(pool.map(look, together))
            finally:
                for right in together:
                    stores.give(right)
            sent.result()
            back = _recovered(system)
            for right, (process, doctor, seconds) in zip(together, named, strict=True):
                yield Taken(right.process, right.what, process, doctor, seconds, back)


def _table_named(system: Fleet, began: float, right: TableRight) -> Naming:
    pods = system.of(right.process)
    for pod in pods:
        until(_probes(system, pod, right.sentence), f"{pod.name}: {right.sentence}")
        assert not system.ready(pod)[0], f"{pod.name} is ready, but {right.sentence}"
    seconds = time.monotonic() - began
    if right.process == EXPORTER:
        return "/readyz", None, seconds
    until(_says(system, pods[0], "stores", right.sentence), f"doctor: {right.sentence}")
    return "/readyz", True, seconds


def _probes(system: Fleet, pod: Pod, sentence: str) -> Callable[[], bool]:
    return lambda: sentence in system.ready(pod)[1]
