"""The whole edge under thousands of inputs: no forgery accepted, no error, no leak."""

import asyncio
import gc
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import structlog

from router.edge.routes import Edge
from router.telemetry.logs import as_json
from tests.conformance import kit
from tests.conformance.fuzzing import Fuzzer, Input

LONG, SHORT, QUICK = 200_000, 10_000, 4_000
_SEED = 20260304
_WARM = 2_000
_GROWN_BLOCKS = 5_000
"""Maximum number of remaining objects: far less than one per input."""


class _Quiet:
    """A log that only counts unexpected exceptions."""

    def __init__(self) -> None:
        self.exceptions = 0

    def info(self, *_: object, **__: object) -> None:
        """Ignore the line."""

    def exception(self, *_: object, **__: object) -> None:
        """Count an unexpected exception."""
        self.exceptions += 1


@pytest.fixture
def json_log() -> Iterator[None]:
    """Log as in production: structlog's own format costs as much as the rest of a delivery."""
    structlog.configure(processors=[as_json()])
    yield
    structlog.reset_defaults()


def _quiet(app: Edge) -> tuple[Edge, _Quiet]:
    log: Any = _Quiet()
    return replace(app, log=log), log


async def _tried(app: Edge, fuzzer: Fuzzer, one: Input) -> tuple[int, bool]:
    asked = await kit.asked_for(app, one.delivery)
    assert asked.status < 500, one
    if one.genuine:
        assert (asked.status, len(asked.published) > 0) == (200, True), one
    elif asked.published:
        # A header that no signature covers may have changed; what it covers may not.
        assert fuzzer.is_genuine(one.delivery), one
    return asked.status, one.genuine


async def _run(name: str, count: int) -> tuple[Counter[tuple[int, bool]], int]:
    app, log = _quiet(kit.edge(kit.side(name)))
    fuzzer = Fuzzer(name, random.Random(_SEED))
    seen: Counter[tuple[int, bool]] = Counter()
    blocks = 0
    for number, one in enumerate(fuzzer.inputs(count)):
        seen[await _tried(app, fuzzer, one)] += 1
        # The loop forgets its cancelled timers only when it turns.
        await asyncio.sleep(0)
        if number == _WARM:
            gc.collect()
            blocks = sys.getallocatedblocks()
    gc.collect()
    assert log.exceptions == 0
    return seen, sys.getallocatedblocks() - blocks


@pytest.mark.chaos
@pytest.mark.usefixtures("json_log")
@pytest.mark.parametrize("name", kit.sides())
def test_no_forged_input_is_accepted_and_none_breaks_the_edge(
    name: str, *, chaos_long: bool, wishes_ci: bool
) -> None:
    count = LONG if chaos_long else SHORT if wishes_ci else QUICK

    seen, grown = asyncio.run(_run(name, count))

    assert seen.total() == count
    genuine = sum(number for (_, real), number in seen.items() if real)
    assert count / 100 < genuine < count / 25
    assert seen[200, True] == genuine
    refused = sum(number for (status, real), number in seen.items() if not real and status >= 400)
    assert refused > count * 3 / 4
    assert grown < _GROWN_BLOCKS
