"""The rule files and their tests, read once."""

import shutil
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT: Final = Path(__file__).parents[3]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RULE_FILES: Final = sorted((PROMETHEUS / "rules").glob("*.yml"))
TEST_FILES: Final = sorted((Path(__file__).parent / "rules").glob("*.yml"))
RUNBOOKS: Final = ROOT / "docs" / "runbooks"


GRAFANA_BASE: Final = "{{ $externalLabels.grafana_url }}"
DOCS_BASE: Final = "{{ $externalLabels.docs_url }}"
"""What alerts begin their links with; Prometheus puts in its external labels."""


def _read(path: Path) -> dict[str, Any]:
    # the parser in C: most of these are read whenever the tests are collected
    read: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return read


GROUPS: Final = list(chain.from_iterable(_read(path)["groups"] for path in RULE_FILES))
RULES: Final = [rule for group in GROUPS for rule in group["rules"]]
ALERTS: Final = [rule for rule in RULES if "alert" in rule]
NAMES: Final = sorted({rule["alert"] for rule in ALERTS})
"""Every alert's name; some have two rules, of different severity or symptom."""
TESTS: Final = {path.stem: _read(path) for path in TEST_FILES}


def tool(name: str, *, ci: bool) -> str:
    """Return where a tool of Prometheus is; without it a test is left out, but not by CI."""
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not installed"
        if ci:
            pytest.fail(message)
        pytest.skip(message)
    return found
