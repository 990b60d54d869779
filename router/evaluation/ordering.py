"""The merchant's platform, played: orders written to the order topic as it would write them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka.errors import KafkaError

from router.broker.client import make_producer
from router.broker.connection import KafkaConnection
from router.broker.producers import stop_within
from router.configuration.settings import Settings
from router.contract.amounts import amount_text
from router.contract.order import Order, OrderType, order_message_id
from router.contract.order_fields import read_order
from router.contract.wire import UndecodableRecord, encode_order
from router.errors import ConfigurationError

SECONDS = 15.0
STOP_SECONDS = 3.0
"""How long the broker may take for one order."""


class NotPlaced(Exception):  # noqa: N818 - named for what it is
    """The broker did not take an order; the message says where it was looked for."""


@dataclass(frozen=True)
class Placed:
    """An order, and where it lies."""

    order: Order
    partition: str
    offset: int

    def as_json(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        order = self.order.model_dump(mode="json", exclude_none=True)
        return {"partition": self.partition, "offset": self.offset, "order": order}

    def __str__(self) -> str:
        """Return it as a person reads it."""
        order = self.order
        lines = [f"{line.sku}={line.quantity}" for line in order.lines or ()]
        total = [] if order.total is None else [f"{amount_text(order.total)} {order.currency}"]
        what = ", ".join([*lines, *total])
        said = f"sent {order.type} {order.reference} of {order.account}"
        where = f"to {self.partition} offset {self.offset}"
        return f"{said}: {what}, {where}" if what else f"{said} {where}"


Place = Callable[[Order], Awaitable[Placed]]


def order_message(kind: OrderType, account: str, reference: str, **facts: Any) -> Order:  # noqa: ANN401 - the model checks them
    """Make a message: the same again is the same message, said otherwise it is another."""
    made = Order.model_validate(
        {
            "id": order_message_id(kind, account, reference),
            "type": kind,
            "account": account,
            "reference": reference,
            "at": datetime.now(UTC),
            **facts,
        }
    )
    number = order_message_id(kind, account, reference, made.fingerprint)
    return made.model_copy(update={"id": number})


def usual_account(settings: Settings) -> str:
    """Return whose order it is where nobody says."""
    usual = settings.order.fields.default_account or next(iter(settings.accounts), None)
    if usual is None:
        message = "--account: say whose; the configuration names no merchant here"
        raise ConfigurationError(message)
    return usual


def numbered(first: Order, count: int) -> Sequence[Order]:
    """Return `count` orders, told apart by a number behind the reference."""
    if count == 1:
        return [first]
    facts = first.model_dump(exclude={"id", "type", "account", "reference", "at"})
    return [
        order_message(first.type, first.account, f"{first.reference}-{n}", **facts)
        for n in range(1, count + 1)
    ]


def check_mapping(settings: Settings, order: Order) -> None:
    """Refuse to write an order that would not be read back as it is."""
    record = encode_order(order, "")
    try:
        same = read_order(settings.order.fields)(record.value, record.headers) == order
    except UndecodableRecord:
        same = False
    if not same:
        message = (
            "order.fields: made for the messages of a platform of yours; what is written"
            " here has payrouter's own names and would not be read as it is meant"
        )
        raise ConfigurationError(message)


@contextlib.asynccontextmanager
async def ordering(settings: Settings) -> AsyncIterator[Place]:
    """Give what places orders while the block runs. It, and the start, raise NotPlaced."""
    topic = settings.topics.topics().order
    where = settings.kafka.bootstrap_servers
    kafka = KafkaConnection.of(settings.kafka)
    producer = make_producer(kafka, acks="all", request_timeout_ms=10_000)

    async def place(order: Order) -> Placed:
        record = encode_order(order, topic)
        with _explained(where):
            async with asyncio.timeout(SECONDS):
                told = await producer.send_and_wait(
                    topic, record.value, record.key, headers=list(record.headers)
                )
        return Placed(order, f"{topic}-{told.partition}", told.offset)

    try:
        with _explained(where):
            async with asyncio.timeout(SECONDS):
                await producer.start()
        yield place
    finally:
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            await stop_within(producer, STOP_SECONDS)


@contextlib.contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (KafkaError, TimeoutError, OSError) as error:
        message = (
            f"no broker takes orders at {where}; does `payrouter dev` run here?"
            f" ({type(error).__name__})"
        )
        raise NotPlaced(message) from None
