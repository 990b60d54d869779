"""A third-party consumer, installed next to payrouter."""

import shutil
from pathlib import Path

import pytest

from tests.conformance.programs import Programs, install

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Yield a folder with the installed sample packages."""
    # A copy, so that building leaves no files in the source folder.
    source = shutil.copytree(SAMPLES / "tally", tmp_path_factory.mktemp("source") / "tally")
    target = tmp_path_factory.mktemp("packages")
    install(source, target)
    return target


@pytest.fixture
def programs(packages: Path, tmp_path: Path) -> Programs:
    """Return a runner of `payrouter` with the sample packages installed."""
    return Programs(tmp_path, packages)
