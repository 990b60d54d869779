"""The `payrouter` command: what it offers, what it prints, and the status it ends with."""

from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr

from consumers.discovery import discover
from tests.parts.cli_in_process import Command, Said, commands_in

SECRET = "never-to-be-printed-0123456789"
CONFIG = f"""
[endpoints.shop]
provider = "blockatm"
secrets = ["{SECRET}", "{SECRET}-next"]
token = "{SECRET}-in-the-url"

[kafka]
security_protocol = "SASL_SSL"
sasl_mechanism = "PLAIN"
sasl_username = "payrouter"
sasl_password = "{SECRET}-sasl"

[database]
url = "postgresql://payrouter:{SECRET}@host/db"

[consumers.ledger.database]
url = "postgresql://ledger:{SECRET}@host/db"

[consumers.notifications.channels.ops]
url = "json://host/{SECRET}"
"""

COMMANDS = {
    (): {
        *("dev", "edge", "consume", "send", "ledger", "inventory", "notifications", "topics"),
        *("db", "config", "offsets", "parked", "dlq", "brake", "outbox", "trace"),
        *("endpoint", "verify", "quarantine", "refused", "spool", "exporter", "metrics"),
        *("completion", "man", "cases", "doctor", "rights", "console"),
    },
    ("ledger",): {
        *("balance", "statement", "month", "verify", "export", "record", "transfer", "import"),
    },
    ("inventory",): {"stock", "set", "orders", "decide"},
    ("notifications",): {"list", "show", "resend", "test"},
    ("topics",): {"apply"},
    ("db",): {"upgrade", "roles"},
    ("config",): {"show", "keys", "example", "schema"},
    ("offsets",): {"show", "reset"},
    ("cases",): {"list", "show", "assign", "close", "note", "reopen"},
    ("parked",): {"list", "retry"},
    ("dlq",): {"list", "show", "replay", "history"},
    ("brake",): {"show", "clear"},
    ("outbox",): {"show", "retry"},
    ("endpoint",): {"url"},
    ("quarantine",): {"list", "show", "replay"},
    ("spool",): {"show", "drain", "verify"},
    ("refused",): {"list", "show"},
}


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command in an empty folder."""
    return commands_in(tmp_path, monkeypatch, capsys)


def _in_order(names: Iterable[str]) -> str:
    return " ".join(sorted(names))


def write(text: str) -> None:
    Path("payrouter.toml").write_text(text, encoding="utf-8")


def test_the_version_is_printed(payrouter: Command) -> None:
    assert payrouter("--version") == Said(0, f"payrouter, version {version('payrouter')}\n", "")


@pytest.mark.parametrize(("group", "names"), COMMANDS.items(), ids=_in_order)
def test_the_help_of_each_group_lists_its_commands(
    payrouter: Command, group: tuple[str, ...], names: set[str]
) -> None:
    said = payrouter(*group, "--help")
    _, _, listed = said.out.partition("-h, --help")
    lines = [line for line in listed.splitlines()[1:] if line.startswith("  ")]
    assert {line.split()[0] for line in lines if line[:3].strip()} == names
    assert said.status == 0


@pytest.mark.parametrize(
    "command",
    [
        ("ledger", "balance"),
        ("ledger", "statement"),
        ("ledger", "verify"),
        ("trace",),
        ("inventory", "stock"),
        ("inventory", "set"),
        ("inventory", "orders"),
        ("offsets", "show"),
        ("offsets", "reset"),
        ("outbox", "show"),
        ("outbox", "retry"),
        ("cases", "list"),
        ("cases", "show"),
        ("cases", "assign"),
        ("cases", "close"),
        ("cases", "note"),
        ("cases", "reopen"),
        ("parked", "list"),
        ("parked", "retry"),
        ("dlq", "list"),
        ("dlq", "show"),
        ("dlq", "replay"),
        ("brake", "show"),
        ("brake", "clear"),
        ("topics", "apply"),
        ("db", "upgrade"),
        ("config", "show"),
        ("send", "blockatm"),
        ("send", "order"),
        ("notifications", "list"),
        ("notifications", "show"),
        ("notifications", "resend"),
    ],
    ids=" ".join,
)
def test_every_listing_takes_where_to_look_and_json(
    payrouter: Command, command: tuple[str, ...]
) -> None:
    said = payrouter(*command, "--help")
    for option in ("--config", "--data-dir", "--json"):
        assert option in said.out


@pytest.mark.parametrize("command", [("consume", "leger"), ("offsets", "show", "leger")])
def test_an_unknown_consumer_is_wrong_usage(payrouter: Command, command: tuple[str, ...]) -> None:
    said = payrouter(*command)
    assert said.status == 2
    assert "there is no consumer leger; there are inventory, ledger" in said.err


def test_an_unknown_command_is_wrong_usage(payrouter: Command) -> None:
    said = payrouter("leger")
    assert said.status == 2
    assert said.err.startswith("payrouter: no such command 'leger'. (Did you mean one of: ")
    assert said.err.endswith("'ledger'?); see `payrouter --help`\n")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "[consumers.leger]",
            (
                f"consumers.leger: there is no such consumer; there are {', '.join(discover())};"
                " did you mean ledger?"
            ),
        ),
        ("[consumers.ledger]\nbatch = 1", "consumers.ledger.batch: unknown key"),
        (
            "[consumers.ledger.database]\nurk = 1",
            "consumers.ledger.database.urk: unknown key; did you mean url?",
        ),
        ("[consumers]\nledger = 1", "consumers.ledger: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_consumers_table_is_one_line_that_names_the_key(
    payrouter: Command, text: str, line: str
) -> None:
    write(text)
    place = f"payrouter.toml:{len(text.splitlines())}"
    assert payrouter("config", "show") == Said(2, "", f"payrouter: {line} ({place})\n")


def test_the_exporter_is_not_to_watch_a_consumer_that_is_not_there(payrouter: Command) -> None:
    write(CONFIG + '[exporter]\nconsumers = ["ledger", "leger"]')
    known = f"there is no such consumer; there are {', '.join(discover())}; did you mean ledger?"
    assert payrouter("exporter") == Said(2, "", f"payrouter: exporter.consumers.leger: {known}\n")


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "JSON"])
def test_the_configuration_is_shown_without_any_secret(
    payrouter: Command, form: tuple[str, ...]
) -> None:
    write(CONFIG)
    said = payrouter("config", "show", *form)
    assert said.status == 0
    assert SECRET not in said.out
    assert said.out.count("**********") >= 5
    assert "sasl_username" in said.out


class OptionsWithKey(BaseModel):
    """Options of a consumer of another distribution: a secret with any name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    keys: dict[str, SecretStr] = {}
    region: str = "eu"


