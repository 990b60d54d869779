"""A mirrored cluster takes over: other offsets, another cluster id, and a tail that it lacks.

The rehearsal of docs/disaster.md. A copying program replaces MirrorMaker 2: it keeps keys,
headers and times, starts from an empty topic, and copies some records twice.
"""

from collections.abc import Iterator

import pytest

from tests.parts.brokers import Broker, own_apache_kafka
from tests.parts.disaster.mirror import mirrored
from tests.parts.disaster.operator import Operator
from tests.parts.disaster.shop import Shop, ends_of, furnished

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def mirror() -> Iterator[Broker]:
    """Run the cluster that takes over."""
    with own_apache_kafka() as kafka:
        yield Broker(kafka.bootstrap, "the mirror", real=True)


async def test_books_are_exact_after_a_mirror_took_over_and_the_first_cluster_came_back(
    broker: Broker, mirror: Broker, url: str, shop: Shop, operator: Operator
) -> None:
    await furnished(url)
    await shop.open(broker.bootstrap)
    await shop.open(mirror.bootstrap)
    await shop.sell(broker.bootstrap, 8)
    async with shop.consumers(broker, url):
        await shop.settled(url)
    # Not applied yet, and mirrored.
    await shop.sell(broker.bootstrap, 4)
    await mirrored(broker.bootstrap, mirror.bootstrap, shop.read)
    payment = shop.topics.name("payment")
    assert await ends_of(mirror.bootstrap, payment) != await ends_of(broker.bootstrap, payment)
    # Acknowledged before the cluster was lost, and never mirrored.
    tail = shop.paid
    await shop.sell(broker.bootstrap, 3)
    shop.paid = tail

    operator.configure(mirror.bootstrap, url, shop.prefix)
    async with shop.consumers(mirror, url) as consumers:
        for name, topics in (("ledger", 2), ("inventory", 2), ("notifications", 5)):
            await operator.mend(consumers[name], halts=4 * topics)
        await shop.settled(url)

    # The first cluster is back: its fences are where they were, so the tail is read.
    shop.paid = tail + 3
    async with shop.consumers(broker, url):
        await shop.settled(url)
        await shop.told()
