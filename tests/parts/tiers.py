"""Tiers of the tests: which one a test belongs to, and what a unit test may not do.

The first folder below `tests` is the tier. The tests of `tests/conformance`, which other
distributions run as a whole, are assigned to tiers in a table. Integration tests that need Apache
Kafka are system tests.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final, Literal, get_args

import pytest

TESTS: Final = Path(__file__).resolve().parents[1]

Tier = Literal["unit", "integration", "system"]
TIERS: Final[tuple[Tier, ...]] = get_args(Tier)

CONFORMANCE: Final[dict[str, Tier]] = {
    "test_every_consumer": "integration",
    "test_every_consumer_killed": "system",
    "test_every_edge": "integration",
    "test_every_trouble": "system",
    "test_plug_in": "system",
    "test_together": "integration",
}
"""The tier of each file of `tests/conformance` that is not unit."""

_NOT_FOR_UNITS: Final = frozenset({"broker", "own_kafka", "database_server", "database_url"})
"""Fixtures that a unit test may not ask for."""

_STARTS: Final = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec"})
"""Audit events of a process that is started."""


def tier_of(item: pytest.Item) -> Tier:
    """Return the tier of a test, from its folder and from the broker it needs."""
    tier = _tier_of_file(item.path)
    return "system" if tier == "integration" and needs_real_kafka(item) else tier


@cache
def _tier_of_file(path: Path) -> Tier:
    folder = path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""
    by_folder: dict[str, Tier] = {tier: tier for tier in TIERS}
    return by_folder.get(folder) or CONFORMANCE.get(path.stem, "unit")


def is_left_out(path: Path, tiers: str) -> bool:
    """Return whether a folder or file has no test of the given tiers, from its name alone."""
    if not tiers or not path.is_relative_to(TESTS) or path == TESTS:
        return False
    if path.relative_to(TESTS).parts[0] not in TIERS and not path.name.startswith("test_"):
        return False
    tier = _tier_of_file(path)
    # A file of integration tests may hold some that need Apache Kafka.
    holds = {tier, "system"} if tier == "integration" else {tier}
    return holds.isdisjoint(tiers.split(","))


def chosen(items: Sequence[pytest.Item], tiers: str) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the tests of the given tiers, or all if none is given, and the others."""
    wanted = tiers.split(",") if tiers else TIERS
    if unknown := set(wanted).difference(TIERS):
        message = f"--tiers: no tier is called {', '.join(sorted(unknown))}: {', '.join(TIERS)}"
        raise pytest.UsageError(message)
    ours = [item for item in items if tier_of(item) in wanted]
    return ours, [item for item in items if tier_of(item) not in wanted]


def needs_real_kafka(item: pytest.Item) -> bool:
    """Return whether a test needs Apache Kafka."""
    return item.get_closest_marker("kafka") is not None or "own_kafka" in fixtures(item)


def fixtures(item: pytest.Item) -> frozenset[str]:
    """Return the names of the fixtures a test uses, directly or through others."""
    return frozenset(item.fixturenames) if isinstance(item, pytest.Function) else frozenset()


class _Watch:
    """Processes started by the unit test that runs now; an audit hook cannot be removed."""

    def __init__(self) -> None:
        self.installed = False
        self.started: list[str] | None = None

    def __call__(self, event: str, args: tuple[object, ...]) -> None:
        if self.started is not None and event in _STARTS:
            self.started.append(f"{event} {args[:2]}")


_WATCH: Final = _Watch()


@contextmanager
def unit_rules(item: pytest.Item) -> Iterator[None]:
    """Fail a unit test that asks for a broker or database fixture, or starts a process."""
    if tier_of(item) != "unit":
        yield
        return
    if needs_real_kafka(item):
        pytest.fail("unit tests may not be marked `kafka`", pytrace=False)
    refused = fixtures(item) & _NOT_FOR_UNITS
    if refused:
        pytest.fail(f"unit tests may not use {', '.join(sorted(refused))}", pytrace=False)
    with _watched() as started:
        yield
    if started:
        pytest.fail(f"unit tests may not start processes: {started[0]}", pytrace=False)


@contextmanager
def _watched() -> Iterator[list[str]]:
    if not _WATCH.installed:
        sys.addaudithook(_WATCH)
        _WATCH.installed = True
    started: list[str] = []
    _WATCH.started = started
    try:
        yield started
    finally:
        _WATCH.started = None
