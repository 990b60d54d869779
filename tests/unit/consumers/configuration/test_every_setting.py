"""Every setting is described: what it means, its default, an example, its variable."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from consumers.installation import Installation
from router.commands.actions.checked import checked_settings
from router.configuration.reference.page import configuration_page
from router.configuration.reference.setting import Setting
from router.configuration.reference.tables import NAME, SettingsTable
from router.configuration.settings import Settings
from router.configuration.sources import Sources, gather_sources
from router.edge.endpoints import join_endpoints
from router.errors import ConfigurationError
from tests.parts.settings_reference import models, tables
from tests.parts.source import ROOT

_WRONG = ("unknown key", "Input should", "extra")


def _settings() -> Iterator[tuple[SettingsTable, Setting]]:
    for table in tables():
        for setting in table.settings:
            yield table, setting


def _name(table: SettingsTable, setting: Setting) -> str:
    return "-".join((table.name, *table.providers, setting.key))


def test_page_of_the_documentation_is_up_to_date() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert configuration_page(tables()) == page, (
        "run: payrouter config keys --markdown > docs/configuration.md"
    )


def test_every_table_of_the_models_is_described() -> None:
    described = {(table.name, table.providers) for table in tables()}
    names = {name for name, _ in described}

    plain = Settings.model_fields.keys() - {"endpoints", "consumers"}
    assert plain <= names
    assert {f"consumers.{name}" for name in models().consumers} <= names
    assert {"endpoints.NAME", "consumers.NAME", "consumers.NAME.database"} <= names
    with_keys = {name for name, model in models().providers.items() if model.model_fields}
    assert {(f"endpoints.{NAME}", (name,)) for name in with_keys} <= described


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.title)
def test_every_table_has_an_introduction(table: SettingsTable) -> None:
    assert table.introduction.endswith(".")
    assert len(table.introduction) > 20


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.title)
def test_every_setting_has_a_meaning_and_an_example(table: SettingsTable) -> None:
    for setting in table.settings:
        assert setting.meaning.endswith("."), setting.key
        assert setting.meaning[:1].isupper(), setting.key
        assert setting.example is not None or setting.within is not None, setting.key
        assert setting.within is not None or setting.example != setting.default, setting.key


def _set_by_a_variable() -> Iterator[Any]:
    for table, setting in _settings():
        if setting.variable is not None:
            yield pytest.param(table, setting, id=_name(table, setting))


@pytest.mark.parametrize(("table", "setting"), list(_set_by_a_variable()))
def test_every_variable_sets_its_key(table: SettingsTable, setting: Setting) -> None:
    name = str(setting.variable)
    for placeholder, chosen in zip(table.name.split("."), table.example, strict=True):
        if placeholder == NAME:
            name = name.replace(f"__{NAME}", f"__{_in_a_variable(chosen)}", 1)

    values = gather_sources(None, {name: _text(setting.example)}).values

    place = [*(_in_a_variable(each).lower() for each in table.example), setting.key]
    assert _at(values, place) is not None
    assert [line for line in _problems(values, table) if any(word in line for word in _WRONG)] == []


def _in_a_variable(name: str) -> str:
    return name.replace("-", "_").replace(".", "_").upper()


def _text(example: object) -> str:
    if isinstance(example, Mapping):
        return str(next(iter(example.values())))
    text = example if isinstance(example, str) else json.dumps(example)
    # Placeholders are refused, and no secret of the tests may be one that is printed.
    return text.replace("REPLACE", "hidden")


def _at(values: Mapping[str, Any], place: list[str]) -> object:
    for part in place:
        values = values[part]
    return values


def _problems(values: dict[str, Any], table: SettingsTable) -> list[str]:
    """Return the problems of a configuration; an endpoint gets the keys that it needs."""
    for endpoint in values.get("endpoints", {}).values():
        endpoint.setdefault("provider", table.providers[0] if table.providers else "blockatm")
        endpoint.setdefault("secrets", ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="])
    try:
        settings = checked_settings(Sources(values), Installation().check)
    except ConfigurationError as error:
        return list(error.problems)
    return join_endpoints(settings.endpoints, "https://pay.example.com")[1]
