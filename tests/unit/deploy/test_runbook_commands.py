"""Each command of a runbook finds what it needs in the service that the runbooks name for it."""

import re
import shlex
import sys
from pathlib import Path
from typing import Final

import click
import pytest

from consumers import cli
from tests.parts.deploy.system import (
    ROOT,
    SERVICES,
    bind_mounts,
    environment,
    secrets_of,
    settings_of,
    write_secrets,
)

RUNBOOKS: Final = ROOT / "docs" / "runbooks"
INDEX: Final = (RUNBOOKS / "README.md").read_text()
OTHERS: Final = "all others"

PROCESSES: Final = {"edge", "consume", "dev"}
"""Not commands to type: the services themselves."""

WITH_ENDPOINTS: Final = {"quarantine replay", "verify", "endpoint", "send"}
"""Commands that need the endpoints with their keys."""

WITH_MORE: Final = {
    "verify --file": "a file of the operator's",
    "notifications test": "a channel, of which the compose file has none",
    "send": "an edge that answers",
}
"""Commands that would fail for something that no service has before they ask anybody."""

PLACEHOLDERS: Final = {
    "NUMBER": "1",
    "ORDER": "A-1",
    "EVENT_ID": "8f7af8a8-479e-5a3e-9cd0-bd4446be7375",
    "ID": "8f7af8a8-479e-5a3e-9cd0-bd4446be7375",
    "TOPIC": "payment",
    "N": "0",
    "OFFSET": "1",
    "SKU": "tea",
    "KIND": "dead-record",
    "CASE": "3f9a1c02e4b7",
    "ACCOUNT": "main",
    "PROVIDER": "blockatm",
}


def _services() -> dict[str, str]:
    """Return the service for each command, from the table."""
    rows = re.findall(
        r"^\| (.+) \| `docker compose exec (\w+) payrouter …` \|$", INDEX, re.MULTILINE
    )
    return {
        command: service
        for commands, service in rows
        for command in (re.findall(r"`(\w+)`", commands) or [commands])
    }


SERVICE_OF: Final = _services()


def _commands() -> list[str]:
    found = set()
    for path in sorted(RUNBOOKS.glob("*.md")):
        for quoted in re.findall(r"`([^`]+)`", path.read_text()):
            if match := re.match(r"payrouter (.+)", re.sub(r"\s+", " ", quoted)):
                found.add(match[1].partition(" > ")[0])
    return sorted(line for line in found if line.split()[0] not in PROCESSES)


COMMANDS: Final = _commands()


def service_of(line: str) -> str:
    return SERVICE_OF.get(line.split(maxsplit=1)[0], SERVICE_OF[OTHERS])


def _words(line: str) -> list[str]:
    words = shlex.split(line)
    own = "blockatm-main" if words[0] in {"endpoint", "refused", "quarantine"} else "ledger"
    return [PLACEHOLDERS.get(word, own if word == "NAME" else word) for word in words]


def test_every_service_of_the_table_is_one_and_every_command_is_named_once() -> None:
    assert set(SERVICE_OF.values()) <= set(SERVICES)
    assert OTHERS in SERVICE_OF
    payrouter = cli.command_line()
    known = payrouter.list_commands(click.Context(payrouter))
    assert set(SERVICE_OF) - {OTHERS} <= {*known, "notifications"}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_that_needs_endpoints_runs_in_a_service_with_endpoints(
    line: str, tmp_path: Path
) -> None:
    needs = any(line.startswith(command) for command in WITH_ENDPOINTS)
    settings = settings_of(service_of(line), tmp_path)

    assert bool(settings.endpoints) or not needs


def _asks(line: str) -> bool:
    return not any(all(part in line.split() for part in command.split()) for command in WITH_MORE)


@pytest.mark.parametrize("line", [line for line in COMMANDS if _asks(line)])
def test_a_command_gets_as_far_as_the_broker_or_the_database_and_may_reach_it(
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    service = service_of(line)
    _enter(service, tmp_path, monkeypatch)
    if line.startswith("spool"):
        # The compose file has no spool by default.
        monkeypatch.setenv("PAYROUTER_SPOOL__PATH", str(tmp_path / "spool"))
    monkeypatch.setattr(sys, "argv", ["payrouter", *_words(line)])
    monkeypatch.setattr("router.telemetry.logs.configure_logging", lambda _level, _form: None)

    with pytest.raises(SystemExit) as ended:
        cli.main()

    said = capfd.readouterr()
    assert ended.value.code != 2, said.err
    for other, address in (("kafka", "kafka:9092"), ("postgres", "postgres")):
        if address in said.err:
            networks = set(SERVICES[service]["networks"]) & set(SERVICES[other]["networks"])
            assert networks, f"{service} does not reach {other}"


def _enter(service: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take on what a service has: its variables, its file, and of the secrets its own alone."""
    made, own = write_secrets(folder / "all"), folder / "own"
    own.mkdir()
    for name in secrets_of(service):
        (own / name).write_bytes((made / name).read_bytes())
    for key, value in environment(service).items():
        monkeypatch.setenv(key, value.replace("/run/secrets", str(own)))
    if inside := environment(service).get("PAYROUTER_CONFIG"):
        path = folder / "payrouter.toml"
        text = (ROOT / bind_mounts(service)[inside]).read_text()
        path.write_text(text.replace("/run/secrets", str(own)))
        monkeypatch.setenv("PAYROUTER_CONFIG", str(path))
    monkeypatch.chdir(own)
