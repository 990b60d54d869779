"""Checks the tables `[consumers.NAME]`, importing only the consumers that a process uses."""

from collections.abc import Collection, Mapping
from typing import Any

from consumers.installed import installed, names
from router.configuration.problems import Problems, nearest
from router.configuration.settings import read_database
from router.errors import ConfigurationError


def check_tables(tables: Mapping[str, dict[str, Any]], used: Collection[str] | None = None) -> None:
    """Raise ConfigurationError for each problem in the tables `[consumers.NAME]`.

    Names and databases of all tables are checked, options only of the consumers in `used`, None
    for all: the edge does not import them, and takes webhooks in even if an option of one is wrong.
    """
    known, problems = names(), Problems()
    for name, table in tables.items():
        with problems.gathered():
            require_known(name)
        if name not in known:
            continue
        with problems.gathered():
            _check_database(table.get("database") or {}, f"consumers.{name}.database")
        if used is None or name in used:
            with problems.gathered():
                _check_options({name: table})
    if used is None and installed():
        _check_options({})
    problems.refuse()


def _check_options(tables: Mapping[str, dict[str, Any]]) -> None:
    from consumers.configuration import check_options

    check_options(tables)


def require_known(name: str, under: str = "consumers") -> None:
    """Raise ConfigurationError if no consumer has this name; `under` is the table it is in."""
    known = names()
    if name not in known:
        message = (
            f"{under}.{name}: there is no such consumer;"
            f" there are {', '.join(sorted(known))}{nearest(name, known)}"
        )
        raise ConfigurationError(message)


def _check_database(own: object, under: str) -> None:
    read_database(dict(own) if isinstance(own, Mapping) else own, under)
