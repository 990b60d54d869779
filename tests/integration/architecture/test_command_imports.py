"""What a command imports: its own needs, and nothing of another command's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    *("aiokafka", "alembic", "apprise", "asyncio", "faststream", "jinja2"),
    *("pydantic", "rich", "sqlalchemy", "uvicorn"),
)

PROGRAM = (
    "import atexit, sys; names = sys.argv.pop(1).split(',')\n"
    "atexit.register(lambda: print('imported', *(n for n in names if n in sys.modules)))\n"
    "from consumers.cli import main; main()\n"
)


@pytest.mark.parametrize(
    ("command", "status", "imported"),
    [
        (["--version"], 0, []),
        (["edge", "--help"], 0, []),
        (["exporter", "--help"], 0, []),
        (["config", "show"], 0, ["asyncio", "pydantic", "rich"]),
        (["send", "blockatm"], 2, ["asyncio", "pydantic", "rich"]),
        (["edge"], 2, ["aiokafka", "asyncio", "faststream", "pydantic", "rich", "uvicorn"]),
        (["ledger", "balance"], 1, ["aiokafka", "asyncio", "pydantic", "rich", "sqlalchemy"]),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else str(given),
)
def test_command_imports_only_what_it_uses(
    tmp_path: Path, command: list[str], status: int, imported: list[str]
) -> None:
    nowhere = {"PAYROUTER_DATABASE__URL": "postgresql://payrouter@127.0.0.1:1/payrouter"}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(HEAVY), *command],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **nowhere},
        check=False,
    )

    assert ended.returncode == status, ended.stderr
    assert ended.stdout.splitlines()[-1].split() == ["imported", *imported]


def test_a_consumer_process_does_not_load_alembic() -> None:
    program = (
        "import sys, consumers.runtime.member.app\n"
        "print([name for name in ('alembic', 'mako') if name in sys.modules])"
    )

    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert printed.stdout == "[]\n"
