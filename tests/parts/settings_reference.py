"""The description of every setting, and the example file with its comments removed."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from consumers.installation import Installation
from router.commands.actions.settings.reference import table_models
from router.commands.invocation import Invocation
from router.configuration.reference.example import example_file
from router.configuration.reference.models import TableModels
from router.configuration.reference.schema import configuration_schema
from router.configuration.reference.tables import SettingsTable, settings_tables
from router.terminal.options import ConfigurationPlace

_COMMENTED_OUT = re.compile(r"^#(?!:| \S|$)", re.MULTILINE)
"""The `#` directly before a setting: not that of an explanation or of the schema's name."""


@cache
def models() -> TableModels:
    """Return the models of this installation."""
    return table_models(Invocation(ConfigurationPlace(), Installation()))


@cache
def tables() -> Sequence[SettingsTable]:
    """Return the described tables of this installation."""
    return settings_tables(models())


@cache
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of this installation."""
    return configuration_schema(models())


def example() -> str:
    """Return the example file."""
    return example_file(tables())


def uncommented() -> dict[str, Any]:
    """Return the example with every setting in force, parsed."""
    return tomllib.loads(_COMMENTED_OUT.sub("", example()))


def keys_of(values: Mapping[str, Any], *under: str) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that is not a table with keys."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from keys_of(value, *under, key)
        else:
            yield (*under, key)
