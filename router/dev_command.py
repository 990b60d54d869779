"""Runs `payrouter dev` from start to stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from rich.console import Console

from router.app import build_endpoints
from router.delivery import Delivery
from router.dev import Plan, running
from router.dev_screen import show
from router.send import Answered, post
from router.settings import Settings
from router.stream import play
from router.telemetry.management import stop_signal


async def develop(plan: Plan, rate: float | None, public_url: str | None) -> None:
    """Run everything until SIGTERM or SIGINT; the line `ready URL` says when all is up."""
    stopped = stop_signal()
    base = f"http://127.0.0.1:{plan.port}"
    console = Console(highlight=False, soft_wrap=True)
    started = asyncio.create_task(_started(plan, console, base, rate, public_url, stopped))
    stop = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({started, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not started.done() and not _up(plan):
            # Ctrl-C while starting: what was begun is taken back.
            started.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await started
    finally:
        stop.cancel()


def _up(plan: Plan) -> bool:
    return plan.data_dir.running() is not None


async def _started(
    plan: Plan,
    console: Console,
    base: str,
    rate: float | None,
    public_url: str | None,
    stopped: asyncio.Event,
) -> None:
    async with running(plan) as now, _streaming(now.settings, base, rate, plan):
        show(console, now, base, public_url)
        console.print(f"ready {base}")
        await stopped.wait()


@contextlib.asynccontextmanager
async def _streaming(
    settings: Settings, base: str, rate: float | None, plan: Plan
) -> AsyncIterator[None]:
    """Send oneself a stream while the block runs, where a rate is given."""
    if not rate:
        yield
        return
    endpoints = list(build_endpoints(settings).values())

    def send(delivery: Delivery, name: str) -> Answered:
        token: Any = settings.endpoints[name].token
        return post(base, delivery, token.get_secret_value() if token else None)

    task = asyncio.create_task(play(endpoints, rate, send, plan.say))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
