"""Runs coroutines for commands: those that answer a question and those that serve."""

import gc
from typing import TYPE_CHECKING, Any, TypeVar

from router.terminal.command_tree import USUAL_SEARCHES
from router.terminal.exits import StartError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

_Result = TypeVar("_Result")


def run_async(coroutine: "Coroutine[Any, Any, _Result]") -> _Result:
    """Run a coroutine to its end and return its result."""
    import asyncio

    return asyncio.run(coroutine)


def keep_loaded() -> None:
    """Keep what is loaded for good: Python no longer searches it for garbage.

    A process that makes many objects at a time, such as the events of a batch, otherwise searches
    all of its modules again and again. Call it once, when everything is imported.
    """
    # What is garbage already would never be freed.
    gc.collect()
    gc.freeze()


def serve(process: "Coroutine[Any, Any, None]") -> None:
    """Run a serving process; exits with status 2 if its port is in use.

    Python searches for garbage as often as usual from now on.
    """
    import asyncio

    gc.set_threshold(*USUAL_SEARCHES)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(process)
    except OSError as error:
        raise StartError(_reason(error)) from None


def _reason(error: OSError) -> str:
    """Return why a process cannot start, with the file that the error is about, if any."""
    reason = str(error.args[-1]) if error.args else type(error).__name__
    return reason if error.filename is None else f"{error.filename}: {reason}"


def loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """Return uvloop's loop factory, or None if uvloop is not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
