"""Faults, brought about for real: each is what an operator would find behind the alert."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, Producer, admin

from router.contract.topics import Topics
from router.evaluation.send import SimulatedOrder, simulate
from tests.parts.edge.blockatm_requests import webhook
from tests.parts.monitoring.database import execute, held, value
from tests.parts.monitoring.gateways import Gateways
from tests.parts.monitoring.system import System
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of
from tests.parts.waiting import until

SHOP: Final = "blockatm"
SKEWED: Final = "clock-wrong"
QUIET: Final = "gone-quiet"
SILENT: Final = "silent-for-days"
ATTACKED: Final = "attacked"
PAGER: Final = "pager"
SLOW: Final = "slow-pager"

CONFIGURATION: Final = f"""
[endpoints.{SKEWED}]
provider = "blockatm"
account = "demo-shop"
secrets = ["the-secret-of-the-gateway-whose-clock-is-wrong"]
[endpoints.{QUIET}]
provider = "blockatm"
account = "demo-shop"
secrets = ["the-secret-of-the-gateway-that-goes-quiet"]
[endpoints.{SILENT}]
provider = "blockatm"
account = "demo-shop"
secrets = ["the-secret-of-the-gateway-that-sends-nothing"]
[endpoints.{ATTACKED}]
provider = "blockatm"
account = "demo-shop"
secrets = ["the-secret-that-an-attacker-does-not-know"]
[exporter]
every_seconds = 0.5
[consumers.ledger]
count_claimed = ["resmic"]
[consumers.inventory]
count_claimed = ["resmic"]
open_transaction_seconds = 3
session_timeout_seconds = 10
transaction_timeout_seconds = 8
[consumers.notifications]
brake_after = 1000
[[consumers.notifications.rules]]
on = ["payment.confirmed"]
to = "customer"
channels = ["log"]
[[consumers.notifications.rules]]
on = ["payout.failed"]
to = "operators"
channels = ["{PAGER}"]
[[consumers.notifications.rules]]
on = ["payment.cancelled"]
to = "operators"
channels = ["{SLOW}"]
[consumers.notifications.channels.{PAGER}]
url = "json://127.0.0.1:9/"
attempts = 1
timeout_seconds = 1
[consumers.notifications.channels.{SLOW}]
url = "json://127.0.0.1:9/"
attempts = 100
timeout_seconds = 1
"""
"""What the faults need to be configured: endpoints of their own, and pagers that are not there."""

_TOPICS: Final = Topics()
_LATER: Final = [("ce_dataschema", b"urn:payrouter:schema:event:99.0")]
_VISIT_SECONDS: Final = 4.0


# --- at the edge -----------------------------------------------------------------------------


@contextlib.contextmanager
def again_and_again(act: Callable[[], object], every: float) -> Iterator[None]:
    """Do something again and again while the block runs."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(every):
            act()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def wrong_key(gateways: Gateways) -> Iterator[None]:
    """Send forged deliveries, signed with a wrong secret."""
    with again_and_again(lambda: gateways.forge(ATTACKED, paid("FORGED-1")), 0.2):
        yield


@contextlib.contextmanager
def wrong_clock(gateways: Gateways) -> Iterator[None]:
    """Send genuine deliveries, signed with a clock that is ten minutes slow."""

    def deliver() -> None:
        behind = datetime.now(UTC) - timedelta(minutes=10)
        gateways.send(SKEWED, pending("SKEWED-1"), behind)

    with again_and_again(deliver, 0.5):
        yield


@contextlib.contextmanager
def configuration_refused(system: System) -> Iterator[None]:
    """Write an invalid configuration; restore the former one afterwards."""
    path = system.place.folder / "payrouter.toml"
    before = path.read_text()
    _replace(path, before + "\n[endpoints.misspelt]\nprovidr = 1\n")
    try:
        yield
    finally:
        _replace(path, before)


