"""Runs a coroutine that mostly has nothing to wait for without the cost of a task."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def at_once(
    make: Callable[[], Coroutine[Any, Any, Result]],
) -> tuple[Result, None] | tuple[None, asyncio.Task[Result]]:
    """Run a coroutine now; return its result, or a task that runs it if it has to wait.

    `make` is called a second time if the first coroutine has to wait: the part of it before its
    first wait must have no effects. Raises what the coroutine raises before its first wait.
    """
    attempt = make()
    try:
        attempt.send(None)
    except StopIteration as ended:
        return ended.value, None
    attempt.close()
    return None, asyncio.get_running_loop().create_task(make())
