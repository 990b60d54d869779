"""Order in which the workers get the files of tests: files with long tests first.

A file runs on one worker. If the long ones come last, one worker runs them while the others are
idle; xdist's own order, by the number of tests, puts them last.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import pytest

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
    "/unit/consumers/inventory/test_order_of_arrival",
    "/conformance/test_every_edge",
    "/conformance/test_together",
    "/edge/test_edge_cardinality",
    "/edge/test_edge_garbage",
    "/edge/test_rotation",
    "/exporter/test_exporter",
    "/trace/test_trace",
    "/ledger/test_replayed_topics",
    "/commands/test_mended",
    "/apply/test_brake",
    "/apply/test_forgetting",
    "/inventory/test_rules",
    "/http/test_connection_answers",
    "/http/test_connection_ends",
    "/conformance/test_every_forgery",
    "/conformance/test_every_unreadable",
    "/conformance/test_every_fuzz",
)
"""Parts of the paths of files whose tests compute or wait for long."""


_REPEATING: Final = (
    "/conformance/",
    "/edge/test_edge_cardinality",
    "/edge/test_edge_garbage",
    "/exporter/test_exporter",
    "/apply/test_forgetting",
    "/ledger/test_export",
    "/ledger/test_replayed_topics",
    "/notifications/test_histories",
    "/router/edge/test_edge_anything",
)
"""Parts of the paths of files whose tests run the same lines thousands of times."""


def repeats(item: pytest.Item) -> bool:
    """Return whether a test runs the same lines many times."""
    path = item.path.as_posix()
    random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return random or any(part in path for part in _REPEATING)


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
