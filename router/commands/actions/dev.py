"""Runs `payrouter dev` from start to stop."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from router.background import in_background
from router.broker.connection import KafkaConnection
from router.commands.actions.checked import checked_settings
from router.commands.actions.dev_screen import show
from router.commands.invocation import Invocation
from router.configuration.settings import Settings, with_public_url
from router.configuration.values import checked_public_url
from router.delivery import Delivery
from router.edge.app import checked_gates
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.errors import ConfigurationError
from router.evaluation.activity import LOG_AS_LINES, Activity
from router.evaluation.data_dir import DataDir, config_path, resolve_sources
from router.evaluation.ordering import ordering
from router.evaluation.placed import placed_order
from router.evaluation.send import Answered, SimulatedOrder, as_gateway, post
from router.evaluation.stream import play
from router.evaluation.system import DevPlan, running
from router.providers import examples
from router.telemetry.management import stop_signal
from router.terminal.output import console, quiet_aiokafka

DEFAULT_PORT = 8080


@dataclass(frozen=True)
class DevOptions:
    """The options of `payrouter dev`."""

    port: int | None
    rate: float | None
    public_url: str | None
    verbose: bool
    """Whether the processes write their logs to standard error, instead of the activity lines."""


def developing(
    invocation: Invocation,
    options: DevOptions,
    consumers: Sequence[str],
    prepare: Callable[[], Awaitable[None]],
) -> Coroutine[Any, Any, None]:
    """Return the coroutine that runs everything with the configuration given, or a new one.

    `prepare` runs once broker and database are there, before the consumers start.
    Raises ConfigurationError.
    """
    activity = Activity(Console(stderr=True, highlight=False))
    plan = _planned(invocation, options, consumers, prepare, activity)
    quiet_aiokafka()
    return develop(plan, options.rate, console(), activity)


def _planned(
    invocation: Invocation,
    options: DevOptions,
    consumers: Sequence[str],
    prepare: Callable[[], Awaitable[None]],
    activity: Activity,
) -> DevPlan:
    data_dir = DataDir(invocation.place.data_dir)
    given = config_path(invocation.place.config, data_dir, os.environ)
    given = None if given == data_dir.generated else given
    config = given or data_dir.generate(examples())
    sources = resolve_sources(config, data_dir, os.environ)
    check = invocation.consumers.check
    settings = checked_settings(sources, check, options.public_url or "http://127.0.0.1")
    port = options.port or settings.edge.port or DEFAULT_PORT
    public_url = _public_url(options.public_url, settings, port)
    _check_whole(with_public_url(settings, public_url))
    return DevPlan(
        config=config,
        given=given is not None,
        data_dir=data_dir,
        port=port,
        public_url=public_url,
        consumers=consumers,
        environ=dict(os.environ),
        topics=invocation.consumers.topics,
        prepare=prepare,
        say=activity.say,
        log=None if options.verbose else activity.read,
        log_environ=LOG_AS_LINES,
    )


def _check_whole(settings: Settings) -> None:
    """Validate before starting children, for a shorter error."""
    checked_gates(settings)
    KafkaConnection.of(settings.kafka)


def _public_url(given: str | None, settings: Settings, port: int) -> str:
    if given is None:
        return settings.edge.public_url or f"http://127.0.0.1:{port}"
    try:
        return checked_public_url(given)
    except ValueError as error:
        message = f"--public-url: {error}"
        raise ConfigurationError(message) from None


async def develop(plan: DevPlan, rate: float | None, console: Console, activity: Activity) -> None:
    """Run everything until SIGTERM or SIGINT; prints `ready URL` when all is up."""
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
    """Cancel a start. Ctrl-C also stops the processes that were starting: their end is expected."""
    whole.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await whole


async def _whole(
    plan: DevPlan,
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
    settings: Settings, base: str, rate: float | None, plan: DevPlan
) -> AsyncIterator[None]:
    """Send a stream of deliveries while the block runs, if a rate is given."""
    if not rate:
        yield
        return
    endpoints = build_endpoints(settings)
    gateways = [
        as_gateway(each, plan.data_dir.signing_key(name)) for name, each in endpoints.items()
    ]

    def send(delivery: Delivery, name: str) -> Answered:
        token: Any = settings.endpoints[name].token
        return post(base, delivery, token.get_secret_value() if token else None)

    async with ordering(settings) as to_broker:

        async def place(gateway: Endpoint, order: SimulatedOrder) -> None:
            await to_broker(placed_order(endpoints[gateway.name], gateway, order))

        async with in_background(play(gateways, rate, send, place, plan.say)):
            yield
