"""Runs `payrouter dev` from start to stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from rich.console import Console

from router.commands.dev_screen import show
from router.configuration.settings import Settings
from router.contract.order import Order as OrderMessage
from router.contract.order import OrderType
from router.delivery import Delivery
from router.edge.endpoints import build_endpoints
from router.evaluation.activity import Activity
from router.evaluation.ordering import order_message, ordering
from router.evaluation.send import Answered, Order, as_gateway, post
from router.evaluation.stream import bought, play
from router.evaluation.system import Plan, running
from router.telemetry.management import stop_signal


async def develop(plan: Plan, rate: float | None, console: Console, activity: Activity) -> None:
    """Run everything until SIGTERM or SIGINT; the line `ready URL` says when all is up."""
    stopped, ready = stop_signal(), asyncio.Event()
    whole = asyncio.create_task(_whole(plan, console, activity, rate, stopped, ready))
    stop = asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({whole, stop}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.is_set() and not ready.is_set():
            await _taken_back(whole)
            plan.say("stopped while starting")
        else:
            await whole
    finally:
        stop.cancel()


async def _taken_back(whole: asyncio.Task[None]) -> None:
    """Undo a start. A terminal's Ctrl-C also reaches what was just starting: its end is no news."""
    whole.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await whole


async def _whole(
    plan: Plan,
    console: Console,
    activity: Activity,
    rate: float | None,
    stopped: asyncio.Event,
    ready: asyncio.Event,
) -> None:
    base = f"http://127.0.0.1:{plan.port}"
    async with running(plan) as now, _streaming(now.settings, base, rate, plan):
        show(console, now)
        ready.set()
        console.print(f"ready {base}")
        with activity.counted() if plan.log is not None else contextlib.nullcontext():
            await stopped.wait()


@contextlib.asynccontextmanager
async def _streaming(
    settings: Settings, base: str, rate: float | None, plan: Plan
) -> AsyncIterator[None]:
    """Send oneself a stream while the block runs, where a rate is given."""
    if not rate:
        yield
        return
    endpoints = [
        as_gateway(endpoint, plan.data_dir.signing_key(name))
        for name, endpoint in build_endpoints(settings).items()
    ]

    def send(delivery: Delivery, name: str) -> Answered:
        token: Any = settings.endpoints[name].token
        return post(base, delivery, token.get_secret_value() if token else None)

    async with ordering(settings) as to_broker:

        async def place(account: str, order: Order) -> None:
            await to_broker(_message(account, order))

        task = asyncio.create_task(play(endpoints, rate, send, place, plan.say))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _message(account: str, order: Order) -> OrderMessage:
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in bought(order)]
    facts = {"lines": lines, "total": order.amount, "currency": order.currency}
    return order_message(OrderType.PLACED, account, order.reference, **facts)
