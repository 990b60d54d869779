"""The man page has no error according to the formatters that are installed."""

import shutil
import subprocess
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "deploy" / "man" / "payrouter.1"

LINTS = (
    ("groff", "-man", "-ww", "-z", "-Tutf8"),
    ("mandoc", "-T", "lint", "-W", "error"),
)


def test_no_installed_formatter_reports_an_error() -> None:
    for lint in LINTS:
        if shutil.which(lint[0]) is None:
            continue
        ended = subprocess.run([*lint, str(PAGE)], capture_output=True, text=True, check=False)

        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
