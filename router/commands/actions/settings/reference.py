"""Describes every setting: as a list, a page, an example file and a JSON Schema."""

import json
from collections.abc import Sequence

import click

from router.commands.actions.settings.by_table import show_by_table
from router.commands.invocation import Invocation
from router.configuration.reference.example import example_file
from router.configuration.reference.models import TableModels
from router.configuration.reference.page import configuration_page
from router.configuration.reference.schema import configuration_schema
from router.configuration.reference.setting import Setting
from router.configuration.reference.tables import SettingsTable, settings_tables
from router.providers import Configurable, NoOptions, discover
from router.terminal.output import show_json


def table_models(invocation: Invocation) -> TableModels:
    """Return the models of the installed providers and consumers."""
    every, own = invocation.consumers.models()
    providers = {
        name: provider.options if isinstance(provider, Configurable) else NoOptions
        for name, provider in discover().items()
    }
    return TableModels(providers, every, own)


def show_schema(invocation: Invocation) -> None:
    """Print the JSON Schema of payrouter.toml."""
    schema = configuration_schema(table_models(invocation))
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))


def show_example(invocation: Invocation) -> None:
    """Print a payrouter.toml with every setting as a comment."""
    click.echo(example_file(settings_tables(table_models(invocation))), nl=False)


def show_keys(invocation: Invocation, *, as_json: bool, as_page: bool) -> None:
    """Print every setting with its type, default and meaning."""
    tables = settings_tables(table_models(invocation))
    if as_page:
        click.echo(configuration_page(tables), nl=False)
    elif as_json:
        show_json([_as_json(table, each) for table in tables for each in table.settings])
    else:
        _show(tables)


def _as_json(table: SettingsTable, setting: Setting) -> dict[str, object]:
    return {
        "table": table.name,
        "key": setting.key,
        "providers": list(table.providers) or None,
        "type": setting.kind.replace("`", ""),
        "required": setting.required,
        "default": setting.default,
        "default_in_words": setting.without,
        "meaning": setting.meaning,
        "example": setting.example,
        "variable": setting.variable,
    }


def _show(tables: Sequence[SettingsTable]) -> None:
    rows = [
        (table.name, setting.key, *(text.replace("`", "") for text in _texts(setting)))
        for table in tables
        for setting in table.settings
    ]
    show_by_table(("key", "default", "type", "meaning"), rows)


def _texts(setting: Setting) -> Sequence[str]:
    return (setting.default_text, setting.kind, setting.meaning)
