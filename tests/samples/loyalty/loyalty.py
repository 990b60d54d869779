"""A service of the platform: points for each payment that is confirmed."""

import asyncio
import os
from decimal import Decimal
from uuid import UUID

from faststream import FastStream
from faststream.kafka import KafkaBroker
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from consumers.exactly_once import ExactlyOnce, Session, exactly_once_tables
from router.contract.event import Event, EventType


class Base(DeclarativeBase):
    """The service's own tables."""


class Points(Base):
    """Points for one payment."""

    __tablename__ = "points"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[UUID]
    account: Mapped[str]
    points: Mapped[Decimal]


broker = KafkaBroker(os.environ["KAFKA"])
engine = create_async_engine(os.environ["DATABASE_URL"])
guard = ExactlyOnce(broker, engine, exactly_once_tables(Base.metadata))


@guard.subscriber("payment", group_id="loyalty")
async def award(event: Event, session: Session) -> None:
    """Award the points, in the transaction that also remembers the event."""
    if event.type is EventType.PAYMENT_CONFIRMED and event.amount is not None:
        session.add(Points(event_id=event.id, account=event.account, points=event.amount))


if __name__ == "__main__":
    asyncio.run(FastStream(broker).run())
