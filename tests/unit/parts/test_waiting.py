"""All tests wait with two functions, which report what they have waited for."""

import pytest

from tests.parts.source import modules
from tests.parts.waiting import eventually, until


async def test_condition_may_be_a_function_or_a_coroutine_function() -> None:
    looks = iter([0, 0, 1])

    async def third() -> int:
        return next(looks)

    await eventually(third, pause=0)
    await eventually(lambda: True)


async def test_what_never_happens_is_named_after_the_time_limit() -> None:
    with pytest.raises(AssertionError, match="timed out waiting for: the end"):
        await eventually(lambda: False, "the end", seconds=0.01, pause=0.001)
    with pytest.raises(AssertionError, match="timed out waiting for: the end"):
        until(lambda: None, "the end", seconds=0.01)


def test_what_is_found_is_returned() -> None:
    looks = iter([None, "", "found"])
    assert until(lambda: next(looks), "the third") == "found"


def test_no_other_loop_of_a_test_polls() -> None:
    exempt = "noqa: " + "ASYNC110"
    assert [module.name for module in modules("tests") if exempt in module.text] == []
