"""Runs the scenarios of docs/scenarios.md on one edge and three consumers, all real."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.inventory.deciding.deciding import DecisionRequest, decide_and_show
from consumers.inventory.deciding.reading import OrderName, find_order, read_facts
from consumers.inventory.policy import Policy
from consumers.inventory.service import SERVICE as INVENTORY
from consumers.inventory.setting import set_stock
from consumers.inventory.tables import PAYMENT as PAYMENT_TABLE
from consumers.ledger.book import POSITION
from consumers.ledger.recording.finding import Sought
from consumers.ledger.recording.recording import propose, record
from consumers.ledger.recording.statement import Statement
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from consumers.runtime.apply.outbox import read_unsent
from consumers.runtime.casebook.gather import gather_cases
from consumers.runtime.casebook.reading import CaseFilter
from consumers.runtime.commands.actions.case_words import CaseDecision, decide
from consumers.runtime.configured import Consumer
from consumers.runtime.service import Service
from consumers.runtime.store.database import reading
from consumers.runtime.store.tables import RuntimeTables
from router.contract.event import Event, EventType, event_id
from router.contract.operator import Decision
from router.contract.order import Order
from router.contract.topics import Topics
from router.contract.wire import OutgoingRecord, encode_event, encode_order
from tests.parts.brokers import Broker, create_topics
from tests.parts.contract.events import event
from tests.parts.e2e.books import Running, running
from tests.parts.e2e.scenarios import Line, Scenario
from tests.parts.edge.blockatm_requests import Webhook, webhook
from tests.parts.edge.edge_server import RunningEdge, configuration, make_topics, running_edge
from tests.parts.edge.raw_http import Answer
from tests.parts.providers.blockatm_deliveries import PAYMENT, PAYOUT, body_of
from tests.parts.waiting import eventually

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

READS: Mapping[str, Sequence[str]] = {
    "payment": ("ledger", "inventory", "notifications"),
    "payout": ("ledger", "notifications"),
    "subscription": ("notifications",),
    "order": ("inventory", "notifications"),
}
"""The consumers of each topic."""

_CURRENCY_OF = {
    "amount": "currency",
    "movement_amount": "currency",
    "expected_amount": "expected_currency",
    "fee": "fee_currency",
    "gas": "gas_currency",
}

_DISTINCT = (
    *("period", "amount", "currency", "network", "movement", "movement_amount"),
    "amount_claimed",
)
"""Options that distinguish two events of the same payment and status."""

_SPELLED = {"fee": "fee", "gas": "gasAmount", "currency": "symbol", "amount": "amount"}


@dataclass
class Stage:
    """The running system, and the number of records each consumer must have passed."""

    edge: RunningEdge
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    consumers: Mapping[str, Running]
    topics: Topics
    expected: dict[str, int] = field(default_factory=dict)
    reading: AsyncEngine | None = None
    """Engine of a role that may read everything, if the ledger's may not."""

    @property
    def engine(self) -> AsyncEngine:
        """The engine to look at the results of all consumers."""
        return self.reading or self.consumers["ledger"].process.engine

    async def play(self, scenario: Scenario, line: Line, before: "Sent | None") -> "Sent | None":
        """Execute a line, and wait until every consumer has passed the resulting records."""
        account = merchant(scenario, other=line.other)
        sent = None
        if line.word in {"send", "again"}:
            sent = await self._deliver(account, line, before)
        elif line.word == "shelf":
            await self._fill(account, line)
        elif line.word == "wait":
            await self._wait(account, int(line.words[0]))
        elif line.word == "close":
            await self._close(account, *line.words[:2])
        elif line.word == "decide":
            await self._decide(OrderName(line.words[0], account), Decision(line.words[1]))
        elif line.word == "record":
            await self._record(account, line)
        elif line.word == "event":
            told = _event(account, line)
            family = told.type.family
            await self._publish(family, encode_event(told, self.topics.name(family), TRACE))
        else:
            await self._publish("order", encode_order(_order(account, line), self.topics.order))
        await self._passed()
        return sent or before

    async def _deliver(self, account: str, line: Line, before: "Sent | None") -> "Sent":
        options = line.options
        now = datetime.now(UTC) + timedelta(hours=float(options.get("hours_later", 0)))
        if line.word == "send":
            sent = _delivery(account, line, now)
        else:
            assert before is not None, "nothing was sent before"
            sent = before
        endpoint = f"{account}.two" if options.get("url") == "two" else account
        self.edge.clock.now = now
        lines = len(self.edge.delivery_lines())
        given = sent.webhook
        answer = await self.edge.post(given.headers, given.body, f"/webhooks/{url_name(endpoint)}")
        (logged,) = self.edge.delivery_lines()[lines:]
        for name in READS[sent.family] if logged["outcome"] == "accepted" else ():
            self.expected[name] = self.expected.get(name, 0) + 1
        return Sent(sent.webhook, sent.family, answer, logged["outcome"])

    async def _publish(self, family: str, out: OutgoingRecord) -> None:
        await self.producer.send_and_wait(
            self.topics.name(family), out.value, out.key, headers=list(out.headers)
        )
        for name in READS[family]:
            self.expected[name] = self.expected.get(name, 0) + 1

    async def _fill(self, account: str, line: Line) -> None:
        async with self.consumers["inventory"].process.engine.begin() as transaction:
            for sku, number in line.options.items():
                topic = self.topics.outcome("inventory")
                await set_stock(transaction, account, sku, int(number), topic)

    async def _wait(self, account: str, minutes: int) -> None:
        """Move the arrival of the merchant's payments to the past."""
        aged = {"inventory": PAYMENT_TABLE.c.created_at, "ledger": POSITION.c.updated_at}
        for name, since in aged.items():
            earlier = {since: since - timedelta(minutes=minutes)}
            late = since.table.update().values(earlier).where(since.table.c.account == account)
            async with self.consumers[name].process.engine.begin() as transaction:
                await transaction.execute(late)

    async def _close(self, account: str, kind: str, order: str) -> None:
        """Close an order's case of a kind, as `payrouter cases close` does."""
        consumers = [
            Consumer(each, self.consumers[each.name].settings)
            for each in (LEDGER, INVENTORY, NOTIFICATIONS)
        ]
        wanted = CaseFilter(kinds={kind}, account=account, order=order)
        (entry,) = (await gather_cases(consumers, wanted)).entries
        decision = CaseDecision("closed", [entry.id], "settled with the gateway", yes=True)
        # In a separate thread, since a command runs its own event loop.
        await asyncio.to_thread(decide, consumers, decision, as_json=True)

    async def _decide(self, name: OrderName, decision: Decision) -> None:
        """Decide about an order as it is now, as `payrouter inventory decide` does."""
        settings = self.consumers["inventory"].settings
        assert isinstance(settings.options, Policy)
        async with reading(settings) as connection:
            number = await find_order(connection, name)
            facts = await read_facts(connection, number, settings.options)
        reason = "agreed with the customer"
        request = DecisionRequest(name, decision, reason, facts.version, str, patience=60)
        # In a separate thread, since a command runs its own event loop.
        await asyncio.to_thread(decide_and_show, settings, request, as_json=True)
        for consumer in READS["order"]:
            self.expected[consumer] = self.expected.get(consumer, 0) + 1

    async def _record(self, account: str, line: Line) -> None:
        """Record an operator's amount, as the two commands `payrouter ledger record` do."""
        kind, payment = EventType(line.words[0]), line.words[1]
        options = line.options
        sought = Sought(kind.family, payment, account, options.get("provider", "blockatm"))
        statement = Statement(
            type=kind,
            amount=Decimal(options["amount"]),
            currency=options.get("currency", "USDT"),
            movement=options.get("movement"),
            reason="seen on chain",
            by="anna",
        )
        settings = self.consumers["ledger"].settings
        proposal = await propose(settings, sought, statement)
        await record(settings, sought, statement, proposal.version)
        for name in READS[kind.family]:
            self.expected[name] = self.expected.get(name, 0) + 1

    async def _passed(self) -> None:
        outcomes = 0
        for name in ("ledger", "inventory", "notifications"):
            if name == "notifications":
                outcomes = await self._outcomes()
            number = self.expected.get(name, 0) + outcomes
            await eventually(
                partial(self._has_passed, name, number), f"{name} passed its records", pause=0.01
            )

    def _has_passed(self, name: str, number: int) -> bool:
        return self.consumers[name].passed() >= number

    async def _outcomes(self) -> int:
        """Wait until the inventory's outcomes are published; return how many there are.

        The notifications read them.
        """
        engine = self.consumers["inventory"].process.engine
        tables = RuntimeTables.of(INVENTORY.schema)

        async def published() -> bool:
            async with engine.connect() as connection:
                return not await read_unsent(connection, tables, 1)

        await eventually(published, "the inventory's outcomes are published", pause=0.01)
        topic = self.topics.outcome("inventory")
        partitions = [
            TopicPartition(topic, n) for n in self.reader.partitions_for_topic(topic) or ()
        ]
        return sum((await self.reader.end_offsets(partitions)).values())


