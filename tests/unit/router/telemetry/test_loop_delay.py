"""The delay of the event loop is measured."""

import asyncio
import time

from prometheus_client import CollectorRegistry

from router.telemetry.loop_delay import INTERVAL_SECONDS, LoopDelay


async def test_delay_is_the_length_of_the_blocking_work() -> None:
    registry = CollectorRegistry()

    async with LoopDelay(registry).measured():
        await asyncio.sleep(0)
        time.sleep(INTERVAL_SECONDS + 0.3)  # noqa: ASYNC251 - blocks on purpose
        await asyncio.sleep(0.01)

    delay = "payrouter_event_loop_delay_seconds"
    assert registry.get_sample_value(f"{delay}_count") == 1
    assert registry.get_sample_value(f"{delay}_bucket", {"le": "0.25"}) == 0
    assert (registry.get_sample_value(f"{delay}_sum") or 0) > 0.29


async def test_measuring_ends_with_its_block() -> None:
    before = asyncio.all_tasks()

    async with LoopDelay(CollectorRegistry()).measured():
        assert asyncio.all_tasks() > before

    assert asyncio.all_tasks() == before
