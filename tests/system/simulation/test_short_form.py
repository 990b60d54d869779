"""The short form: schedules without a violation, and every mutant found.

It runs as a separate command, as a failing seed must be replayed with the same order of sets.
"""

import subprocess
import sys

import pytest

from tests.parts.source import ROOT

SCHEDULES = 4000


@pytest.mark.parametrize("arguments", [["--schedules", str(SCHEDULES)], ["--mutants"]])
def test_short_form_passes(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