@dataclass(frozen=True)
class Sent:
    """A delivery and its response."""

    webhook: Webhook
    family: str
    answer: Answer | None = None
    outcome: str = ""


def merchant(scenario: Scenario, *, other: bool) -> str:
    """Return the name of one of a scenario's two merchants."""
    return f"{scenario.account}-other" if other else scenario.account


def secret_of(account: str) -> str:
    """Return the key that the gateway signs a merchant's deliveries with."""
    return f"sck_the secret that was given to {account}".replace(" ", "-")


def url_name(endpoint: str) -> str:
    """Return the path name of a merchant's webhook URL, or of its second one."""
    return endpoint.replace(".", "_")


def _delivery(account: str, line: Line, now: datetime) -> Sent:
    """Make a BlockATM delivery, signed at this time."""
    family, order, status = line.words[:3]
    options = line.options
    # BlockATM reports a failed payment as a number.
    word: object = int(status) if status.lstrip("-").isdigit() else status
    facts: dict[str, object] = {"symbol": "USDT", "status": word, "amount": ...}
    facts |= {_SPELLED[name]: options[name] for name in _SPELLED if name in options}
    if family == "payment":
        # A payment that failed has no block.
        facts["blockTime"] = int(now.timestamp() * 1000) if status == "SUCCESS" else ...
        body = body_of(PAYMENT, orderNo=order, id=int(options.get("id", "1")), **facts)
    else:
        none = {"fee": ..., "gasAmount": ..., "network": "Ethereum"}
        body = body_of(PAYOUT, bizOrderNo=order, **{**none, **facts})
    time = str(int(now.timestamp() * 1000))
    secret = secret_of("a forger" if "forged" in line.words else account)
    return Sent(webhook(body, family, time=time, secret=secret.encode()), family)


