"""Background work during a block."""

import asyncio

import pytest

from router.background import end, in_background


async def test_work_runs_during_the_block_and_has_ended_after_it() -> None:
    steps = []

    async def work() -> None:
        try:
            steps.append("began")
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("ended")

    async with in_background(work()):
        await asyncio.sleep(0)
        steps.append("block")

    assert steps == ["began", "block", "ended"]


async def test_an_error_of_the_work_is_raised_at_the_end_of_the_block() -> None:
    async def work() -> None:
        message = "broken"
        raise OSError(message)

    with pytest.raises(OSError, match="broken"):
        async with in_background(work()):
            await asyncio.sleep(0)


async def test_work_may_end_before_the_block() -> None:
    async with in_background(asyncio.sleep(0)):
        await asyncio.sleep(0.01)


async def test_a_caller_that_is_cancelled_while_it_waits_stays_cancelled() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0.05)
                raise

    work = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    caller = asyncio.create_task(end(work))
    await asyncio.sleep(0.01)
    caller.cancel()

    with pytest.raises(asyncio.CancelledError):
        await caller
    await asyncio.wait([work])
    assert caller.cancelled()
