"""A process checks the options of the consumers it uses; names and databases of all."""

from collections.abc import Collection
from typing import Any

import pytest

from consumers.tables import check_tables
from router.commands.actions.checked import checked_settings
from router.configuration.sources import Sources
from router.errors import ConfigurationError

MISSPELLED = {"ledger": {"batch_recrds": 5}}


@pytest.mark.parametrize("used", [(), ("inventory",)])
def test_wrong_option_of_another_consumer_is_not_refused(used: Collection[str]) -> None:
    check_tables(MISSPELLED, used)


@pytest.mark.parametrize("used", [None, ("ledger",)])
def test_wrong_option_of_a_used_consumer_is_refused(used: Collection[str] | None) -> None:
    with pytest.raises(ConfigurationError, match=r"consumers\.ledger\.batch_recrds: unknown key"):
        check_tables(MISSPELLED, used)


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ({"ledgr": {}}, "consumers.ledgr: there is no such consumer"),
        ({"ledger": {"database": {"urk": "x"}}}, "consumers.ledger.database.urk: unknown key"),
    ],
)
def test_name_and_database_of_every_table_are_checked(
    tables: dict[str, dict[str, Any]], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        check_tables(tables, ())


def test_all_options_are_reported_once_something_else_is_wrong() -> None:
    sources = Sources({"edge": {"prot": 1}, "consumers": MISSPELLED}, [])

    with pytest.raises(ConfigurationError) as refused:
        checked_settings(sources, check_tables, consumers=())

    assert "edge.prot" in str(refused.value)
    assert "consumers.ledger.batch_recrds" in str(refused.value)


def test_edge_starts_although_an_option_of_a_consumer_is_wrong() -> None:
    settings = checked_settings(Sources({"consumers": MISSPELLED}, []), check_tables, consumers=())

    assert settings.consumers == MISSPELLED
