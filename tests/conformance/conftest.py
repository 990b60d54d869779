"""A consumer that was written elsewhere, installed beside payrouter."""

import shutil
from pathlib import Path

import pytest

from tests.conformance.programs import Programs, install

SAMPLES = Path(__file__).resolve().parents[1] / "samples"


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder into which the sample packages are installed."""
    # A copy: building must not leave anything beside the source.
    source = shutil.copytree(SAMPLES / "tally", tmp_path_factory.mktemp("source") / "tally")
    target = tmp_path_factory.mktemp("packages")
    install(source, target)
    return target


@pytest.fixture
def programs(packages: Path, tmp_path: Path) -> Programs:
    """Give what runs `payrouter` with the sample packages installed."""
    return Programs(tmp_path, packages)
