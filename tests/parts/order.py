"""Order in which the workers get the files of tests: files with long tests first.

A file runs on one worker, except for those that are spread. If the long ones come last, one worker
runs them while the others are idle; xdist's own order, by the number of tests, puts them last.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.parts.tiers import tier_of

LONGEST_FIRST: Final = (
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
    "/conformance/test_every_fuzz",
    "/conformance/test_every_way",
    "/unit/consumers/inventory/test_order_of_arrival",
    "/ledger/test_operations_file",
    "/plain/test_same_rows",
    "/inventory/test_decide",
    "/conformance/test_together",
    "/conformance/test_every_edge",
    "/edge/test_edge_cardinality",
    "/edge/test_edge_garbage",
    "/ledger/test_refused_transfers",
    "/ledger/test_verify_transfers",
    "/commands/test_offsets_reset",
    "/commands/test_cases",
    "/commands/test_replays_at_once",
    "/commands/test_held_commands",
    "/ledger/test_record",
    "/member/test_loop",
    "/notifications/test_handler",
    "/notifications/test_histories",
    "/apply/test_parked_neighbours",
    "/edge/test_rotation",
    "/exporter/test_exporter",
    "/trace/test_trace",
    "/ledger/test_export",
    "/ledger/test_replayed_topics",
    "/edge/test_edge_anything",
    "/inventory/test_clean_day",
    "/architecture/test_patched_constants",
    "/conformance/test_every_shortcut",
    "/conformance/test_every_parsing",
    "/commands/test_mended",
    "/apply/test_brake",
    "/apply/test_forgetting",
    "/inventory/test_rules",
    "/http/test_connection_answers",
    "/http/test_connection_ends",
    "/conformance/test_every_forgery",
    "/conformance/test_every_unreadable",
)
"""Parts of the paths of files whose tests compute or wait for long."""

SPREAD: Final = (
    "/conformance/test_every_fuzz",
    "/conformance/test_every_shortcut",
    "/conformance/test_every_way",
)
"""Parts of the paths of files whose tests run on any worker: one worker would need minutes."""

REPEATING: Final = (
    "/architecture/",
    "/benchmarks/",
    "/conformance/",
    "/contract/test_schemas",
    "/deploy/",
    "/integration/parts/",
    "/unit/parts/",
    "/edge/test_edge_cardinality",
    "/edge/test_edge_garbage",
    "/edge/test_edge_mutations",
    "/edge/test_rotation",
    "/edge/test_same_delivery",
    "/exporter/test_exporter",
    "/apply/test_books",
    "/apply/test_forgetting",
    "/apply/test_parked_neighbours",
    "/commands/test_replays_at_once",
    "/inventory/test_any_order",
    "/inventory/test_at_once",
    "/inventory/test_clean_day",
    "/inventory/test_lapse",
    "/inventory/test_recognition",
    "/ledger/test_balances",
    "/ledger/test_concurrent_transfers",
    "/ledger/test_export",
    "/ledger/test_movements",
    "/ledger/test_rebuilt_from_topics",
    "/ledger/test_replayed_topics",
    "/ledger/test_shards",
    "/ledger/test_verify_transfers",
    "/member/test_loop",
    "/member/test_wire_poison",
    "/notifications/test_histories",
    "/router/edge/test_edge_anything",
)
"""Parts of the paths of files whose tests run the same lines many times, or none of the project."""


def untraced(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the tests that run without a tracer, which costs a test as much again.

    These are tests that run the same lines many times, and all cases of an integration test but
    the first. The coverage is that of the others: all tests together cover more.
    """
    seen: set[str] = set()
    for item in items:
        name = item.nodeid.partition("[")[0]
        if _repeats(item) or (name in seen and tier_of(item) == "integration"):
            yield item
        seen.add(name)


def _repeats(item: pytest.Item) -> bool:
    """Return whether a test runs the same lines many times."""
    path = item.path.as_posix()
    random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return random or any(part in path for part in REPEATING)


def long_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return the tests, the files of long ones first; the order within a file stays."""
    own_broker = {item.path for item in items if "own_kafka" in getattr(item, "fixturenames", ())}
    ranks = {path: _rank(path, own_broker) for path in {item.path for item in items}}
    return sorted(items, key=lambda item: ranks[item.path])


def _rank(path: Path, own_broker: Collection[Path]) -> int:
    """Return a number that is lower for a file with longer tests."""
    for rank, part in enumerate(LONGEST_FIRST):
        if part in path.as_posix():
            return rank
    return len(LONGEST_FIRST) + (path not in own_broker)


def files_in_order(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist has no types
    """Return a scheduler that gives a worker one file after another, or single spread tests."""
    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = _kept_together  # noqa: SLF001 - what its subclasses replace
    return scheduler


def _kept_together(nodeid: str) -> str:
    """Return the name that all tests share which run on one worker."""
    return nodeid if any(part in nodeid for part in SPREAD) else nodeid.partition("::")[0]
