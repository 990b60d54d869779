"""A migration only adds: the version before runs on its schema (UPGRADING.md)."""

import re
from pathlib import Path

import pytest

import consumers

SCRIPTS = sorted(Path(consumers.__file__).parent.glob("*/migrations/versions/0*.py"))

TAKES_AWAY = re.compile(
    r"\b(drop_column|drop_table|drop_constraint|alter_column|rename_table|create_unique_constraint"
    r"|create_check_constraint|create_foreign_key|DROP|RENAME|SET NOT NULL|TYPE)\b"
)

BEFORE_THE_FIRST_RELEASE = {
    "runtime/0004_brake_by_topic.py": {"drop_column"},
    "runtime/0006_assigned_cases.py": {"drop_constraint", "create_check_constraint"},
    "ledger/0002_transfers.py": {"alter_column", "create_check_constraint", "create_foreign_key"},
    "ledger/0003_keys_by_statement.py": {"drop_constraint"},
}
"""Scripts that no released version runs with."""


def name_of(script: Path) -> str:
    return f"{script.parents[2].name}/{script.name}"


@pytest.mark.parametrize("script", SCRIPTS, ids=name_of)
def test_a_migration_takes_nothing_away(script: Path) -> None:
    found = set(TAKES_AWAY.findall(script.read_text(encoding="utf-8")))
    assert found - BEFORE_THE_FIRST_RELEASE.get(name_of(script), set()) == set()


def test_all_scripts_are_seen() -> None:
    names = set(map(name_of, SCRIPTS))
    assert names >= BEFORE_THE_FIRST_RELEASE.keys()
    assert {name.partition("/")[0] for name in names} == {
        *("inventory", "ledger", "notifications", "runtime")
    }
