"""A killed `dev` leaves files that no command takes for a running one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from router.evaluation.data_dir import DataDir, resolve_settings


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDir:
    """Return a data directory in a new working directory."""
    monkeypatch.chdir(tmp_path)
    found = DataDir(tmp_path / "data")
    found.make()
    return found


def _announce(data_dir: DataDir, pid: object, **running: Any) -> None:  # noqa: ANN401 - JSON
    data_dir.running_file.write_text(json.dumps({"pid": pid, **running}))


def _gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_dev_that_was_killed_is_not_running(data_dir: DataDir) -> None:
    _announce(data_dir, _gone(), addresses={"edge": {"port": 1}})

    assert data_dir.running() is None
    assert resolve_settings(None, data_dir, {}).edge.port == 8080