def test_a_secret_of_another_distribution_is_masked_under_any_name(
    payrouter: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = replace(discover()["ledger"], options=OptionsWithKey)
    monkeypatch.setattr("consumers.discovery.needed", lambda _names: {"ledger": theirs})
    write(f'[consumers.ledger]\nregion = "us"\nmanagement_port = 1\nkeys.mail = "{SECRET}"')
    shown = payrouter("config", "show", "--json")
    assert SECRET not in shown.out
    assert shown.json["consumers"] == {
        "ledger": {"region": "us", "management_port": 1, "keys": {"mail": "**********"}}
    }


def test_the_configuration_in_force_is_shown_variables_and_defaults_included(
    payrouter: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(CONFIG)
    monkeypatch.setenv("PAYROUTER_TOPICS__PREFIX", "shop.")
    monkeypatch.setenv("PAYROUTER_CONSUMERS__LEDGER__DATABASE__URL", f"mysql://{SECRET}")
    refused = payrouter("config", "show", "--json")
    assert refused.err.startswith("payrouter: consumers.ledger.database.url: expected postgresql")
    monkeypatch.delenv("PAYROUTER_CONSUMERS__LEDGER__DATABASE__URL")
    shown = payrouter("config", "show", "--json").json
    assert shown["topics"]["prefix"] == "shop."
    assert shown["edge"]["port"] == 8080
    assert shown["endpoints"]["shop"]["account"] == "shop"


def test_a_long_value_is_not_cut_without_a_terminal(payrouter: Command) -> None:
    servers = ",".join(f"kafka-{number}.example.com:9092" for number in range(20))
    write(f'[kafka]\nbootstrap_servers = "{servers}"')
    assert f'"{servers}"' in payrouter("config", "show").out


@pytest.mark.parametrize(
    "command",
    [
        ("ledger", "balance"),
        ("ledger", "verify"),
        ("ledger", "export"),
        ("db", "upgrade"),
        ("offsets", "show"),
        ("dlq", "list", "ledger"),
        ("parked", "retry", "ledger"),
        ("brake", "clear", "ledger"),
    ],
)
def test_a_database_that_is_away_is_one_line_without_the_password(
    payrouter: Command, command: tuple[str, ...]
) -> None:
    write(f'[database]\nurl = "postgresql://payrouter:{SECRET}@127.0.0.1:1/books"')
    said = payrouter(*command)
    assert said.status == 1
    assert said.out == ""
    assert said.err.startswith("payrouter: cannot read the database books on 127.0.0.1")
    assert said.err.count("\n") == 1
    assert SECRET not in said.err


def test_the_page_of_the_metrics_is_what_the_processes_measure(payrouter: Command) -> None:
    page = Path(__file__).parents[3] / "docs" / "metrics.md"

    assert payrouter("metrics", "--markdown").out == page.read_text(encoding="utf-8")


def test_the_metrics_of_every_process_and_consumer_are_listed(payrouter: Command) -> None:
    listed = {each["name"]: each for each in payrouter("metrics", "--json").json}

    assert listed["payrouter_deliveries_total"]["processes"] == ["edge"]
    assert listed["payrouter_build_info"]["processes"] == [
        "edge",
        "consumer",
        "exporter",
        "console",
    ]
    assert listed["payrouter_group_lag_seconds"]["processes"] == ["exporter"]
    assert listed["payrouter_held_records"]["processes"] == ["consumer", "exporter"]
    assert "parked" in listed["payrouter_records_total"]["labels"]["outcome"]
    for service in discover().values():
        for measure in service.measures:
            assert listed[measure.name]["meaning"] == measure.meaning
