"""The composition root of the console."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from consumers.console.access.people import People
from consumers.console.figures.choosing import figure_source
from consumers.console.pages import (
    books,
    cases,
    deliveries,
    endpoints,
    groups,
    overview,
    search,
)
from consumers.console.people_watch import PeopleWatch
from consumers.console.serving.admission import make_door
from consumers.console.serving.handling import RequestHandling
from consumers.console.serving.headers import is_loopback
from consumers.console.serving.metrics import ConsoleMetrics
from consumers.console.serving.oidc_sign_in import make_oidc_sign_in
from consumers.console.serving.preferences import PreferenceReader
from consumers.console.serving.rendering import make_renderer
from consumers.console.serving.responses import ResponseMaker
from consumers.console.serving.routing import make_application
from consumers.console.serving.sign_in import SignIn
from consumers.console.serving.static_files import read_static_files
from consumers.console.web.page import ConsolePage
from consumers.console.web.sources import ConsoleSources, open_sources
from consumers.console.web.texts import PageTexts, read_texts
from consumers.runtime.configured import Consumer
from router.background import in_background
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
    people: People
    application: Starlette = field(repr=False)

    def alive(self) -> Health:
        """Return that the process answers."""
        return Health(good=True, detail="the console answers")

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Measure in the background during the block; close the databases after it."""
        try:
            async with in_background(self.sources.figures.run()):
                yield
        finally:
            await self.sources.close()


@dataclass(frozen=True)
class ConsoleConfiguration:
    """Source of the settings: `read` reads them again, `file` is their main file."""

    read: Callable[[], Settings]
    file: Path | None


async def run_console(
    configuration: ConsoleConfiguration,
    consumers: Sequence[Consumer],
    *,
    supervised: bool = False,
) -> None:
    """Serve the pages until SIGTERM or SIGINT."""
    settings = configuration.read()
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
        # The other implementation has no limit for the head of a request.
        http="h11",
        h11_max_incomplete_event_size=_HEAD_BYTES,
        limit_concurrency=_CONNECTIONS,
    )
    log = get_log("console")
    people = PeopleWatch(
        process.people, configuration.file, lambda: configuration.read().console, log
    )
    beside = serving(app, management, lifespan="off")
    async with process.running(), delay, beside, pages, in_background(people.run()):
        log.info("console_started", actions=own.actions, sign_in=own.signs_in)
        await stopped.wait()
    log.info("console_stopped")


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
    texts: Callable[[], Mapping[str, PageTexts]] = read_texts,
) -> ConsoleProcess:
    """Assemble the console without connecting."""
    registry, static = process_registry(), read_static_files()
    clock = partial(_now, seconds)
    sources = replace(
        open_sources(settings, consumers, clock), figures=figure_source(settings.console, clock)
    )
    door = make_door(settings.console, seconds)
    handling = RequestHandling(
        sources,
        door,
        PreferenceReader(settings.console, texts()),
        ResponseMaker(make_renderer(pages, static), door),
        ConsoleMetrics.declared(registry),
        get_log("console"),
    )
    sign_in = SignIn(handling, asyncio.Semaphore(_PASSWORDS_AT_A_TIME))
    oidc = make_oidc_sign_in(sign_in)
    application = make_application(handling, sign_in, pages, static, oidc)
    return ConsoleProcess(registry, sources, door.people, application)


def _now(seconds: Callable[[], float]) -> datetime:
    return datetime.fromtimestamp(seconds(), UTC)
