"""A day without faults opens no case: what always needs an operator is soon ignored."""

import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.parts.dev_process import Place, place_in, started
from tests.parts.waiting import until

RATE = 10
SECONDS = 60.0
DELIVERIES = 300
"""At least as many are accepted in that time, even on a busy machine."""

LATE = timedelta(seconds=30)
"""The platform places each order earlier after its payment."""


def test_simulated_traffic_opens_no_case(tmp_path: Path) -> None:
    with place_in(tmp_path) as place, started(place, "--rate", str(RATE), verbose=False) as dev:
        dev.until_ready()
        end = time.monotonic() + SECONDS

        def is_over() -> bool:
            found = place.json("cases", "list")
            assert found["cases"] == []
            return time.monotonic() > end and accepted(dev.err) >= DELIVERIES

        until(is_over, f"{DELIVERIES} deliveries in {SECONDS} s")
        found = place.json("cases", "list")
        assert (found["cases"], found["away"]) == ([], {})
        # After half an hour such a payment would be a case.
        assert without_order(place) == []
        assert dev.stop() == 0


def without_order(place: Place) -> list[str]:
    waiting = place.json("inventory", "orders", "--status", "waiting")
    late = datetime.now(UTC) - LATE
    return [
        each["reference"]
        for each in waiting["orders"]
        if datetime.fromisoformat(each["updated_at"]) < late
    ]


def accepted(err: str) -> int:
    return len(re.findall(r"accepted 200", err))
