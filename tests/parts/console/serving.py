"""The real console in the test's event loop, served over a socket, with a real configuration."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from consumers.configuration import every_consumer
from consumers.console.access.passwords import hashed
from consumers.console.app import PAGES, ConsoleProcess, build_console
from consumers.console.web.page import ConsolePage
from consumers.console.web.texts import PageTexts, read_texts
from consumers.installation import Installation
from router.commands.actions.configured import load_settings
from router.commands.invocation import Invocation
from router.telemetry.management import listen, serving
from router.terminal.options import ConfigurationPlace
from tests.parts.console.browsing import ConsoleBrowser

NO_DATABASE = '[database]\nurl = "postgresql://nobody@127.0.0.1:1/none"\n'
"""A configuration for pages that read nothing."""


@dataclass(frozen=True)
class ServedConsole:
    """A console that is served."""

    process: ConsoleProcess
    port: int

    def browser(self, **headers: str) -> ConsoleBrowser:
        """Return a new browser without cookies, whose proxy adds these headers."""
        return ConsoleBrowser(self.port, own=headers)

    def counted(self, name: str, **labels: str) -> float:
        """Return the value of one of the console's metrics."""
        return self.process.registry.get_sample_value(name, labels) or 0.0


@contextlib.asynccontextmanager
async def served_console(
    folder: Path,
    configuration: str = NO_DATABASE,
    pages: Sequence[ConsolePage] = PAGES,
    seconds: Callable[[], float] = time.time,
    more_texts: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[ServedConsole]:
    """Serve the console with this text of payrouter.toml, written into the folder."""
    path = folder / "payrouter.toml"
    path.write_text(configuration, encoding="utf-8")
    invocation = Invocation(ConfigurationPlace(path, folder / "data"), Installation())
    settings = load_settings(invocation)
    process = build_console(
        settings, every_consumer(invocation), pages, seconds, lambda: _texts(more_texts)
    )
    listener = listen("127.0.0.1", 0)
    port = int(listener.getsockname()[1])
    async with process.running(), serving(process.application, listener, lifespan="off"):
        yield ServedConsole(process, port)


def quickly_hashed(password: str) -> str:
    """Return a hash at the least cost, for tests that sign in often."""
    return hashed(password, log2n=4)


def _texts(more: Mapping[str, str]) -> Mapping[str, PageTexts]:
    return {
        language: PageTexts(language, {**texts.by_key, **more})
        for language, texts in read_texts().items()
    }
