"""Runs the commands that consumers name, as an operator does."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from consumers import cli
from tests.parts.e2e.books import Running
from tests.parts.runtime.commands import Said, called
from tests.parts.waiting import eventually

_NAMED = re.compile(r"`payrouter (offsets reset [^`]+)`")


class Operator:
    """Runs `payrouter` with the configuration of one broker and one database."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Choose the folder of the configuration."""
        self._folder = folder
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        monkeypatch.setattr("router.telemetry.logs.configure_logging", lambda _level, _form: None)

    def configure(self, bootstrap: str, url: str, prefix: str) -> None:
        """Write the configuration."""
        self._folder.joinpath("payrouter.toml").write_text(
            f'[kafka]\nbootstrap_servers = "{bootstrap}"\n'
            f'[topics]\nprefix = "{prefix}"\nreplication_factor = 1\nmin_insync_replicas = 1\n'
            f'[database]\nurl = "{url}"\n',
            encoding="utf-8",
        )

    async def run(self, *arguments: str) -> Said:
        """Run a command to its end."""
        self._monkeypatch.setattr(sys, "argv", ["payrouter", *arguments])
        return await called(cli.main)

    async def mend(self, consumer: Running, halts: int) -> list[Said]:
        """Wait for so many halts, and run each command that they name, once."""

        def named() -> list[str]:
            return _NAMED.findall(consumer.process.ready().detail)

        await eventually(lambda: len(named()) == halts, f"{halts} named commands")
        done = []
        for command in sorted(set(named())):
            done.append(await self.run(*shlex.split(command), "--yes"))
            assert done[-1].status == 0, done[-1].err
        return done
