"""docs/your-platform.md: its file is what every process can start with, and its variables exist."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from tests.parts.cli_in_process import Command, commands_in
from tests.parts.deploy.system import ROOT
from tests.parts.edge.certificates import write_pair

PAGE = (ROOT / "docs" / "your-platform.md").read_text(encoding="utf-8")
DATABASES = ("ledger", "inventory", "notifications")


def block(kind: str) -> str:
    """Return the first block of the page in a language."""
    (_, _, rest) = PAGE.partition(f"```{kind}\n")
    return rest.partition("```")[0]


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return what runs a command in a folder with the page's file and the secrets it names."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    write_pair(secrets / "kafka_ca.pem", secrets / "ca.key", "authority", timedelta(days=90))
    for name in ("blockatm", "kafka_password"):
        (secrets / name).write_text(f"hidden-{name}-0123456789\n", encoding="utf-8")
    for name in DATABASES:
        url = f"postgresql+asyncpg://{name}@db.example.com/{name}\n"
        (secrets / f"{name}_database").write_text(url, encoding="utf-8")
    text = block("toml").replace("/run/secrets", str(secrets))
    (tmp_path / "payrouter.toml").write_text(text, encoding="utf-8")
    return commands_in(tmp_path, monkeypatch, capsys)


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables that the page names."""
    found = dict.fromkeys(re.findall(r"`(PAYROUTER_\w+)", PAGE))
    assert len(found) == 3
    for name in found:
        monkeypatch.setenv(name, "pay-ledger" if name.endswith("USERNAME") else "10.0.0.5")


@pytest.mark.usefixtures("variables")
def test_every_process_can_start_with_the_file_of_the_page(payrouter: Command) -> None:
    said = payrouter("doctor", "--only", "configuration", "--json")
    assert [each["found"] for each in json.loads(said.out)] == ["valid"]


@pytest.mark.usefixtures("variables")
def test_names_users_and_addresses_are_those_of_the_page(payrouter: Command) -> None:
    shown = json.loads(payrouter("config", "show", "--json").out)
    assert shown["kafka"]["sasl_username"] == "pay-ledger"
    assert shown["consumers"]["ledger"]["management_host"] == "10.0.0.5"
    assert shown["exporter"]["management_host"] == "10.0.0.5"


@pytest.mark.parametrize(
    "command", re.findall(r"^ *payrouter (rights .*)$", PAGE, re.MULTILINE), ids=lambda each: each
)
def test_the_commands_of_the_page_print_what_to_grant(payrouter: Command, command: str) -> None:
    said = payrouter(*command.split())
    assert said.status == 0
    assert command.rsplit(maxsplit=1)[-1] in said.out
    assert "--topic pay.payment" in said.out


def test_orders_come_from_the_topic_that_the_page_names(payrouter: Command) -> None:
    rights = json.loads(payrouter("rights", "inventory", "--json").out)
    assert "pay.shop-orders" in {each["name"] for each in rights}


def test_the_targets_of_the_page_have_the_ports_of_the_defaults() -> None:
    (job,) = yaml.safe_load(block("yaml"))["scrape_configs"]
    (group,) = job["static_configs"]
    ports = {target.partition(":")[0]: target.partition(":")[2] for target in group["targets"]}
    consumers = dict.fromkeys(DATABASES, "9081")
    assert ports == {"edge": "9080", **consumers, "exporter": "9082"}
