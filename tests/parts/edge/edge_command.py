"""The edge's part of the `payrouter` command, run in the test's own process."""

import json
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from router.commands.tree import EDGE_COMMANDS
from router.contract.topics import Topics, TopicsBeside
from router.providers import NoOptions
from router.terminal.command_tree import CommandTree
from router.terminal.exits import run as run_command


@dataclass(frozen=True)
class Said:
    """What a command printed, and the status it ended with."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """What it printed, as JSON."""
        return json.loads(self.out)


Command = Callable[..., Said]


class NoConsumers:
    """Installation without any consumer."""

    def names(self) -> list[str]:
        """Return no name."""
        return []

    def check(
        self, tables: Mapping[str, dict[str, Any]], used: Collection[str] | None = None
    ) -> None:
        """Accept every table."""

    def shown(self, tables: Mapping[str, dict[str, Any]], *, whole: bool = False) -> dict[str, Any]:
        """Mask every table."""
        del whole
        return dict.fromkeys(tables, "**********")

    def models(self) -> tuple[type[BaseModel], Mapping[str, type[BaseModel]]]:
        """Return an empty model of every consumer, and no consumer."""
        return NoOptions, {}

    def topics(self, names: Topics) -> TopicsBeside:
        """Return no topic."""
        del names
        return TopicsBeside()

    def metrics(self) -> Mapping[str, CollectorRegistry]:
        """Return no metric."""
        return {}


def edge_commands() -> CommandTree:
    """Return the edge's part of the command line."""
    return CommandTree("payrouter", EDGE_COMMANDS, summary="The edge alone.")


def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command of `payrouter`."""
    # Commands must not change the logging of the tests.
    monkeypatch.setattr("router.telemetry.logs.configure_logging", lambda _level, _form: None)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["payrouter", *arguments])
        with pytest.raises(SystemExit) as ended:
            run_command(edge_commands(), NoConsumers())
        printed = capsys.readouterr()
        return Said(int(ended.value.code or 0), printed.out, printed.err)

    return run


def configured(text: str) -> None:
    """Write the configuration that a command finds in its working directory."""
    Path("payrouter.toml").write_text(text, encoding="utf-8")
