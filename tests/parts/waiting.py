"""Waits for what another task, a process or the broker does, however long it takes."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Final

PATIENCE_SECONDS: Final = 60.0


async def eventually(
    condition: Callable[[], object],
    what: str = "a condition",
    *,
    seconds: float = PATIENCE_SECONDS,
    pause: float = 0.05,
) -> None:
    """Wait until a condition (a function or coroutine function) is true; fail with `what`."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                held = condition()
                if inspect.isawaitable(held):
                    held = await held
                if held:
                    return
                await asyncio.sleep(pause)
    except TimeoutError:
        message = f"timed out waiting for: {what}"
        raise AssertionError(message) from None
