"""Order in which the workers get the files of tests: files with long tests first.

A file runs on one worker. If the long ones come last, one worker runs them while the others are
idle; xdist's own order, by the number of tests, puts them last.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.parts.tiers import TESTS

_LONGEST_FIRST: Final = (
    "/monitoring/test_live",
    "/e2e/test_dev",
    "/conformance/test_every_trouble",
    "/conformance/test_every_consumer",
    "/chaos/",
    "/e2e/",
    "/samples/",
    "/secrecy/",
    "/attacks/",
    "/monitoring/",
    "/conformance/test_every_edge",
    "/conformance/test_together",
)
"""Parts of the paths of files whose tests start whole systems or fleets of processes."""

_UNTRACED: Final = ("attacks", "chaos", "conformance", "monitoring")


def long_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests, the files of long ones first; the order within a file stays."""
    own_broker = {item.path for item in items if "own_kafka" in getattr(item, "fixturenames", ())}
    return sorted(items, key=lambda item: _rank(item.path, own_broker))


def _rank(path: Path, own_broker: Collection[Path]) -> int:
    """Return a number that is lower for a file with longer tests."""
    for rank, part in enumerate(_LONGEST_FIRST):
        if part in path.as_posix():
            return rank
    return len(_LONGEST_FIRST) + (path not in own_broker)


def is_traced(path: Path) -> bool:
    """Return whether coverage traces the processes of a file, which doubles their CPU.

    Other tests cover the code that the tests of faults, attacks and dashboards run.
    """
    return _folder(path) not in _UNTRACED


def _folder(path: Path) -> str:
    """Return the folder below `tests/system`, or that below `tests` for any other file."""
    if not path.is_relative_to(TESTS):
        return ""
    parts = path.relative_to(TESTS).parts
    return parts[1] if parts[0] == "system" else parts[0]
