"""What docs/secrets.md shows can be used, and what it names is there."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from router.commands.actions.metrics import declared
from router.configuration.settings import Settings
from router.telemetry.catalogue import catalogue
from tests.parts.source import ROOT

_PAGE = (ROOT / "docs" / "secrets.md").read_text(encoding="utf-8")
_TABLES = [
    tomllib.loads(block)
    for block in re.findall(r"^```toml\n(.*?)^```$", _PAGE, re.DOTALL | re.MULTILINE)
]
_IN_FILES = {
    "sasl_password_file": ("sasl_password", "x"),
    "url_file": ("url", "postgresql://h/d"),
}


def _with_secrets(table: dict[str, Any]) -> dict[str, Any]:
    """Put into each table what its files would hold."""
    found = {_IN_FILES[key][0]: _IN_FILES[key][1] for key in table if key in _IN_FILES}
    within = {key: _with_secrets(each) for key, each in table.items() if isinstance(each, dict)}
    return {**table, **found, **within}


@pytest.mark.parametrize("tables", _TABLES, ids=lambda tables: next(iter(tables)))
def test_every_configuration_on_the_page_is_one(tables: dict[str, Any]) -> None:
    assert Settings.model_validate(_with_secrets(tables))


def test_there_is_a_configuration_for_each_kind() -> None:
    assert {key for tables in _TABLES for key in tables} == {"endpoints", "kafka", "database"}


def _named(pattern: str) -> Iterator[str]:
    for code in re.findall(r"`([^`\n]+)`", _PAGE):
        yield from re.findall(pattern, code)


def test_metrics_log_lines_and_runbooks_on_the_page_exist() -> None:
    metrics = {each.name for each in catalogue({"edge": declared()})}
    logs = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
    lines = set(_named(r"^((?:configuration|credentials)_[a-z]+)$"))

    assert set(_named(r"^payrouter_[a-z_]+$")) <= metrics
    assert len(lines) == 3
    assert all(f"| `{line}` |" in logs for line in lines)
    for target in re.findall(r"\]\((\S+?)\)", _PAGE):
        assert (ROOT / "docs" / target.partition("#")[0]).is_file()
