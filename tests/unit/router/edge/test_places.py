"""Places follow the event loop's delay; requests that would be late are refused at once."""

import asyncio

import pytest

from router.edge.http.descriptors import RESERVED, Room, fitted
from router.edge.places import FEWEST, TURNS, Places, in_time
from router.errors import NotDurable, Reason

_DEADLINE = 2.5


def _after(places: Places, *delays: float) -> int:
    for delay in delays:
        places.adapt(delay)
    return int(places.limit)


def test_a_loop_on_time_keeps_every_place() -> None:
    assert _after(Places(512, _DEADLINE), *[0.02] * 100) == 512


def test_late_loop_lowers_the_limit_down_to_a_minimum() -> None:
    places = Places(512, _DEADLINE)

    assert _after(places, 1.0) == 128
    assert _after(places, *[1.0] * 50) == FEWEST


async def test_late_turn_leaves_as_many_places_as_fit_in_time() -> None:
    places = Places(512, _DEADLINE)
    for _ in range(400):
        places.let_in()

    # 400 requests took 0.625 s; the limit is 0.3125 s.
    assert _after(places, 0.625) == 200


def test_limit_recovers_once_the_loop_is_on_time() -> None:
    places = Places(512, _DEADLINE)
    _after(places, *[1.0] * 50)

    assert FEWEST < _after(places, 0.0) < 512
    assert _after(places, *[0.0] * 60) == 512


def test_a_short_deadline_is_late_sooner() -> None:
    assert _after(Places(100, 0.5), 0.1) == 25
    assert _after(Places(100, 2.5), 0.1) == 100


def test_minimum_does_not_exceed_the_number_of_places() -> None:
    assert _after(Places(2, _DEADLINE), *[5.0] * 10) == 2


def test_missing_place_is_refused_until_one_is_given_back() -> None:
    places = Places(2, _DEADLINE)
    places.take()
    places.take()

    with pytest.raises(NotDurable) as refused:
        places.take()
    assert refused.value.reason is Reason.OVERLOADED
    places.give_back()
    places.take()


def test_a_request_is_in_time_while_its_turns_fit_before_the_deadline() -> None:
    assert in_time(10.0, 12.5, 0.5)
    assert not in_time(10.0, 12.5, 2.5 / TURNS)
    assert not in_time(12.4, 12.5, 0.1)
    assert in_time(12.4, 12.5, 0.0)


@pytest.mark.parametrize(
    ("descriptors", "room"),
    [
        (100_000, Room(1024, 512)),
        (1024 + 512 + RESERVED, Room(1024, 512)),
        (256, Room(128, 64)),
        (RESERVED, Room(1, 1)),
        (10, Room(1, 1)),
    ],
)
def test_few_descriptors_are_shared_between_connections_and_deliveries(
    descriptors: int, room: Room
) -> None:
    assert fitted(1024, 512, descriptors) == room


async def test_requests_of_one_turn_are_admitted_only_up_to_the_limit() -> None:
    places = Places(3, _DEADLINE)
    places.take()
    for _ in range(2):
        assert not places.full
        places.let_in()

    assert places.full
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not places.full
