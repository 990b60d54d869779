"""Consumers and exporter export their open cases, apart from their other measures."""

import math
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, column, select

from consumers.runtime.cases.finding import Finding
from consumers.runtime.cases.source import QUERY_COLUMNS, CaseQuery
from consumers.runtime.configured import Consumer
from consumers.runtime.service import Service
from consumers.runtime.store.migrate import upgrade
from tests.parts.runtime.counting import TABLES, count, numbered, record
from tests.parts.runtime.exporting import exporting
from tests.parts.runtime.members import Feed
from tests.parts.runtime.parcels import HEAVY, PARCEL, SERVICE, held_record, parcel
from tests.parts.runtime.told import metric
from tests.parts.waiting import eventually

OPEN, OLDEST = "payrouter_cases_open", "payrouter_case_oldest_age_seconds"

_ABSENT: list[ColumnElement[Any]] = [column(name) for name in QUERY_COLUMNS]
BROKEN = replace(SERVICE, cases=[CaseQuery(HEAVY, select(*_ABSENT).select_from(PARCEL))])
"""The consumer with a query that the database refuses: no such column."""


def other(feed: Feed, service: Service) -> Consumer:
    settings = replace(feed.settings(), name=service.name)
    return Consumer(service, settings)


async def test_exporter_counts_the_open_cases_of_every_consumer(feed: Feed) -> None:
    await upgrade(feed.engine, SERVICE)
    await parcel(feed.engine, "A-1", Finding("parcel-heavy", {"weight": "40 kg"}))
    await held_record(feed.engine, TABLES, record(7, numbered(7)))
    async with exporting(feed, other(feed, SERVICE)) as exported:
        await exported.ready()
        heavy = {"consumer": "parcels", "kind": "parcel-heavy", "severity": "page"}
        lost = {"consumer": "parcels", "kind": "parcel-lost", "severity": "ticket"}
        dead = {"consumer": "counting", "kind": "dead-record", "severity": "page"}
        assert exported.value(OPEN, **heavy) == 1
        assert exported.value(OLDEST, **heavy) > 1
        assert (exported.value(OPEN, **lost), exported.value(OLDEST, **lost)) == (0, 0)
        assert exported.value(OPEN, **dead) == 1


async def test_failing_query_of_a_case_is_unknown_and_hides_nothing_else(feed: Feed) -> None:
    await upgrade(feed.engine, SERVICE)
    async with exporting(feed, other(feed, BROKEN)) as exported:
        await exported.fails("parcels")
        heavy = {"consumer": "parcels", "kind": "parcel-heavy", "severity": "page"}
        assert math.isnan(exported.value(OPEN, **heavy))
        waiting = exported.value("payrouter_outbox_waiting", consumer="parcels")
        assert waiting == 0
        assert "cases: " in exported.process.ready().detail


async def test_consumer_counts_its_own_open_cases(feed: Feed) -> None:
    await held_record(feed.engine, TABLES, record(7, numbered(7)))
    async with feed.member(count) as process:
        dead = {"kind": "dead-record", "severity": "page"}
        await eventually(lambda: metric(process, OPEN, **dead) == 1, "the open case")
        assert metric(process, OLDEST, **dead) > 0
