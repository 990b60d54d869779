"""The revisions of the scripts, read without Alembic, are those Alembic sees."""

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from consumers.runtime.store.schema_version import is_older, parents_of

PACKAGES = [
    "consumers.runtime.migrations",
    "consumers.ledger.migrations",
    "consumers.inventory.migrations",
    "consumers.notifications.migrations",
    "payrouter_tally.migrations",
]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_revision_and_its_parents_are_those_of_alembic(package: str) -> None:
    config = Config()
    config.set_main_option("script_location", package.replace(".migrations", ":migrations"))
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())

    expected = {each.revision: tuple(each._normalized_down_revisions) for each in scripts}  # noqa: SLF001 - Alembic has no public form of it

    assert expected
    assert parents_of(package) == expected


@pytest.mark.parametrize(
    ("applied", "older"),
    [
        ([], True),
        (["1"], True),
        (["2a"], True),
        (["2a", "2b"], True),
        (["3"], False),
        (["4"], False),
        (["3", "from a later version"], False),
    ],
)
def test_schema_is_older_unless_every_revision_is_reached(
    applied: list[str], *, older: bool
) -> None:
    parents = {"1": (), "2a": ("1",), "2b": ("1",), "3": ("2a", "2b")}

    assert is_older(parents, applied) is older
