"""A minute of traffic without faults opens no case: a case for everything is soon ignored."""

import time
from pathlib import Path

from tests.parts.dev_process import place_in, started
from tests.parts.waiting import until

RATE = 10
SECONDS = 60.0
LOOK_SECONDS = 1.0
"""Between two lists of cases: a list costs as much as several deliveries."""

DELIVERIES = 300
"""At least as many are accepted in that time, even on a busy machine."""


def test_simulated_traffic_opens_no_case(tmp_path: Path) -> None:
    with place_in(tmp_path) as place, started(place, "--rate", str(RATE), verbose=False) as dev:
        dev.until_ready()
        end = time.monotonic() + SECONDS

        def is_over() -> bool:
            found = place.json("cases", "list")
            assert (found["cases"], found["away"]) == ([], {})
            return time.monotonic() > end and dev.err.count("accepted 200") >= DELIVERIES

        until(is_over, f"{DELIVERIES} deliveries", pause=LOOK_SECONDS)
        assert place.json("cases", "list")["cases"] == []
        assert dev.stop() == 0
