"""A command whose output cannot be written ends with one line and status 1, in any shape."""

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is full")


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "dlq list --help",
        "metrics --markdown",
        "metrics",
        "config show",
        "config show --json",
        "man",
    ],
)
def test_output_to_a_full_disk_ends_with_one_line(command: str, tmp_path: Path) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "consumers", *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (
        1,
        "payrouter: cannot write: No space left on device\n",
    )
