"""A database is restored from a backup while its topics continue: books exact, nothing sent twice.

The rehearsal of docs/disaster.md, with PostgreSQL's own `pg_dump` and `pg_restore`.
"""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition
from sqlalchemy import text

from tests.parts.brokers import Broker
from tests.parts.databases import DatabaseServer, fresh_database
from tests.parts.disaster.backup import dump, restore
from tests.parts.disaster.operator import Operator
from tests.parts.disaster.shop import ACCOUNT, PRICE, Shop, connected, ends_of, furnished
from tests.parts.edge.edge_server import read_records
from tests.parts.runtime.members import halted
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka

MOVED = (
    *("ledger", "transfer", f"{ACCOUNT}:blockatm:wallet:Ethereum", f"{ACCOUNT}:blockatm:bank"),
    *("5", "USDT", "--reason", "paid out to the bank", "--yes"),
)


async def test_restored_database_applies_again_what_it_lost_and_sends_nothing_twice(
    broker: Broker,
    database_server: DatabaseServer,
    url: str,
    shop: Shop,
    operator: Operator,
    tmp_path: Path,
) -> None:
    night, exported = tmp_path / "last-night.dump", tmp_path / "operations.jsonl"
    operator.configure(broker.bootstrap, url, shop.prefix)
    await furnished(url)
    await shop.open(broker.bootstrap)
    await shop.sell(broker.bootstrap, 6)
    async with shop.consumers(broker, url):
        await shop.settled(url)
        await shop.told()
        dump(url, night)
        # After the backup: applied, notified, published, corrected.
        await shop.sell(broker.bootstrap, 6)
        await shop.settled(url)
        await shop.told()
        assert (await operator.run(*MOVED)).status == 0
        whole = (await operator.run("ledger", "export", "--operations")).out
        # The consumers of this process may log in the meantime.
        lines = [line for line in whole.splitlines() if line.startswith("{")]
        exported.write_text("\n".join(lines) + "\n")
        await eventually(lambda: published(shop, broker, number=4 * 12), "all outcomes")
    before = await outcomes(shop, broker)
    # The database is lost, and the topics go on.
    await shop.sell(broker.bootstrap, 3)
    with fresh_database(database_server) as restored:
        restore(night, restored)
        operator.configure(broker.bootstrap, restored, shop.prefix)
        async with shop.consumers(broker, restored):
            await shop.settled(restored)
            await shop.told()
            assert (await operator.run("ledger", "import", str(exported), "--yes")).status == 0
            await eventually(lambda: published(shop, broker, number=4 * 15), "all outcomes")
        assert (await operator.run("ledger", "verify")).status == 0
        assert await shop.state(restored) == with_transfer(shop.exact)
    after = await outcomes(shop, broker)
    # Published again under the same ids: who reads outcomes by their id has each once.
    assert before.keys() <= after.keys()
    assert max(after[each] for each in before) == 2


def with_transfer(exact: Sequence[str]) -> list[str]:
    """Return the books after the transfer of 5 USDT."""
    payments, wallet, stock = exact
    name, amount, currency = wallet.split()
    return ["bank 5 USDT", payments, f"{name} {int(amount) - 5} {currency}", stock]


async def published(shop: Shop, broker: Broker, number: int) -> bool:
    """Return whether so many different outcomes are published."""
    return len(await outcomes(shop, broker)) >= number


async def outcomes(shop: Shop, broker: Broker) -> Counter[bytes]:
    """Count the outcomes of all consumers by their id."""
    names = [shop.topics.outcome(name) for name in ("ledger", "inventory", "notifications")]
    records = await read_records(broker.bootstrap, names)
    return Counter(dict(record.headers)["ce_id"] for record in records)


async def test_records_that_retention_deleted_since_the_backup_halt_by_name(
    broker: Broker, url: str, shop: Shop, operator: Operator, tmp_path: Path
) -> None:
    night, payment = tmp_path / "last-night.dump", shop.topics.name("payment")
    operator.configure(broker.bootstrap, url, shop.prefix)
    await furnished(url)
    await shop.open(broker.bootstrap)
    await shop.sell(broker.bootstrap, 4)
    async with shop.consumers(broker, url):
        await shop.settled(url)
        dump(url, night)
    await shop.sell(broker.bootstrap, 4)
    await delete_all(broker.bootstrap, payment)
    await wipe(url)
    restore(night, url)
    await shop.sell(broker.bootstrap, 1)
    async with shop.consumers(broker, url) as consumers:
        for name, each in consumers.items():
            said = await halted(each.process, "were deleted before they were applied")
            assert (name, "gateways send them again" in said) == (name, True)
        assert await wallet(shop, url) == 4 * PRICE
        for each in consumers.values():
            await operator.mend(each, halts=each.process.ready().detail.count(" halted:"))

        async def counted() -> bool:
            return await wallet(shop, url) == 5 * PRICE

        await eventually(counted, "the payments that are left")


async def wallet(shop: Shop, url: str) -> Decimal:
    """Return what the books say was received."""
    (received,) = [line for line in await shop.state(url) if line.startswith("wallet")]
    return Decimal(received.split()[1])


async def wipe(url: str) -> None:
    """Drop everything that a backup contains."""
    async with connected(url) as connection:
        for schema in ("ledger", "inventory", "notifications"):
            await connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


async def delete_all(bootstrap: str, topic: str) -> None:
    """Delete the records of a topic, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        ends = await ends_of(bootstrap, topic)
        await admin.delete_records(
            {
                TopicPartition(topic, n): RecordsToDelete(before_offset=end)
                for n, end in ends.items()
            }
        )
    finally:
        await admin.close()
