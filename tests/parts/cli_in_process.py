"""Runs commands of `payrouter` in the process of the tests."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumers import cli


@dataclass(frozen=True)
class Said:
    """What a command printed, and the status it ended with."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """What it printed, as JSON."""
        assert self.status == 0, self.err
        return json.loads(self.out)


Command = Callable[..., Said]


def commands_in(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command in a folder."""
    monkeypatch.chdir(folder)
    # Commands must not change the logging of the tests.
    monkeypatch.setattr("router.telemetry.logs.configure_logging", lambda _level, _form: None)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["payrouter", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return Said(int(ended.value.code or 0), printed.out, printed.err)

    return run
