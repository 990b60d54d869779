"""Many deadlines with one timer: each expires once, in order, and cancelled ones leave no trace."""

import asyncio
from functools import partial

from router.edge.publishing.deadlines import DeadlineQueue
from tests.parts.waiting import eventually


def now() -> float:
    return asyncio.get_running_loop().time()


def _note(moments: list[tuple[float, float]], moment: float) -> None:
    moments.append((moment, now()))


async def test_deadlines_expire_in_the_order_of_their_moments() -> None:
    deadlines, expired = DeadlineQueue(), list[int]()
    began = now()
    for number in (2, 0, 1):
        deadlines.add(began + number / 100, partial(expired.append, number))
    await eventually(lambda: len(expired) == 3, pause=0.005)

    assert expired == [0, 1, 2]
    assert len(deadlines) == 0


async def test_no_deadline_expires_before_its_moment() -> None:
    deadlines, moments = DeadlineQueue(), list[tuple[float, float]]()
    for number in range(20):
        moment = now() + number / 200
        deadlines.add(moment, partial(_note, moments, moment))
    await eventually(lambda: len(moments) == 20, pause=0.005)

    assert all(called >= moment for moment, called in moments)


async def test_passed_moment_expires_after_the_caller_returned() -> None:
    deadlines, expired = DeadlineQueue(), list[str]()
    deadlines.add(now() - 1, lambda: expired.append("late"))
    at_return = list(expired)
    await eventually(lambda: bool(expired), pause=0)

    assert at_return == []


async def test_cancelled_deadline_does_not_expire() -> None:
    deadlines, expired = DeadlineQueue(), list[int]()
    pending = [deadlines.add(now() + 0.01, partial(expired.append, n)) for n in range(3)]
    pending[0].cancel()
    pending[0].cancel()
    await eventually(lambda: len(expired) == 2, pause=0.005)

    assert expired == [1, 2]


async def test_deadline_cancelled_by_one_that_expires_with_it_does_not_expire() -> None:
    deadlines, expired = DeadlineQueue(), list[str]()
    moment = now()
    second = deadlines.add(moment + 0.002, lambda: expired.append("second"))
    deadlines.add(moment + 0.001, second.cancel)
    deadlines.add(moment + 0.003, lambda: expired.append("third"))
    # The loop is late for all of them.
    while now() < moment + 0.01:
        pass
    await eventually(lambda: "third" in expired, pause=0)

    assert expired == ["third"]


async def test_error_of_one_deadline_stops_no_other() -> None:
    deadlines, expired = DeadlineQueue(), list[str]()
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: reported.append(context["exception"])
    )
    error = RuntimeError("of the first")

    def raises() -> None:
        raise error

    deadlines.add(now() - 2, raises)
    deadlines.add(now() - 1, partial(expired.append, "second"))
    await eventually(lambda: bool(expired), pause=0)

    assert reported == [error]


async def test_cancelled_deadlines_do_not_stay_in_memory() -> None:
    deadlines = DeadlineQueue()
    deadlines.add(now() + 3600, lambda: None)
    for _ in range(10_000):
        deadlines.add(now() + 60, lambda: None).cancel()

    assert len(deadlines) < 200
    deadlines.close()


async def test_closed_queue_expires_nothing() -> None:
    deadlines, expired = DeadlineQueue(), list[str]()
    deadlines.add(now() + 0.01, lambda: expired.append("closed"))
    deadlines.close()
    await asyncio.sleep(0.05)

    assert expired == []
    assert len(deadlines) == 0
