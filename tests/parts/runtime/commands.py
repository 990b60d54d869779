"""The `payrouter` command for the consumer of a feed, run while that consumer runs."""

import asyncio
import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumers import cli
from consumers.runtime.service import Service
from tests.parts.runtime.members import Feed


@dataclass(frozen=True)
class Said:
    """Output and exit status of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON of any shape
        """Return the output, parsed as JSON."""
        return json.loads(self.out)


def install_only(monkeypatch: pytest.MonkeyPatch, *services: Service) -> None:
    """Make these the only consumers that commands find."""
    found = {each.name: each for each in services}
    monkeypatch.setattr("consumers.discovery.discover", lambda: found)
    monkeypatch.setattr("consumers.discovery.needed", lambda _names: found)
    monkeypatch.setattr("consumers.configuration.names", lambda: list(found))
    monkeypatch.setattr("consumers.tables.names", lambda: list(found))


class Payrouter:
    """Runs commands on the consumer of a feed."""

    def __init__(self, feed: Feed, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Write the configuration of the feed's broker and database."""
        url = feed.engine.url.render_as_string(hide_password=False)
        self._monkeypatch = monkeypatch
        self._config = folder / "payrouter.toml"
        self._config.write_text(
            f'[kafka]\nbootstrap_servers = "{feed.broker.bootstrap}"\n'
            f'[topics]\nprefix = "{feed.prefix}"\nreplication_factor = 1\nmin_insync_replicas = 1\n'
            f'[database]\nurl = "{url}"\n',
            encoding="utf-8",
        )
        monkeypatch.chdir(folder)
        install_only(monkeypatch, feed.service)
        # Commands must not change the logging of the tests.
        monkeypatch.setattr("router.telemetry.logs.configure_logging", lambda _level, _form: None)

    def configure(self, more: str) -> None:
        """Add to the configuration."""
        with self._config.open("a", encoding="utf-8") as file:
            file.write(f"{more}\n")

    async def __call__(self, *arguments: str) -> Said:
        """Run a command in a separate thread, since it runs its own event loop."""
        self._monkeypatch.setattr(sys, "argv", ["payrouter", *arguments])
        return await called(cli.main)


async def called(command: Callable[[], None]) -> Said:
    """Call what ends as a command does, in a separate thread: it runs its own event loop."""
    return await asyncio.to_thread(_call, command)


def _call(command: Callable[[], None]) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        command()
    return Said(int(ended.value.code or 0), out.getvalue(), err.getvalue())
