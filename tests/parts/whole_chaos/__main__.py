"""`make chaos`: a whole deployment under seeded faults; prints plan, progress and table.

Fails if anything is lost, doubled or left over. Writes build/chaos.json.
"""

import argparse
import asyncio
import sys

from tests.parts.whole_chaos.plan import Size, planned, shown
from tests.parts.whole_chaos.processes import missing
from tests.parts.whole_chaos.report import say, store
from tests.parts.whole_chaos.report import shown as table
from tests.parts.whole_chaos.run import Wanted, as_stored, run
from tests.parts.whole_chaos.without import GUARDS


def wanted_of(words: list[str]) -> tuple[Wanted, bool]:
    """Return what the options ask for, and whether to print the plan alone."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--deliveries", type=int, default=50_000)
    parser.add_argument("--kills", type=int, help="kills; default: one for 250 deliveries")
    parser.add_argument("--others", type=int, help="faults of each other kind")
    parser.add_argument("--rate", type=float, default=60.0, help="deliveries a second")
    parser.add_argument("--without", choices=sorted(GUARDS), help="leave out a guard: it must fail")
    parser.add_argument("--plan", action="store_true", help="print the plan alone")
    given = parser.parse_args(words)
    usual = Size.of(given.deliveries)
    kills = usual.kills if given.kills is None else given.kills
    others = usual.others if given.others is None else given.others
    size = Size(given.deliveries, kills, others)
    return Wanted(given.seed, size, given.rate, given.without), given.plan


def main() -> int:
    """Run it, and return 1 if it is not clean."""
    wanted, plan_alone = wanted_of(sys.argv[1:])
    say(shown(planned(wanted.seed, wanted.size)))
    if plan_alone:
        return 0
    if reason := missing():
        say(reason)
        return 1
    result = asyncio.run(run(wanted))
    made = as_stored(result)
    store(made)
    say(table(made))
    return 0 if result.verdict.clean else 1


if __name__ == "__main__":
    sys.exit(main())
