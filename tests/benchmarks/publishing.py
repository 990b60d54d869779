"""Publishes records from concurrent submitters; prints what each cost. Imports only `router`.

So it measures any checkout: see `tests.benchmarks.publish`.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry

from router.broker.connection import KafkaConnection
from router.configuration.settings import settings_from
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord
from router.edge.metrics import EdgeMetrics
from router.edge.publishing.publish import KafkaPublisher, probe_of, producer_factory
from router.edge.publishing.record_room import RecordRoom
from router.telemetry.logs import get_log
from router.terminal.processes import loop_factory

SUBMITTERS = (1, 32, 128)
RECORDS = {1: 1500, 32: 12_000, 128: 16_000}
DEADLINE_SECONDS = 10.0
_VALUE = b"v" * 900
_HEADERS = [
    ("ce_specversion", b"1.0"),
    ("ce_id", b"0b6f3c7e-6f0e-5d2b-9d2c-3f7f9f6d3c11"),
    ("ce_source", b"/payrouter/blockatm/shop-eu"),
    ("ce_type", b"payment.confirmed"),
    ("ce_subject", b"B-1234567"),
    ("ce_time", b"2026-11-29T12:00:00.000000+00:00"),
    ("ce_dataschema", b"urn:payrouter:schema:event:1.0"),
    ("content-type", b"application/json"),
    ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
]

Publish = Callable[[KafkaPublisher, Sequence[OutgoingRecord], int], Awaitable[None]]


async def measure(bootstrap: str, topic: str, interface: str) -> list[tuple[int, float, float]]:
    """Return microseconds of CPU and records a second, for each number of submitters."""
    kafka = KafkaConnection.of(settings_from({"kafka": {"bootstrap_servers": bootstrap}}).kafka)
    publisher = KafkaPublisher(
        producer_factory(kafka, 1024 * 1024),
        probe_of([topic], lambda _topic: None, ()),
        RecordRoom(1024 * 1024),
        EdgeMetrics(CollectorRegistry(), topics=Topics(topic.partition(".")[0] + ".")),
        get_log("publish"),
    )
    publish = _INTERFACES[interface]
    async with publisher.running():
        await _until_good(publisher)
        await publish(publisher, _records(topic, 2000), 32)
        return [await _measured(publisher, publish, topic, each) for each in SUBMITTERS]


async def _until_good(publisher: KafkaPublisher) -> None:
    # This module imports no other part of the tests, which would be those of its checkout.
    for _ in range(600):
        if publisher.health().good:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


async def _measured(
    publisher: KafkaPublisher, publish: Publish, topic: str, submitters: int
) -> tuple[int, float, float]:
    records = _records(topic, RECORDS[submitters])
    cpu, wall = time.process_time(), time.perf_counter()
    await publish(publisher, records, submitters)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return submitters, cpu / len(records) * 1e6, len(records) / wall


async def _by_async(
    publisher: KafkaPublisher, records: Sequence[OutgoingRecord], submitters: int
) -> None:
    left = iter(records)

    async def submitter() -> None:
        for record in left:
            async with asyncio.timeout(DEADLINE_SECONDS):
                await publisher([record])

    async with asyncio.TaskGroup() as group:
        for _ in range(submitters):
            group.create_task(submitter())


async def _by_submit(
    publisher: KafkaPublisher, records: Sequence[OutgoingRecord], submitters: int
) -> None:
    loop = asyncio.get_running_loop()
    left, ended = iter(records), loop.create_future()
    waiting = len(records)

    def submit() -> None:
        record = next(left, None)
        if record is not None:
            publisher.submit([record], done, loop.time() + DEADLINE_SECONDS)

    def done(problem: Exception | None) -> None:
        nonlocal waiting
        waiting -= 1
        if problem is not None:
            ended.set_exception(problem)
        elif not waiting:
            ended.set_result(None)
        submit()

    for _ in range(submitters):
        submit()
    await ended


def _records(topic: str, count: int) -> list[OutgoingRecord]:
    return [
        OutgoingRecord(topic, b"shop-eu:order:B-%07d" % number, _VALUE, _HEADERS)
        for number in range(count)
    ]


_INTERFACES: Mapping[str, Publish] = {"async": _by_async, "submit": _by_submit}


def main(arguments: Sequence[str]) -> None:
    """Measure, and print the results as JSON."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    logging.disable()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print(json.dumps(runner.run(measure(*arguments))))  # noqa: T201 - its result


if __name__ == "__main__":
    main(sys.argv[1:])
