"""Consumer for tests with cases: parcels that are heavy, lost, or wait for too long."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, DateTime, MetaData, Table, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from consumers.runtime.apply.held import HeldReason, Hold, hold
from consumers.runtime.cases.finding import Finding, cases_column
from consumers.runtime.cases.kind import CaseKind, Severity
from consumers.runtime.cases.source import CaseQuery, CaseRows
from consumers.runtime.fate import Fate
from consumers.runtime.records import Arrived
from consumers.runtime.service import Service
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event

METADATA: Final = MetaData(schema="parcels")
PARCEL: Final = Table(
    "parcel",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("account", Text),
    Column("reference", Text),
    Column("provider", Text),
    Column("provider_reference", Text),
    Column("cases", JSONB(none_as_null=True)),
    Column("waits_since", DateTime(timezone=True)),
)
TABLES: Final = RuntimeTables.of("parcels")

HEAVY: Final = CaseKind("parcel-heavy", Severity.PAGE, "A parcel is too heavy.")
LOST: Final = CaseKind(
    "parcel-lost", Severity.TICKET, "A parcel is lost.", ("payrouter trace {reference}",)
)
WAITING: Final = CaseKind("parcel-waiting", Severity.TICKET, "A parcel has waited for an hour.")

NOW: Final = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
LONG_AGO: Final = NOW - timedelta(days=3)


async def nothing(_connection: AsyncConnection, events: Sequence[Event]) -> Sequence[Fate]:
    """Apply events without an effect."""
    return [Fate.APPLIED] * len(events)


SERVICE: Final = Service(
    name="parcels",
    topics=("payment",),
    handle=nothing,
    tables=METADATA,
    migrations="tests.parts.runtime.parcel_migrations",
    cases=(
        CaseRows(PARCEL, (HEAVY, LOST)),
        CaseQuery(
            WAITING,
            select(
                PARCEL.c.id.label("subject"),
                *(PARCEL.c[name] for name in ("account", "reference")),
                *(PARCEL.c[name] for name in ("provider", "provider_reference")),
                PARCEL.c.waits_since.label("since"),
                func.jsonb_build_object("parcel", PARCEL.c.id).label("facts"),
            ).where(PARCEL.c.waits_since.is_not(None)),
            timedelta(hours=1),
        ),
    ),
)


async def parcel(
    engine: AsyncEngine, name: str, *findings: Finding, at: datetime = LONG_AGO, **values: object
) -> None:
    """Write a parcel of the order of its name, with the cases that hold for it."""
    row: dict[str, Any] = {
        "id": name,
        "account": "shop-eu",
        "reference": name,
        "provider": "blockatm",
        "provider_reference": f"pay-{name}",
        "cases": cases_column(None, findings, at),
        **values,
    }
    async with engine.begin() as connection:
        written = insert(PARCEL).values(row)
        await connection.execute(written.on_conflict_do_update(index_elements=["id"], set_=row))


async def held_record(
    engine: AsyncEngine,
    tables: RuntimeTables,
    arrived: Arrived,
    reason: HeldReason = HeldReason.POISON,
    fate: Fate = Fate.DEAD,
) -> None:
    """Hold a record as a consumer does."""
    async with engine.begin() as connection:
        wanted = Hold(arrived, fate, reason, f"ValueError: {reason.value}", 1)
        await hold(connection, tables, "cluster-of-the-tests", [wanted])


async def age_held(engine: AsyncEngine, tables: RuntimeTables, age: timedelta) -> None:
    """Make every held record older."""
    async with engine.begin() as connection:
        await connection.execute(
            tables.held.update().values(first_failed_at=tables.held.c.first_failed_at - age)
        )
