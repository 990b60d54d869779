"""CPU of one delivery from its verification to its record: `python -m tests.benchmarks.record`.

Prints for each gateway the microseconds of CPU of `verify`, of `normalize` (to events that may be
published) and of `encode`, and their sum in the general way: the strict parser and pydantic
without any shortcut. Arguments name the gateways; without any, all are measured.

The ways are measured in turn, and the best of many rounds counts: other work on the machine slows
down single rounds. Compare the sums of one run with each other, not with those of another run.
"""

import gc
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext

from rich.console import Console
from rich.table import Table

from router.contract import wire
from router.contract.fast import records
from router.edge.intake import events_of
from tests.conformance import kit
from tests.conformance.shortcuts import Encode, general_way

ROUNDS = 40
DELIVERIES = 60
"""Deliveries of each round: about 10 ms."""

COLUMNS = ("verify", "normalize", "encode", "all", "all, general way")


def measure(name: str) -> Mapping[str, float]:
    """Return microseconds of CPU per delivery of one gateway, by `COLUMNS`."""
    case = next(case for case in kit.cases(name) if case.status == "confirmed")
    own = kit.side(name)
    delivery = own.made(case)
    verified = own.verified(delivery)
    events = events_of(verified, own.endpoint)

    def all_with(encode: Encode) -> None:
        for event in events_of(own.verified(delivery), own.endpoint):
            encode(event, event.type.family, "")

    works: Mapping[str, Callable[[], object]] = {
        "verify": lambda: own.verified(delivery),
        "normalize": lambda: events_of(verified, own.endpoint),
        "encode": lambda: [records.encode_event(each, each.type.family, "") for each in events],
        "all": lambda: all_with(records.encode_event),
        "all, general way": lambda: all_with(wire.encode_event),
    }
    return _best(works)


def _best(works: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, work in works.items():
            with general_way() if "general" in name else nullcontext():
                best[name] = min(best[name], _microseconds(work))
    return best


def _microseconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    for _ in range(DELIVERIES):
        work()
    return (time.process_time() - started) / DELIVERIES * 1e6


def main() -> None:
    """Measure and print."""
    # The objects of the tests' modules are many more than those of an edge.
    gc.freeze()
    table = Table("µs of CPU a delivery", *COLUMNS, "saved")
    for name in sys.argv[1:] or kit.sides():
        measured = measure(name)
        saved = 1 - measured["all"] / measured["all, general way"]
        table.add_row(name, *(f"{measured[each]:.0f}" for each in COLUMNS), f"{saved:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
