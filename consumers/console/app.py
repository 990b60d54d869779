"""The composition root of the console."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from consumers.console.pages import (
    books,
    cases,
    deliveries,
    endpoints,
    groups,
    overview,
    search,
)
from consumers.console.serving.admission import make_door
from consumers.console.serving.handling import RequestHandling
from consumers.console.serving.headers import is_loopback
from consumers.console.serving.metrics import ConsoleMetrics
from consumers.console.serving.preferences import PreferenceReader
from consumers.console.serving.rendering import make_renderer
from consumers.console.serving.responses import ResponseMaker
from consumers.console.serving.routing import make_application
from consumers.console.serving.sign_in import SignIn
from consumers.console.serving.static_files import read_static_files
from consumers.console.web.page import ConsolePage
from consumers.console.web.sources import ConsoleSources, open_sources
from consumers.console.web.texts import read_texts
from consumers.runtime.configured import Consumer
from router.configuration.settings import Settings
from router.errors import ConfigurationError
from router.telemetry.logs import get_log
from router.telemetry.loop_delay import LoopDelay
from router.telemetry.management import (
    Health,
    listen,
    management_app,
    process_registry,
    serving,
    stop_signal,
    stop_with_parent,
)

PAGES: Final[Sequence[ConsolePage]] = (
    overview.PAGE,
    search.PAGE,
    cases.PAGE,
    deliveries.PAGE,
    groups.PAGE,
    books.PAGE,
    endpoints.PAGE,
)
"""The pages, in the order of the navigation."""

_HEAD_BYTES: Final = 32 * 1024
_CONNECTIONS: Final = 256
_PASSWORDS_AT_A_TIME: Final = 2


@dataclass(frozen=True)
class ConsoleProcess:
    """The assembled console."""

    registry: CollectorRegistry
    sources: ConsoleSources
    application: Starlette = field(repr=False)

    def alive(self) -> Health:
        """Return that the process answers."""
        return Health(good=True, detail="the console answers")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the databases after the block."""
        try:
            yield
        finally:
            await self.sources.close()


async def run_console(
    settings: Settings, consumers: Sequence[Consumer], *, supervised: bool = False
) -> None:
    """Serve the pages until SIGTERM or SIGINT."""
    own = settings.console
    refuse_open_console(settings)
    listener = listen(own.host, own.port)
    management = listen(own.management_host, own.management_port)
    stopped = stop_signal()
    if supervised:
        stop_with_parent(stopped)
    process = build_console(settings, consumers)
    app = management_app(process.alive, process.alive, process.registry)
    delay = LoopDelay(process.registry).measured()
    pages = serving(
        process.application,
        listener,
        lifespan="off",
        proxy_headers=False,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        limit_concurrency=_CONNECTIONS,
    )
    async with process.running(), delay, serving(app, management, lifespan="off"), pages:
        get_log("console").info("console_started", actions=own.actions, sign_in=own.signs_in)
        await stopped.wait()
    get_log("console").info("console_stopped")


def refuse_open_console(settings: Settings) -> None:
    """Raise ConfigurationError if anybody on a network could use the console."""
    own = settings.console
    if not own.signs_in and not is_loopback(own.host):
        message = (
            f"console.host: {own.host} is not the loopback interface, which requires a way to sign"
            " in: users with a password_hash, oidc or proxy_header"
        )
        raise ConfigurationError(message)


def build_console(
    settings: Settings,
    consumers: Sequence[Consumer],
    pages: Sequence[ConsolePage] = PAGES,
    seconds: Callable[[], float] = time.time,
) -> ConsoleProcess:
    """Assemble the console without connecting."""
    registry, static = process_registry(), read_static_files()
    sources = open_sources(settings, consumers, lambda: datetime.fromtimestamp(seconds(), UTC))
    door = make_door(settings.console, seconds)
    handling = RequestHandling(
        sources,
        door,
        PreferenceReader(settings.console, read_texts()),
        ResponseMaker(make_renderer(pages, static), door),
        ConsoleMetrics.declared(registry),
        get_log("console"),
    )
    sign_in = SignIn(handling, asyncio.Semaphore(_PASSWORDS_AT_A_TIME))
    return ConsoleProcess(registry, sources, make_application(handling, sign_in, pages, static))
