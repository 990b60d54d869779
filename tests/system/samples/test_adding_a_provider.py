"""`docs/adding-a-provider.md`, followed to the letter: its files written, its commands run."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.parts.source import ROOT

_GUIDE = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^`(?P<path>[^`]+)`:\n\n```\w+\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMANDS = re.compile(r"^```sh\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_SAMPLE = Path(__file__).parents[2] / "samples" / "acme_pay"


@dataclass
class Followed:
    """Results of the commands, and the folder of the run."""

    folder: Path
    said: dict[str, subprocess.CompletedProcess[str]] = field(default_factory=dict)


def _files() -> dict[str, str]:
    return {match["path"]: match["text"] for match in _FILE.finditer(_GUIDE)}


def _environment(folder: Path) -> Mapping[str, str]:
    """Return an environment that installs into, and imports from, a folder of the test."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("PAYROUTER_")}
    tools = Path(sys.executable).parent
    paths = (str(folder / "installed"), *os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return {
        **kept,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PIP_TARGET": str(folder / "installed"),
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:xdist",
    }


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Give the results of following the guide."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "payrouter").symlink_to(ROOT)
    for path, text in _files().items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    done = Followed(folder)
    for match in _COMMANDS.finditer(_GUIDE):
        command = match["text"].strip()
        done.said[command] = subprocess.run(
            ["/bin/sh", "-e", "-c", command],
            cwd=folder,
            env=_environment(folder),
            capture_output=True,
            text=True,
            check=False,
        )
    return done


def test_the_guides_files_are_those_of_the_sample() -> None:
    files = _files()

    assert files["acme-pay/pyproject.toml"] == (_SAMPLE / "pyproject.toml").read_text()
    assert files["acme-pay/acme_pay.py"] == (_SAMPLE / "acme_pay.py").read_text()


def test_every_command_of_the_guide_succeeds(followed: Followed) -> None:
    failed = {
        command: run.stdout[-3000:] + run.stderr[-3000:]
        for command, run in followed.said.items()
        if run.returncode
    }

    assert failed == {}
    assert len(followed.said) == 3


def test_the_package_is_installed_in_the_folder_only(followed: Followed) -> None:
    assert (followed.folder / "installed" / "acme_pay.py").exists()
    with pytest.raises(ModuleNotFoundError):
        __import__("acme_pay")


def test_the_conformance_suite_ran_on_the_installed_provider(followed: Followed) -> None:
    (run,) = [run for command, run in followed.said.items() if "pytest" in command]

    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed is not None
    assert int(passed[1]) > 60
    assert "failed" not in run.stdout


def test_the_endpoint_of_the_guide_is_one_and_its_secret_is_not_shown(followed: Followed) -> None:
    (run,) = [run for command, run in followed.said.items() if "config show" in command]

    assert "acme_pay" in run.stdout
    assert "the-secret" not in run.stdout + run.stderr
