"""Random histories with crashes and power cuts: nothing answered is lost, order per key holds."""

import asyncio
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.parts.edge.spool.world import FOLDER, SpoolHistory

_USUAL = ("send",) * 8 + ("send_two", "turns") + ("work",) * 6 + ("hold", "acknowledge") * 3
_AWAY = ("expire",) * 3 + ("lose", "away", "back", "back", "send_poison")
_DISK = ("fail", "repair", "repair", "kill", "power_cut")
_STEPS = 120

SEEDS = st.integers(0, 2**32)


def _run(choices: Sequence[str], seed: int) -> SpoolHistory:
    random = Random(seed)
    history = SpoolHistory(random)
    with capture_logs():
        asyncio.run(history.run(random.choices(choices, k=_STEPS)))
    return history


@given(SEEDS)
def test_nothing_answered_with_success_is_missing_after_any_crash(seed: int) -> None:
    history = _run((*_USUAL, *_AWAY, *_DISK), seed)

    assert history.missing() == []
    assert history.out_of_order() == []


@given(SEEDS)
def test_every_delivery_is_answered_and_every_record_done_with(seed: int) -> None:
    history = _run((*_USUAL, *_AWAY), seed)

    assert [each for each in history.deliveries if each.kept is None] == []
    assert history.world.disk.names(FOLDER) == []
    assert history.reordered() == []
