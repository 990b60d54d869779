"""Background work of a process, such as measuring or sending, during a block of code.

A task that ends with an error raises it at the end of the block. If the block's own task is
cancelled while it waits for the work to end, it stays cancelled.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any


@contextlib.asynccontextmanager
async def in_background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine while the block runs; then cancel it and wait until it has ended."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await end(task)


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task, wait until it has ended, and raise its error, if it has one."""
    task.cancel()
    # `await task` could not tell the task's cancellation from that of the caller.
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
