"""The short form of `make simulate`: schedules without a violation.

It runs as a separate command, because a failing seed is repeated with the same order of sets.
"""

import subprocess
import sys
from typing import Final

from tests.parts.source import ROOT

SCHEDULES: Final = 2000


def test_schedules_violate_nothing() -> None:
    command = [sys.executable, "-m", "tests.simulation", "--schedules", str(SCHEDULES)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