def _replace(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(path)


def unknown_event(gateways: Gateways) -> None:
    """Send a genuine event of a type that the edge does not support."""
    endpoint = gateways.endpoints[SHOP]
    body = body_of(PAYMENT, status="MYSTERY", orderNo="UNKNOWN-1", id=1)
    now = str(int(time.time() * 1000))
    made = webhook(body, time=now, secret=endpoint.keys[0].secret)
    genuine = simulate(endpoint, paid("UNKNOWN-1"))
    assert gateways.post(replace(genuine, headers=made.headers, body=made.body)) == 200


# --- records ---------------------------------------------------------------------------------


def poison(gateways: Gateways, topic: str = "payment", count: int = 1) -> None:
    """Put records on a topic that are not events."""
    for _ in range(count):
        gateways.publish(topic, b"no event at all", partition=0)
    gateways.producer.flush(10)


def contradiction(gateways: Gateways) -> None:
    """Send a payment again, with another amount."""
    said = paid("CONTRADICTED-1")
    assert gateways.send(SHOP, said) == 200
    assert gateways.send(SHOP, replace(said, amount="99.99")) == 200


def called_off(gateways: Gateways) -> None:
    """Report a payment as confirmed, then as failed."""
    said = paid("CALLED-OFF-1")
    assert gateways.send(SHOP, said) == 200
    assert gateways.send(SHOP, replace(said, type="payment.failed")) == 200


def unmatched(gateways: Gateways) -> None:
    """Pay an order that was never placed."""
    assert gateways.send(SHOP, paid("NEVER-PLACED-1")) == 200


def oversold(gateways: Gateways) -> None:
    """Place and pay an order for more than is in stock."""
    order = paid("OVERSOLD-1")
    gateways.place(order, [("unicorn", 1)])
    gateways.producer.flush(10)
    assert gateways.send(SHOP, order) == 200


def messages_that_cannot_be_sent(gateways: Gateways) -> None:
    """Cause notifications to operators through a pager that cannot be reached."""
    for number in range(4):
        failed = replace(paid(f"PAYOUT-{number}"), type="payout.failed")
        assert gateways.send(SHOP, failed) == 200


def message_waiting_for_long(system: System, gateways: Gateways) -> None:
    """Cause a message that is retried repeatedly; make it older in the store."""
    assert gateways.send(SHOP, replace(paid("SLOW-1"), type="payment.cancelled")) == 200
    which = f"channel = '{SLOW}' AND state IN ('pending', 'leased')"
    _once_there(system, f"SELECT count(*) > 0 FROM notifications.message WHERE {which}")
    older = "UPDATE notifications.message SET created_at = created_at - interval '1 hour'"
    execute(system.database_url, f"{older} WHERE {which}")


def too_new(gateways: Gateways) -> None:
    """Put an event of a later major version on a topic, as if our upgrade is late."""
    gateways.publish("payout", b"{}", headers=_LATER, partition=0)
    gateways.producer.flush(10)


# --- in the store ----------------------------------------------------------------------------


def waiting_for_long(system: System, gateways: Gateways) -> None:
    """Send pending payments; make them hours older in the store."""
    for number in range(8):
        assert gateways.send(SHOP, pending(f"PENDING-{number}")) == 200
    older = (
        "UPDATE ledger.position SET updated_at = updated_at - interval '3 hours'"
        " WHERE reference LIKE 'PENDING-%' AND updated_at > now() - interval '1 hour'"
    )
    _once_there(system, "SELECT count(*) = 8 FROM ledger.position WHERE reference LIKE 'PENDING-%'")
    execute(system.database_url, older)


def parked_for_long(system: System, gateways: Gateways) -> None:
    """Make a record fail for an unknown reason, so that it is parked; make it older there."""
    execute(system.database_url, _REFUSING, _REFUSE_ONE)
    assert gateways.send(SHOP, paid("PARKED-1")) == 200
    _once_there(system, "SELECT count(*) > 0 FROM inventory.held WHERE state = 'parked'")
    older = (
        "UPDATE inventory.held SET first_failed_at = first_failed_at - interval '1 day',"
        " due_at = now() + interval '1 hour' WHERE state = 'parked'"
    )
    execute(system.database_url, older)


@contextlib.contextmanager
def unbalanced(system: System) -> Iterator[None]:
    """Change a balance without a journal entry, so that the books do not sum to zero."""
    query = (
        "SELECT format('account_id = %L AND currency = %L AND day = %L AND shard = %s',"
        " account_id, currency, day, shard) FROM ledger.balance WHERE currency = 'USDT' LIMIT 1"
    )
    where = value(system.database_url, query)
    change = "UPDATE ledger.balance SET amount = amount {} 1 WHERE {}"
    execute(system.database_url, change.format("+", where))
    try:
        yield
    finally:
        execute(system.database_url, change.format("-", where))


@contextlib.contextmanager
def handler_held(system: System) -> Iterator[None]:
    """Block the handler of the only instance of a consumer by a lock on its tables."""
    lock = "LOCK TABLE notifications.change, notifications.message IN SHARE MODE"
    with held(system.database_url, lock):
        yield


@contextlib.contextmanager
def outbox_stuck(system: System) -> Iterator[None]:
    """Block a consumer's outbox, as if a process that hangs holds the relay's lock."""
    lock = "SELECT pg_advisory_xact_lock(hashtextextended('payrouter relay notifications', 0))"
    with held(system.database_url, lock):
        _once_there(system, "SELECT count(*) > 0 FROM notifications.outbox")
        yield


# --- Kafka -----------------------------------------------------------------------------------


@contextlib.contextmanager
def transaction_left_open(system: System) -> Iterator[None]:
    """Leave the transaction of another producer open on a topic."""
    producer = Producer(
        {"bootstrap.servers": system.kafka.bootstrap, "transactional.id": "another mirror"}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce("subscription", b"a record of it", partition=0)
    producer.flush(10)
    try:
        yield
    finally:
        producer.abort_transaction(30)


def dead_letter_refused(system: System, gateways: Gateways) -> None:
    """Make the broker refuse a dead letter permanently: it is too large for its topic."""
    _make_room(system, _TOPICS.dead_letter("payout", "ledger"), 10)
    poison(gateways, "payout")


def event_refused(system: System, gateways: Gateways) -> None:
    """Make the broker refuse an event permanently: it is too large for its topic."""
    _make_room(system, "subscription", 10)
    renewed = SimulatedOrder("subscription.renewed", "REFUSED-1", "100.50", "USDT")
    assert gateways.send("blockbee", renewed) == 503
    _make_room(system, "subscription", 1024 * 1024)


@contextlib.contextmanager
def rebalances(system: System) -> Iterator[None]:
    """Make a member join and leave a group repeatedly."""
    over = threading.Event()
    thread = threading.Thread(target=_visit, args=(system, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def broker_stopped(system: System) -> Iterator[None]:
    """Stop the broker while the block runs."""
    system.kafka.stop()
    try:
        yield
    finally:
        system.kafka.start()


@contextlib.contextmanager
def topic_endangered(system: System) -> Iterator[None]:
    """Set a topic of events to be compacted while the block runs."""
    _set(system, "subscription", "cleanup.policy", "compact")
    try:
        yield
    finally:
        _set(system, "subscription", "cleanup.policy", "delete")


def _make_room(system: System, topic: str, size: int) -> None:
    _set(system, topic, "max.message.bytes", str(size))


def _set(system: System, topic: str, key: str, value: str) -> None:
    client = admin.AdminClient({"bootstrap.servers": system.kafka.bootstrap})
    entry = admin.ConfigEntry(  # type: ignore[attr-defined]
        key,
        value,
        incremental_operation=admin.AlterConfigOpType.SET,  # type: ignore[attr-defined]
    )
    resource = admin.ConfigResource(  # type: ignore[attr-defined]
        "TOPIC", topic, incremental_configs=[entry]
    )
    for answer in client.incremental_alter_configs([resource]).values():
        answer.result(10)


def _visit(system: System, over: threading.Event) -> None:
    while not over.is_set():
        consumer = Consumer(
            {
                "bootstrap.servers": system.kafka.bootstrap,
                "group.id": "payrouter.inventory",
                "partition.assignment.strategy": "roundrobin",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
            }
        )
        consumer.subscribe([_TOPICS.order, "payment"])
        joined = time.monotonic() + _VISIT_SECONDS
        while time.monotonic() < joined and not consumer.assignment():
            consumer.poll(0.2)
        consumer.close()


def paid(reference: str) -> SimulatedOrder:
    """Return the confirmed payment of an order."""
    return SimulatedOrder("payment.confirmed", reference, "100.50", "USDT")


def pending(reference: str) -> SimulatedOrder:
    """Return the pending payment of an order."""
    return replace(paid(reference), type="payment.pending")


def _once_there(system: System, query: str) -> None:
    until(lambda: bool(value(system.database_url, query)), query)


_REFUSING: Final = """
CREATE FUNCTION inventory.refuse_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.reference = 'PARKED-1' THEN RAISE EXCEPTION 'an unforeseen error'; END IF;
  RETURN NEW;
END $$
"""
_REFUSE_ONE: Final = """
CREATE TRIGGER refuse_one BEFORE INSERT OR UPDATE ON inventory.payment
FOR EACH ROW EXECUTE FUNCTION inventory.refuse_one()
"""
