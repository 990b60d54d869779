"""`make bench-check`: fails if a delivery has become much dearer than that of others.

Compares the CPU time per delivery of payrouter's edge with those of the no-op and of FastAPI in
the same run, where the speed of the machine and its other work cancel out. The bounds are far
above what was measured, since a busy machine's caches cost a large program more than a small one:
they find a change that doubles the cost, not one of a tenth.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.benchmarks.comparison import Plan, compare
from tests.benchmarks.report.figures import Figure, rounded
from tests.benchmarks.report.progress import Progress
from tests.benchmarks.report.sheets import Sheet
from tests.benchmarks.report.terminal import print_sheets
from tests.benchmarks.running.clocks import beside_server_core, require_linux
from tests.benchmarks.running.servers import EDGE, FASTAPI, NO_OP
from tests.parts import brokers
from tests.parts.environment import Wishes

BOUNDS: Final[Mapping[str, float]] = {NO_OP: 50.0, FASTAPI: 3.5}
"""How many times the CPU of these a delivery may cost at most; see docs/performance.md."""

PLAN: Final = Plan((32,), rounds=5, seconds=1.0)


@dataclass(frozen=True)
class Ratio:
    """The edge's CPU per delivery, divided by that of another server."""

    other: str
    value: float
    bound: float

    @property
    def kept(self) -> bool:
        """Whether it is within its bound."""
        return self.value <= self.bound


def ratios(cpu: Mapping[str, float], bounds: Mapping[str, float] = BOUNDS) -> list[Ratio]:
    """Return the ratios to the servers that were measured, from their CPU per delivery."""
    return [
        Ratio(other, cpu[EDGE] / cpu[other], bound)
        for other, bound in bounds.items()
        if other in cpu
    ]


def main() -> int:
    """Measure, print, and return 1 if a bound is exceeded."""
    require_linux()
    choice = brokers.choose(Wishes.take())
    with beside_server_core(), brokers.started(choice) as broker:
        found = compare(broker.bootstrap, PLAN, Progress(), list(BOUNDS))
    cpu = {each.name: each.cpu_microseconds for each in found.results}
    held = ratios({name: figure.median for name, figure in cpu.items()})
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({each.other: each.value for each in held}) + "\n")
    else:
        print_sheets([_sheet(cpu, held)])
    exceeded = [each for each in held if not each.kept]
    for each in exceeded:
        sys.stderr.write(
            f"a delivery costs {each.value:.1f} times that of {each.other}, more than"
            f" {each.bound}: see docs/performance.md\n"
        )
    return 1 if exceeded else 0


def _sheet(cpu: Mapping[str, Figure], held: Sequence[Ratio]) -> Sheet:
    by_name = {each.other: each for each in held}
    rows = [[name, figure.text(), *_cells(by_name.get(name))] for name, figure in cpu.items()]
    columns = ["server", "CPU per delivery, µs", "edge / this", "bound"]
    return Sheet("CPU per delivery at 32 connections", columns, rows)


def _cells(ratio: Ratio | None) -> list[str]:
    return ["", ""] if ratio is None else [rounded(ratio.value), rounded(ratio.bound)]


if __name__ == "__main__":
    sys.exit(main())
