"""A service that imports the guard imports neither the runtime nor payrouter's consumers."""

import subprocess
import sys
from collections.abc import Sequence

from tests.parts.source import ROOT

PROGRAM = """
import sys
before = set(sys.modules)
import consumers.exactly_once
print(*sorted(set(sys.modules) - before))
"""

OURS = (
    "consumers.exactly_once",
    "consumers.runtime.records",
    "router.contract",
    "router.broker.adapter",
    "router.broker.log",
    "router.broker.rights",
    "router.broker.topics",
)
LIBRARIES = ("alembic", "apprise", "asyncpg", "jinja2", "rich", "structlog")


def imported() -> Sequence[str]:
    command = [sys.executable, "-c", PROGRAM]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return ended.stdout.split()


def test_guard_imports_the_contract_and_what_reads_logs_and_no_more() -> None:
    names = imported()
    packages = ("router", "router.broker", "consumers", "consumers.runtime")
    ours = [name for name in names if name.startswith(("router", "consumers"))]
    foreign = [name for name in ours if not name.startswith(OURS) and name not in packages]
    assert foreign == []
    assert [name for name in LIBRARIES if name in names] == []