def _event(account: str, line: Line) -> Event:
    """Make the event of a gateway that supports the status."""
    kind, order = line.words[:2]
    options = line.options
    family, _, status = kind.partition(".")
    provider = options.get("provider", "blockatm")
    number = order if family == "payout" else options.get("id", "1")
    names = (*_CURRENCY_OF, "movement", "price_met", "amount_claimed")
    money = {name: options[name] for name in names if name in options}
    money |= {_CURRENCY_OF[name]: "USDT" for name in money if name in _CURRENCY_OF}
    money |= {name: options[name] for name in _CURRENCY_OF.values() if name in options}
    distinct = [options[name] for name in _DISTINCT if name in options]
    identity = (family, number, status, *distinct)
    absent: dict[str, object] = {"amount": None, "currency": None}
    return event(
        **absent
        | {
            "id": event_id(provider, account, *identity),
            "type": kind,
            "provider": provider,
            "account": account,
            "reference": order,
            "provider_reference": number,
            "network": options.get("network", "Ethereum"),
            "received_at": datetime.now(UTC),
        }
        | money
    )


def _order(account: str, line: Line) -> Order:
    """Make an order message of the platform."""
    options = dict(line.options)
    facts: dict[str, Any] = {"id": uuid4(), "account": account, "reference": line.words[0]}
    if line.word == "cancel":
        return Order(type="order.cancelled", **facts)
    total, seconds = options.pop("total", None), options.pop("seconds", None)
    currency, paid_as = options.pop("currency", "USDT"), options.pop("payment", None)
    return Order(
        type="order.placed",
        lines=[{"sku": sku, "quantity": int(number)} for sku, number in options.items()],
        total=total,
        currency=total and currency,
        time_to_live_seconds=seconds and int(seconds),
        payments=paid_as and [{"reference": paid_as}],
        **facts,
    )


@contextlib.asynccontextmanager
async def staged(  # noqa: PLR0913 - each is a choice of one test
    broker: Broker,
    database_url: str | Mapping[str, str],
    prefix: str,
    cast: Sequence[Scenario],
    *,
    has_topics: bool = False,
    batch_records: int = 500,
    pooled: bool = False,
) -> AsyncIterator[Stage]:
    """Run the system during the block, with the endpoints of every scenario.

    All of them have the policy of the first. Consumers have one database, or each has its own URL.
    """
    topics = Topics(prefix)
    if not has_topics:
        await make_topics(broker.bootstrap, prefix)
        outcomes = [topics.outcome(service.name) for service in (LEDGER, INVENTORY, NOTIFICATIONS)]
        await create_topics(broker.bootstrap, [topics.order, *outcomes])
    values = configuration(broker.bootstrap, prefix)
    own = values["endpoints"]["shop"]
    for scenario in cast:
        for account in (merchant(scenario, other=False), merchant(scenario, other=True)):
            for name in (account, f"{account}.two"):
                values["endpoints"][url_name(name)] = {
                    **own,
                    "account": account,
                    "secrets": [secret_of(account)],
                }
    async with contextlib.AsyncExitStack() as stack:
        edge = await stack.enter_async_context(running_edge(values))
        enter = stack.enter_async_context

        def run(
            service: Service,
            **policy: Any,  # noqa: ANN401 - options of any consumer
        ) -> AbstractAsyncContextManager[Running]:
            return running(
                service,
                broker,
                database_url if isinstance(database_url, str) else database_url[service.name],
                prefix,
                batch_records=batch_records,
                pooled=pooled,
                **policy,
            )

        consumers = {
            "ledger": await enter(run(LEDGER)),
            "inventory": await enter(run(INVENTORY, sweep_seconds=0.2, **cast[0].policy)),
            "notifications": await enter(run(NOTIFICATIONS)),
        }
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
        await producer.start()
        stack.push_async_callback(producer.stop)
        reader = AIOKafkaConsumer(topics.outcome("inventory"), bootstrap_servers=broker.bootstrap)
        await reader.start()
        stack.push_async_callback(reader.stop)
        await edge.until_ready()
        yield Stage(edge, producer, reader, consumers, topics)
