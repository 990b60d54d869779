"""Simulates the merchant's platform: writes orders to the order topic as a platform would."""

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
"""How long the broker may take for one order."""

STOP_SECONDS = 3.0


class NotPlaced(Exception):  # noqa: N818 - named after the outcome
    """The broker did not accept an order; the message has the broker's address."""


@dataclass(frozen=True)
class PlacedOrder:
    """An order with its partition and offset."""

    order: Order
    partition: str
    offset: int

    def as_json(self) -> dict[str, object]:
        """Return the order as a JSON object."""
        order = self.order.model_dump(mode="json", exclude_none=True)
        return {"partition": self.partition, "offset": self.offset, "order": order}

    def __str__(self) -> str:
        """Return the order as text."""
        order = self.order
        lines = [f"{line.sku}={line.quantity}" for line in order.lines or ()]
        total = [] if order.total is None else [f"{amount_text(order.total)} {order.currency}"]
        what = ", ".join([*lines, *total])
        sent = f"sent {order.type} {order.reference} of {order.account}"
        where = f"to {self.partition} offset {self.offset}"
        return f"{sent}: {what}, {where}" if what else f"{sent} {where}"


PlaceOrder = Callable[[Order], Awaitable[PlacedOrder]]


def order_message(kind: OrderType, account: str, reference: str, **facts: Any) -> Order:  # noqa: ANN401 - the model checks them
    """Make a message; its id depends on its content, so equal content has the same id."""
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
    """Return the account of an order if none is given."""
    usual = settings.order.fields.default_account or next(iter(settings.accounts), None)
    if usual is None:
        message = "--account: required, since the configuration has no account"
        raise ConfigurationError(message)
    return usual


def numbered(first: Order, count: int) -> Sequence[Order]:
    """Return `count` orders, distinguished by a number after the reference."""
    if count == 1:
        return [first]
    facts = first.model_dump(exclude={"id", "type", "account", "reference", "at"})
    return [
        order_message(first.type, first.account, f"{first.reference}-{n}", **facts)
        for n in range(1, count + 1)
    ]


def check_mapping(settings: Settings, order: Order) -> None:
    """Raise ConfigurationError if an order would not be read back unchanged."""
    record = encode_order(order, "")
    try:
        same = read_order(settings.order.fields)(record.value, record.headers) == order
    except UndecodableRecord:
        same = False
    if not same:
        message = (
            "order.fields: maps the messages of another platform; this command writes"
            " payrouter's own field names, which would not be read correctly"
        )
        raise ConfigurationError(message)


@contextlib.asynccontextmanager
async def ordering(settings: Settings) -> AsyncIterator[PlaceOrder]:
    """Yield a function that places orders. It raises NotPlaced, and so does entering the block."""
    topic = settings.topics.topics().order
    where = settings.kafka.bootstrap_servers
    kafka = KafkaConnection.of(settings.kafka)
    producer = make_producer(kafka, acks="all", request_timeout_ms=10_000)

    async def place(order: Order) -> PlacedOrder:
        record = encode_order(order, topic)
        with _explained(where):
            async with asyncio.timeout(SECONDS):
                written = await producer.send_and_wait(
                    topic, record.value, record.key, headers=list(record.headers)
                )
        return PlacedOrder(order, f"{topic}-{written.partition}", written.offset)

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
            f"cannot write the order to the broker at {where}: {type(error).__name__};"
            " is `payrouter dev` running here?"
        )
        raise NotPlaced(message) from None
