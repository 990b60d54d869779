"""The example has every setting: as printed it is valid, and so is each setting of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from consumers.configuration import shown_consumers
from consumers.installation import Installation
from router.commands.actions.checked import checked_settings
from router.configuration.settings import Settings, load_settings, settings_from
from router.configuration.sources import Sources
from tests.parts.cli_in_process import Command, commands_in
from tests.parts.settings_reference import example, keys_of, models, tables, uncommented

_FILES = {
    *("secret_files", "url_file", "owner_url_file", "reader_url_file", "sasl_password_file"),
    *("session_secret_file", "client_secret_file", "templates", "password_hash"),
}
"""Settings that name files, which the tests do not have, and a hash, which the example prints."""


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return commands_in(tmp_path, monkeypatch, capsys)


def test_printed_example_is_a_valid_configuration_that_changes_nothing(
    payrouter: Command, tmp_path: Path
) -> None:
    (tmp_path / "payrouter.toml").write_text(payrouter("config", "example").out, encoding="utf-8")

    assert payrouter("config", "show").status == 0
    loaded = load_settings(tmp_path / "payrouter.toml", {})
    assert loaded.model_copy(update={"consumers": {}}) == Settings()
    assert loaded.consumers == {"inventory": {"database": {}}, "ledger": {}, "notifications": {}}


def test_no_line_is_too_long() -> None:
    assert [line for line in example().splitlines() if len(line) > 100] == []


def test_first_line_names_the_schema_for_editors() -> None:
    assert example().splitlines()[0] == "#:schema ./payrouter.toml.v1.json"


def test_example_has_every_setting() -> None:
    found = set(keys_of(uncommented()))

    for table in tables():
        for setting in table.settings:
            if setting.within is None and not table.repeated:
                place = (*table.example, setting.key)
                assert any(path[: len(place)] == place for path in found), place


def test_every_setting_is_explained_before_its_line() -> None:
    text = " ".join(line.removeprefix("# ") for line in example().splitlines())

    for table in tables():
        assert table.repeated or table.introduction in text, table.title
        for setting in table.settings if not table.repeated else ():
            if setting.within is None:
                kind = setting.kind.replace("`", "")
                assert f"{setting.meaning} Type: {kind}." in text, setting.key


def test_every_default_is_the_one_in_force() -> None:
    settings = settings_from(_with_default("edge", "kafka", "topics", "order", "log", "exporter"))

    assert settings == Settings()


@pytest.mark.parametrize("name", models().consumers)
def test_every_default_of_a_consumer_is_the_one_in_force(name: str) -> None:
    given = _with_default("consumers")["consumers"]

    (shown,) = shown_consumers({name: given[name]}).values()

    for model in (models().every_consumer, models().consumers[name]):
        defaults = model().model_dump(mode="json")
        assert {key: value for key, value in shown.items() if key in defaults} == {
            key: value for key, value in defaults.items() if key in shown
        }


def test_every_setting_together_is_a_valid_configuration() -> None:
    values = _ready_to_use(uncommented())
    # Each provider's keys are described with a separate endpoint, without what all need.
    values["endpoints"] = {"shop": values["endpoints"]["shop"]}
    # Its default contradicts the two settings that need another one.
    values["consumers"]["inventory"]["underpaid"] = "accept_within"
    values["console"]["trusted_proxies"] = ["10.0.0.5"]

    settings = checked_settings(Sources(values), Installation().check)

    assert settings.accounts == ("shop-eu",)
    assert settings.kafka.sasl_mechanism == "SCRAM-SHA-512"


def _with_default(*names: str) -> dict[str, Any]:
    """Return the settings of these tables that have a default, as the example has them."""
    values: dict[str, Any] = {}
    whole = uncommented()
    for table in tables():
        if table.name.split(".")[0] not in names or table.chosen or table.repeated:
            continue
        below, given = values, whole
        for part in table.example:
            below, given = below.setdefault(part, {}), given[part]
        below.update(
            {
                each.key: given[each.key]
                for each in table.settings
                if each.has_default and not isinstance(each.default, dict)
            }
        )
    return values


def _ready_to_use(value: Any) -> Any:  # noqa: ANN401 - any TOML
    """Return the values as an operator would complete them, without the settings of files."""
    if isinstance(value, Mapping):
        return {key: _ready_to_use(each) for key, each in value.items() if key not in _FILES}
    if isinstance(value, list):
        return [_ready_to_use(each) for each in value]
    return value.replace("REPLACE", "x") if isinstance(value, str) else value
