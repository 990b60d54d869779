"""The steps of an installation show that they run, how long they took, and whether they failed."""

import re
import shutil
import subprocess
from pathlib import Path

MAKE = shutil.which("make") or "make"
ROOT = Path(__file__).resolve().parents[3]


def _step(command: str) -> subprocess.CompletedProcess[str]:
    rule = f'try: ; @$(STEP) "1/1 trying" {command}'
    return subprocess.run(
        [MAKE, "--eval", rule, "try"], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_step_prints_its_title_at_once_a_dot_every_two_seconds_and_its_seconds() -> None:
    done = _step("sleep 3")
    assert done.returncode == 0
    assert re.fullmatch(r"  1/1 trying \.+ \d+ s\n", done.stdout)


def test_failed_step_ends_make_and_leaves_its_error_on_the_screen() -> None:
    done = _step("ls missing-file")
    assert done.returncode != 0
    assert "missing-file" in done.stderr
    assert not re.search(r"\d+ s$", done.stdout)
