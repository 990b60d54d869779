"""The edge's part of the `payrouter` command, run in the test's own process."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from router.commands.cli import main


@dataclass(frozen=True)
class Said:
    """What a command printed, and the status it ended with."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was printed
        """What it printed, as JSON."""
        return json.loads(self.out)


Command = Callable[..., Said]


def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return what runs a command of `payrouter`."""
    # The log of the tests is not ours to set up.
    monkeypatch.setattr("router.telemetry.logs.configure_logging", lambda _level, _form: None)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["payrouter", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Said(int(ended.value.code or 0), printed.out, printed.err)

    return run


def configured(text: str) -> None:
    """Write the configuration that a command finds where it stands."""
    Path("payrouter.toml").write_text(text, encoding="utf-8")
