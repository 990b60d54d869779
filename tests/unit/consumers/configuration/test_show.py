"""`payrouter config show --all --origin`: every setting in force, and where it comes from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from router.evaluation.data_dir import DataDir
from tests.parts.cli_in_process import Command, commands_in
from tests.parts.settings_reference import models, tables
from tests.parts.terminal import terminal_of

_SECRET = "never-to-be-printed-0123456789"

_TEXT = f"""
[endpoints.shop]
provider = "blockatm"
secret_files = ["secret"]

[edge]
port = 9000

[kafka]
security_protocol = "SASL_SSL"
sasl_mechanism = "PLAIN"
sasl_username = "payrouter"
sasl_password = "{_SECRET}-sasl"

[database]
url_file = "url"

[consumers.ledger]
attempts = 3

[consumers.ledger.database]
url = "postgresql://ledger:{_SECRET}@host/db"
"""


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    (tmp_path / "payrouter.toml").write_text(_TEXT, encoding="utf-8")
    (tmp_path / "secret").write_text(f"{_SECRET}-gateway", encoding="utf-8")
    (tmp_path / "url").write_text(f"postgresql://u:{_SECRET}-file@host/db", encoding="utf-8")
    monkeypatch.setenv("PAYROUTER_EDGE__WORKERS", "2")
    monkeypatch.setenv("PAYROUTER_CONSUMERS__LEDGER__BATCH_RECORDS", "7")
    return commands_in(tmp_path, monkeypatch, capsys)


def _rows(payrouter: Command, *options: str) -> Mapping[str, Mapping[str, Any]]:
    shown = payrouter("config", "show", "--origin", "--json", *options).json
    return {row["key"]: row for row in shown}


@pytest.mark.parametrize(
    ("key", "value", "origin"),
    [
        ("edge.port", 9000, ("file", "payrouter.toml", 7)),
        ("edge.workers", 2, ("variable", "PAYROUTER_EDGE__WORKERS", None)),
        ("edge.host", "127.0.0.1", ("default", "", None)),
        ("edge.tls_key", None, ("default", "", None)),
        ("endpoints.shop.account", "shop", ("default", "", None)),
        ("endpoints.shop.secrets", ["**********"], ("key", "secret_files", None)),
        ("endpoints.shop.v1_public_keys", [], ("default", "", None)),
        ("kafka.sasl_password", "**********", ("file", "payrouter.toml", 13)),
        ("database.url", "**********", ("key", "url_file", None)),
        ("consumers.ledger.attempts", 3, ("file", "payrouter.toml", 19)),
        (
            "consumers.ledger.batch_records",
            7,
            ("variable", "PAYROUTER_CONSUMERS__LEDGER__BATCH_RECORDS", None),
        ),
        ("consumers.ledger.database.url", "**********", ("file", "payrouter.toml", 22)),
        ("consumers.inventory.database.url", None, ("default", "", None)),
        ("consumers.inventory.attempts", 8, ("default", "", None)),
    ],
)
def test_every_value_has_its_origin(
    payrouter: Command, key: str, value: object, origin: tuple[str, str, int | None]
) -> None:
    row = _rows(payrouter, "--all")[key]

    assert row["value"] == value
    assert row["origin"] == dict(zip(("kind", "name", "line"), origin, strict=True))


def test_every_setting_is_shown(payrouter: Command) -> None:
    shown = _rows(payrouter, "--all")

    consumers = [f"consumers.{name}" for name in models().consumers]
    for table in tables():
        if (table.providers and table.providers != ("blockatm",)) or table.repeated:
            continue
        names = [table.name.replace("endpoints.NAME", "endpoints.shop")]
        if table.name.startswith("consumers.NAME"):
            names = [table.name.replace("consumers.NAME", each) for each in consumers]
        elif table.chosen and not table.name.startswith("endpoints"):
            continue
        for name in names:
            for setting in table.settings:
                place = f"{name}.{setting.key}"
                assert any(key == place or key.startswith(f"{place}.") for key in shown), place


def test_without_all_only_what_is_set_or_has_a_value_is_shown(payrouter: Command) -> None:
    shown = _rows(payrouter)

    assert "edge.host" in shown
    assert "edge.tls_key" not in shown
    assert "consumers.ledger.attempts" in shown
    assert "consumers.ledger.park_seconds" not in shown


def test_all_without_origin_is_nested_json_with_every_setting(payrouter: Command) -> None:
    shown = payrouter("config", "show", "--all", "--json").json

    assert shown["edge"]["tls_key"] is None
    assert shown["consumers"]["notifications"]["operators"] == {
        "operators": {"email": None, "language": None}
    }


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "JSON"])
def test_no_secret_is_shown(payrouter: Command, form: tuple[str, ...]) -> None:
    said = payrouter("config", "show", "--all", "--origin", *form)

    assert said.status == 0
    assert _SECRET not in said.out


def test_a_row_can_be_found_by_its_whole_key(payrouter: Command) -> None:
    lines = payrouter("config", "show", "--all", "--origin").out.splitlines()

    def row(key: str) -> list[str]:
        (line,) = [line for line in lines if f" {key} " in line]
        return [cell.strip() for cell in line.strip("│").split("│")]

    assert row("edge.port") == ["edge.port", "9000", "payrouter.toml:7"]
    assert row("edge.tls_key") == ["edge.tls_key", "none", "default"]
    assert row("consumers.ledger.group_id")[1] == "payrouter.ledger"
    assert row("endpoints.shop.tolerance_seconds")[1] == "the gateway's own window"
    assert row("consumers.notifications.operators.operators.language")[1] == "that of the consumer"


def test_values_of_a_running_dev_have_it_as_their_origin(
    payrouter: Command, tmp_path: Path
) -> None:
    data_dir = DataDir(tmp_path / ".payrouter")
    data_dir.make()
    data_dir.announce({"addresses": {"kafka": {"client_id": "dev", "sasl_username": "other"}}})

    shown = _rows(payrouter)

    assert shown["kafka.client_id"]["value"] == "dev"
    assert shown["kafka.client_id"]["origin"]["kind"] == "dev"
    assert shown["kafka.sasl_username"]["origin"]["kind"] == "file"


def test_a_wrong_value_of_a_variable_names_the_variable(
    payrouter: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYROUTER_EDGE__PORT", json.dumps("x"))

    said = payrouter("config", "show", "--all", "--origin")

    assert said.status == 2
    assert said.err.startswith("payrouter: edge.port: Input should be a valid integer")
    assert said.err.endswith("(PAYROUTER_EDGE__PORT)\n")


@pytest.mark.parametrize("command", [("show", "--all", "--origin"), ("keys",)], ids=" ".join)
def test_tables_fit_a_terminal_of_80_columns_and_have_short_keys(
    payrouter: Command, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    terminal = terminal_of(monkeypatch, 80)

    assert payrouter("config", *command).status == 0

    lines = terminal.plain.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert sum(line.strip() == "[consumers.notifications]" for line in lines) == 1
    rows = {"show": len(models().consumers), "keys": 1}
    found = [line for line in lines if line.lstrip("│ ").startswith("batch_records ")]
    assert len(found) == rows[command[0]]
