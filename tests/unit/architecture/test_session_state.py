"""Nothing of the consumers outlives a transaction in the database.

A pooler may give the next transaction another session. Only the engine for a server without one
sets something for a session.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.parts.source import modules

CONSUMERS = modules("consumers")

OUTLIVES = re.compile(
    r"pg_(try_)?advisory_(lock|unlock)"
    r"|\b(UN)?LISTEN \w|\bNOTIFY \w|\bpg_notify\b"
    r"|\bCREATE\s+((GLOBAL|LOCAL)\s+)?TEMP"
    r"|\bWITH\s+HOLD\b|\bPREPARE\s+\w+\s+AS\b|\bDISCARD\s+ALL\b"
    r"|set_config\([^)]*,\s*false\s*\)"
    r"|^SET\s+(?!LOCAL\b|CONSTRAINTS\b|TRANSACTION\b)"
)

WITHOUT_POOLER = {"SET transaction_timeout = "}


def kept(tree: ast.AST) -> Iterator[str]:
    """Yield each text of a statement, or name of a function, that changes a session."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else getattr(node, "attr", None)
        if isinstance(text, str) and OUTLIVES.search(text):
            yield text


def test_nothing_outlives_a_transaction() -> None:
    found = {text for module in CONSUMERS for text in kept(module.tree)}
    assert found == WITHOUT_POOLER


@pytest.mark.parametrize(
    "source",
    [
        "func.pg_advisory_lock(1)",
        "func.pg_try_advisory_lock(1)",
        'text("SELECT pg_advisory_unlock(1)")',
        'text("LISTEN events")',
        'text("CREATE TEMPORARY TABLE t (n int)")',
        'text("SET search_path = ledger")',
        "text(\"SELECT set_config('lock_timeout', '1', false)\")",
        'text("DECLARE c CURSOR WITH HOLD FOR SELECT 1")',
        'text("PREPARE find AS SELECT 1")',
    ],
)
def test_what_outlives_it_is_found(source: str) -> None:
    assert list(kept(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "func.pg_advisory_xact_lock(1)",
        'text("SET LOCAL lock_timeout = 1")',
        'text("SET CONSTRAINTS ALL IMMEDIATE")',
        'text("UPDATE t SET a = 1")',
        "text(\"SELECT set_config('lock_timeout', '1', true)\")",
    ],
)
def test_what_ends_with_it_is_not(source: str) -> None:
    assert not list(kept(ast.parse(source)))
