"""Order in which the workers get the files of tests: files with long tests first.

A file runs on one worker. If the long ones come last, one worker runs them while the others are
idle; xdist's own order, by the number of tests, puts them last.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.parts.tiers import TESTS

_LONG: Final = ("attacks", "chaos", "e2e", "monitoring", "samples", "secrecy")
"""Folders whose tests start whole systems."""

_UNTRACED: Final = ("attacks", "chaos", "conformance", "monitoring")

_LONG_PREFIXES: Final = ("test_every_consumer", "test_every_edge", "test_together", "test_process")


def long_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests, the files of long ones first; the order within a file stays."""
    own_broker = {item.path for item in items if "own_kafka" in getattr(item, "fixturenames", ())}
    return sorted(items, key=lambda item: not (item.path in own_broker or is_long(item.path)))


def is_long(path: Path) -> bool:
    """Return whether a file starts whole systems or fleets of processes."""
    return _folder(path) in _LONG or path.name.startswith(_LONG_PREFIXES)


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
