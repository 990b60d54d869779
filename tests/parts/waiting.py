"""Waits for what another task, a process or the broker does, however long it takes."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Final, TypeVar

PATIENCE_SECONDS: Final = 60.0

SYSTEM_PATIENCE_SECONDS: Final = 120.0
"""For a whole system, whose processes all start."""

Found = TypeVar("Found")


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


def until(
    look: Callable[[], Found | None],
    what: str,
    *,
    seconds: float = SYSTEM_PATIENCE_SECONDS,
    pause: float = 0.1,
) -> Found:
    """Wait without an event loop until `look` returns something true, and return it.

    Fails with `what`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(pause)
    message = f"timed out waiting for: {what}"
    raise AssertionError(message)
