"""An open transaction of another producer blocks a consumer before the end of the log; reported."""

import math
from collections.abc import Callable
from functools import partial

import pytest

from consumers.runtime.member.app import ConsumerProcess
from tests.parts.runtime.counting import numbered
from tests.parts.runtime.exporting import Exported, exporting
from tests.parts.runtime.members import Feed, ready
from tests.parts.runtime.transactions import put, transacting
from tests.parts.waiting import eventually

pytestmark = pytest.mark.kafka


@pytest.fixture(autouse=True)
def _often(feed: Feed) -> None:
    """Look at the ends of the logs without a pause."""
    feed.hurry(lag_seconds=0.1)


def own(process: ConsumerProcess, feed: Feed, name: str) -> float:
    """Return the consumer's metric of partition 0, NaN if it is not exported yet."""
    where = {"consumer": "counting", "topic": feed.topic, "partition": "0"}
    value = process.registry.get_sample_value(name, where)
    return math.nan if value is None else value


def of_log(exported: Exported, name: str) -> float:
    """Return the exporter's metric of partition 0, for any consumer."""
    return exported.value(name, topic=exported.topic, partition="0")


def _above(read: Callable[[], float], bound: float) -> bool:
    return read() > bound


async def test_an_open_transaction_makes_the_consumer_unready_until_it_ends(feed: Feed) -> None:
    async with feed.member(open_transaction_seconds=0.5) as process, transacting(feed) as producer:
        await ready(process)
        await feed.send([numbered(0)])
        await put(feed, producer, numbered(1))
        await feed.send(map(numbered, range(2, 5)))
        await feed.applied(1)
        await eventually(lambda: ", producer " in process.ready().detail, "the producer's name")
        said = process.ready().detail
        assert not process.ready().good
        assert f"{feed.topic}-0: an open transaction" in said
        assert "withholds 4 records from offset 1 on" in said
        assert f"(transactional id {feed.prefix}mirror, producer " in said
        assert said.endswith(
            f"kafka-transactions.sh --bootstrap-server {feed.broker.bootstrap} abort"
            f" --topic {feed.topic} --partition 0 --start-offset 1"
        )
        (line,) = feed.logged("open_transaction")
        assert (line["offset"], line["records"]) == (1, 4)
        await producer.commit_transaction()
        await feed.applied(5)
        await ready(process)
        assert len(feed.logged("open_transaction_ended")) == 1
        assert len(feed.logged("open_transaction")) == 1


async def test_lag_counts_to_the_end_of_the_log_and_to_where_it_can_be_read(feed: Feed) -> None:
    async with feed.member() as process, exporting(feed) as exported, transacting(feed) as producer:
        await ready(process)
        await feed.send([numbered(0)])
        await feed.applied(1)
        await eventually(lambda: own(process, feed, "payrouter_lag_seconds") == 0, "no lag")
        await put(feed, producer, numbered(1))
        await feed.send(map(numbered, range(2, 5)))
        times = {
            "lag": partial(own, process, feed, "payrouter_lag_seconds"),
            "withheld": partial(own, process, feed, "payrouter_withheld_seconds"),
            "the exporter's lag": partial(exported.of, "payrouter_group_lag_seconds"),
            "the log's": partial(of_log, exported, "payrouter_log_withheld_seconds"),
        }
        for what, read in times.items():
            # It grows: it passes every bound.
            await eventually(partial(_above, read, 1), f"{what} above 1 s")
            await eventually(partial(_above, read, 2), f"{what} above 2 s")
        assert own(process, feed, "payrouter_lag_records") == 4
        assert own(process, feed, "payrouter_withheld_records") == 4
        assert own(process, feed, "payrouter_readable_lag_records") == 0
        assert own(process, feed, "payrouter_readable_lag_seconds") == 0
        assert exported.of("payrouter_group_lag_records") == 4
        assert exported.of("payrouter_group_readable_lag_records") == 0
        assert exported.of("payrouter_group_readable_lag_seconds") == 0
        assert of_log(exported, "payrouter_log_withheld_records") == 4
        assert of_log(exported, "payrouter_log_stable_offset") == 1
        assert of_log(exported, "payrouter_log_end_offset") == 5
        # Within the time that a transaction may take, nothing is wrong.
        assert process.ready().good


async def test_consecutive_short_transactions_are_harmless(feed: Feed) -> None:
    async with feed.member(open_transaction_seconds=2) as process, transacting(feed) as producer:
        await ready(process)
        unready = []
        for number in range(12):
            await put(feed, producer, numbered(number))
            # The log is withheld at every look, each time at another offset.
            seen = own(process, feed, "payrouter_withheld_records")
            await eventually(
                lambda: own(process, feed, "payrouter_withheld_records") > 0, f"a look, {seen}"
            )
            unready += [] if process.ready().good else [process.ready().detail]
            await producer.commit_transaction()
            await feed.applied(number + 1)
            await producer.begin_transaction()
        assert unready == []
        assert feed.logged("open_transaction") == []


async def test_the_marker_after_the_last_record_does_not_count_as_lag(feed: Feed) -> None:
    async with feed.member() as process, exporting(feed) as exported, transacting(feed) as producer:
        await ready(process)
        await put(feed, producer, numbered(0))
        await producer.commit_transaction()
        await feed.applied(1)

        def is_level() -> bool:
            own_lag = own(process, feed, "payrouter_lag_seconds")
            return own_lag == 0 and exported.of("payrouter_group_lag_seconds") == 0

        await eventually(is_level, "no lag in seconds")
        await eventually(
            lambda: own(process, feed, "payrouter_lag_records") == 0, "the marker is passed"
        )
        progress = own(process, feed, "payrouter_last_progress_timestamp_seconds")
        await eventually(
            lambda: own(process, feed, "payrouter_last_progress_timestamp_seconds") > progress,
            "nothing left to pass",
        )
