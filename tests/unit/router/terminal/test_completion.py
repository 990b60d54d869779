"""Completion of names: from the configuration as it is, silently, without any secret."""

import os
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

from consumers.cli import command_line
from consumers.installation import Installation
from router.commands.kept_filters import REASONS
from router.edge import outcomes
from router.terminal.completion import SHELLS, script

SECRET = "never-to-be-printed-0123456789"
CONFIG = f"""
[endpoints.shop-eu]
provider = "blockatm"
secrets = ["{SECRET}"]
token = "{SECRET}"
[endpoints.shop-bee]
provider = "blockbee"
[topics]
prefix = "eu."
[topics.names]
payment = "money"
[consumers.notifications.channels.ops]
url = "json://host/{SECRET}"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with a configuration."""
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("PAYROUTER_")]:
        monkeypatch.delenv(name)
    (tmp_path / "payrouter.toml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def completed(*words: str) -> list[str]:
    """Return what the shell gets for the last word."""
    *before, incomplete = words
    found = BashComplete(
        command_line(), {"obj": Installation()}, "payrouter", "_PAYROUTER_COMPLETE"
    ).get_completions(before, incomplete)
    assert SECRET not in repr([(each.value, each.help) for each in found])
    return [each.value for each in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("d",), ["dev", "doctor", "dlq", "db"]),
        (("dlq", ""), ["list", "show", "replay", "history"]),
        (("send", "block"), ["blockatm", "blockbee"]),
        (("consume", ""), ["inventory", "ledger", "notifications"]),
        (("dlq", "show", "led"), ["ledger"]),
        (("offsets", "show", ""), ["inventory", "ledger", "notifications"]),
        (("endpoint", "url", ""), ["shop-bee", "shop-eu"]),
        (("verify", "blocka"), ["blockatm"]),
        (("verify", "blockatm", "--endpoint", ""), ["shop-bee", "shop-eu"]),
        (("refused", "list", "--provider", "res"), ["resmic"]),
        (
            ("brake", "show", "ledger", "--topic", ""),
            ["eu.money", "eu.order", "eu.payout", "eu.subscription"],
        ),
        (("dlq", "list", "ledger", "--reason", "un"), ["unreadable", "unfetchable"]),
        (("refused", "list", "--reason", "time_m"), ["time_malformed", "time_missing"]),
        (("quarantine", "list", "--reason", "unknown_"), ["unknown_event", "unknown_status"]),
        (("offsets", "reset", "ledger", "--to", ""), ["earliest", "latest"]),
        (("notifications", "test", ""), ["log", "ops"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
        (("dlq", "replay", "--ye"), ["--yes"]),
    ],
    ids=" ".join,
)
def test_names_are_completed(folder: Path, words: tuple[str, ...], found: list[str]) -> None:
    del folder

    assert completed(*words) == found


def test_the_configuration_given_is_read(folder: Path) -> None:
    other = folder / "other.toml"
    other.write_text("[endpoints.elsewhere]\n", encoding="utf-8")

    assert completed("endpoint", "url", "--config", str(other), "") == ["elsewhere"]


@pytest.mark.parametrize("text", ["[endpoints", "endpoints = 1", "endpoints = [1]", "\x00", None])
def test_a_wrong_configuration_completes_nothing_and_prints_nothing(
    folder: Path, text: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    config = folder / "payrouter.toml"
    config.unlink() if text is None else config.write_text(text, encoding="utf-8")

    assert completed("verify", "blockatm", "--endpoint", "") == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_asks_this_command(shell: str) -> None:
    text = script(command_line(), shell)

    assert "_PAYROUTER_COMPLETE" in text
    assert "payrouter" in text


def test_another_shell_is_wrong_usage() -> None:
    with pytest.raises(click.UsageError, match="no completion for tcsh"):
        script(command_line(), "tcsh")


def test_every_reason_for_which_a_delivery_is_stored_is_completed() -> None:
    stored = [
        reasons for outcome, reasons in outcomes.REASONS.items() if outcome != outcomes.FAILED
    ]
    assert sorted({reason for reasons in stored for reason in reasons}) == list(REASONS)
