"""Tiers of tests: which one a file belongs to, and what fails a unit test."""

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

from tests.parts.tiers import CONFORMANCE, TESTS, chosen, is_left_out, unit_rules


@pytest.mark.parametrize(
    ("path", "tiers"),
    [
        ("unit/router/edge/test_intake.py", ["unit"]),
        ("integration/consumers/test_cli.py", ["integration", "system"]),
        ("system/e2e/test_dev.py", ["system"]),
        ("conformance/test_every_mode.py", ["unit"]),
        ("conformance/test_every_consumer.py", ["integration", "system"]),
        ("conformance/test_every_trouble.py", ["system"]),
        ("unit", ["unit"]),
        ("conformance", ["unit", "integration", "system"]),
        ("parts", ["unit", "integration", "system"]),
    ],
)
def test_file_is_left_out_unless_it_may_hold_a_test_of_the_tier(
    path: str, tiers: Sequence[str]
) -> None:
    read = [t for t in ("unit", "integration", "system") if not is_left_out(TESTS / path, t)]

    assert read == tiers
    assert not is_left_out(TESTS / path, "")


def test_every_conformance_file_of_the_table_exists() -> None:
    assert [name for name in CONFORMANCE if not (TESTS / f"conformance/{name}.py").exists()] == []


def test_unknown_tier_is_refused() -> None:
    with pytest.raises(pytest.UsageError, match="no tier is called fast"):
        chosen([], "unit,fast")


def test_unit_test_that_starts_a_process_fails(request: pytest.FixtureRequest) -> None:
    refused = pytest.raises(pytest.fail.Exception, match="may not start processes")
    with refused, unit_rules(request.node):
        subprocess.run(["/bin/true"], check=True)


@pytest.mark.parametrize("fixture", ["broker", "own_kafka", "database_server", "database_url"])
def test_unit_test_that_asks_for_a_broker_or_a_database_fails(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, fixture: str
) -> None:
    node: Any = request.node
    monkeypatch.setattr(node, "fixturenames", [fixture])
    with pytest.raises(pytest.fail.Exception, match="unit tests may not"), unit_rules(node):
        pytest.fail("the rules do not refuse it")
