"""The hooks of a commit run what `make check` runs on sources."""

import re
from typing import Final

import pytest
import yaml

from tests.parts.source import ROOT

_SOURCES: Final = ("types", "prose", "format", "lint")
"""The other checks compare what commands generate, and take longer."""


def _checked(name: str) -> str:
    """Return the program of a check of the Makefile, with its first words."""
    makefile = (ROOT / "Makefile").read_text()
    found = re.search(rf"^check-{name}:\n\t@\$\(BIN\)/(.+)$", makefile, re.MULTILINE)
    assert found is not None, f"the Makefile has no check-{name}"
    return found[1].removesuffix(" .").removesuffix(" --check")


@pytest.mark.parametrize("name", _SOURCES)
def test_each_check_of_sources_has_a_hook(name: str) -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repo in config["repos"] for hook in repo["hooks"]]

    assert any(entry.startswith(f".venv/bin/{_checked(name)}") for entry in entries), entries
