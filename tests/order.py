"""In which order the files of tests are given to the workers: those of long tests first.

A file runs on one worker. Where the long ones come last, one worker is left with them and the
others have nothing to do; xdist's own order, by the number of tests, puts them there.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).parent
_LONG: Final = ("attacks", "chaos", "e2e", "monitoring", "samples", "secrecy")
"""Folders whose tests start whole systems."""

_UNTRACED: Final = ("attacks", "chaos", "conformance", "monitoring")

_LONG_PREFIXES: Final = ("test_every_consumer", "test_every_edge", "test_together", "test_process")


def long_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests, the files of long ones first; the order within a file stays."""
    own_broker = {item.path for item in items if "own_kafka" in getattr(item, "fixturenames", ())}
    return sorted(items, key=lambda item: not (item.path in own_broker or is_long(item.path)))


def is_long(path: Path) -> bool:
    """Tell whether a file starts whole systems or fleets of processes."""
    folder = path.relative_to(_ROOT).parts[0] if path.is_relative_to(_ROOT) else ""
    return folder in _LONG or path.name.startswith(_LONG_PREFIXES)


def is_traced(path: Path) -> bool:
    """Tell whether coverage traces the processes of a file, which doubles their CPU.

    What those of faults, attacks and dashboards run is covered by other tests too.
    """
    folder = path.relative_to(_ROOT).parts[0] if path.is_relative_to(_ROOT) else ""
    return folder not in _UNTRACED
