"""Orders and payments through the whole system, with the commands a newcomer runs."""

from pathlib import Path
from typing import Any

from tests.parts.dev_process import Place, place_in, started
from tests.parts.waiting import until


def statuses(place: Place) -> dict[str, str]:
    return {
        each["reference"]: each["status"] for each in place.json("inventory", "orders")["orders"]
    }


def stock(place: Place) -> Any:  # noqa: ANN401 - JSON
    (tea,) = place.json("inventory", "stock")["stock"]
    return (tea["on_hand"], tea["reserved"], tea["committed"], tea["oversold"])


def test_an_order_is_reserved_paid_cancelled_or_lapses(tmp_path: Path) -> None:
    with place_in(tmp_path) as place, started(place) as dev:
        dev.until_ready()
        assert place.quick("inventory", "set", "tea", "10").returncode == 0
        paid_first = place.quick("send", "blockatm", "--order", "A-0", "--amount", "30")
        assert paid_first.returncode == 0
        tea = ("--line", "tea=2", "--total", "30")
        for order, more in (("A-0", ()), ("A-1", ()), ("A-2", ()), ("A-3", ("--ttl", "1"))):
            sent = place.quick("send", "order", "--order", order, *tea, *more)
            assert sent.returncode == 0, sent.stderr
        place.quick("send", "order", "--order", "A-2", "--cancel")
        until(lambda: "reserved" in statuses(place).values(), "orders")
        place.quick("send", "blockatm", "--order", "A-1", "--amount", "30")
        wanted = {"A-0": "committed", "A-1": "committed", "A-2": "cancelled", "A-3": "lapsed"}
        until(lambda: statuses(place) == wanted, "every order where it belongs")
        assert stock(place) == (10, 0, 4, 0)
        assert [line for line in dev.log if line["level"] == "error"] == []
