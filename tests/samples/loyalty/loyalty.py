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


class Base(DeclarativeBase): ...


class Points(Base):
    __tablename__ = "points"
    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[UUID]
    account: Mapped[str]
    points: Mapped[Decimal]


tables = exactly_once_tables(Base.metadata)  # Alembic finds them with the service's own

broker = KafkaBroker(os.environ["KAFKA"])
engine = create_async_engine(os.environ["DATABASE_URL"])
guard = ExactlyOnce(broker, engine, tables)
app = FastStream(broker)


@guard.subscriber("payment", group_id="loyalty")
async def award(event: Event, session: Session) -> None:
    if event.type is EventType.PAYMENT_CONFIRMED:
        session.add(Points(event_id=event.id, account=event.account, points=event.amount))


if __name__ == "__main__":
    asyncio.run(app.run())
