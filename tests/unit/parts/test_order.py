"""Order of the test files, and which tests run without the tracer of coverage."""

import sys
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.parts.order import LONGEST_FIRST, REPEATING, SPREAD, untraced
from tests.parts.tiers import TESTS


@pytest.mark.parametrize(
    "parts", [LONGEST_FIRST, REPEATING, SPREAD], ids=["long", "repeating", "spread"]
)
def test_each_part_of_a_path_is_part_of_that_of_a_test_file(parts: Sequence[str]) -> None:
    paths = [path.as_posix() for path in TESTS.rglob("test_*.py")]

    assert [part for part in parts if not any(part in path for path in paths)] == []


def _item(file: str, name: str) -> Any:  # noqa: ANN401 - what `untraced` uses of an item
    return SimpleNamespace(
        path=TESTS / file, nodeid=f"{file}::{name}", get_closest_marker=lambda _name: None
    )


@pytest.mark.parametrize(
    ("file", "traced"),
    [
        ("unit/consumers/ledger/test_accounts.py", ["one", "one[a]", "two[a]", "two[b]"]),
        ("integration/consumers/ledger/test_record.py", ["one", "two[a]"]),
        ("integration/consumers/ledger/test_export.py", []),
        ("unit/architecture/test_layout.py", []),
        ("conformance/test_together.py", []),
    ],
)
def test_first_case_of_an_integration_test_is_traced_unless_it_repeats(
    file: str, traced: Sequence[str]
) -> None:
    items = [_item(file, name) for name in ("one", "one[a]", "two[a]", "two[b]")]
    without = {item.nodeid for item in untraced(items)}

    assert [each.nodeid for each in items if each.nodeid not in without] == [
        f"{file}::{name}" for name in traced
    ]


def test_untraced_tests_as_this_one_run_without_the_tracer_of_coverage() -> None:
    assert "/unit/parts/" in REPEATING
    assert not type(sys.gettrace()).__module__.startswith("coverage")
    assert not getattr(threading.gettrace(), "__module__", "").startswith("coverage")
