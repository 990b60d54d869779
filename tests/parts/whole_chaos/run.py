"""One chaos run: sends under faults, waits for recovery after each, and judges the sinks."""

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.parts.whole_chaos.breaking import FAULTS
from tests.parts.whole_chaos.gateway import resent
from tests.parts.whole_chaos.orders import Due, Sold, sold
from tests.parts.whole_chaos.plan import Fault, Size, planned, rounds
from tests.parts.whole_chaos.progress import recovered
from tests.parts.whole_chaos.report import Stored, machine, say
from tests.parts.whole_chaos.sinks import (
    Verdict,
    begun_during,
    counted,
    delays,
    held,
    judged,
    settled,
)
from tests.parts.whole_chaos.site import Site, can_spool, site

NO_FAULT: Final = "no fault"

LOGS: Final = Path("build")

PROMPT_SECONDS: Final = 0.3
"""How long deliveries flow before the fault that belongs to them."""


@dataclass(frozen=True)
class Made:
    """A fault, and the longest that a delivery first sent under it took until it was applied."""

    fault: Fault
    seconds: float


@dataclass(frozen=True)
class Wanted:
    """Options of a run; `without` is a guard to leave out."""

    seed: int
    size: Size
    rate: float
    without: str | None = None


@dataclass(frozen=True)
class Result:
    """What a run showed."""

    wanted: Wanted
    made: Sequence[Made]
    verdict: Verdict
    deliveries: int
    again: int
    seconds: float
    spooled: bool
    counted: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    repeated: int = 0
    """Messages that the receiver got again."""
    lost: Mapping[str, int] = field(default_factory=dict)
    """Orders lost, by the kind of fault under which they were first delivered."""
    doubled: Mapping[str, int] = field(default_factory=dict)


async def run(wanted: Wanted) -> Result:
    """Run it."""
    began = time.monotonic()
    every = sold(wanted.seed, wanted.size.deliveries)
    plan = planned(wanted.seed, wanted.size)
    spooled = can_spool()
    async with site(every, wanted.rate, wanted.without, spooled=spooled) as here:
        say(f"started after {time.monotonic() - began:.0f} s; {len(every)} deliveries")
        with _logs_kept(here, wanted.seed):
            await under_faults(here, plan)
            await here.gateways.answered(len(every))
            await here.gateways.acknowledged()
            say("all delivered; waiting until all is applied and sent")
            unsettled = await _unsettled(here)
            return await _result(wanted, here, plan, unsettled, began)


@contextlib.contextmanager
def _logs_kept(here: Site, seed: int) -> Iterator[None]:
    """Keep the logs of a run that could not be finished."""
    try:
        yield
    except Exception:
        _keep_logs(here, seed)
        raise


def _keep_logs(here: Site, seed: int) -> None:
    where = LOGS / f"chaos-{seed}"
    here.keep_logs(where)
    say(f"logs: {where}")


async def under_faults(here: Site, plan: Sequence[Fault]) -> None:
    """Send everything, and make each fault among the deliveries that belong to it."""
    together = rounds(plan)
    borders = [*(faults[0].after for faults in together), len(here.gateways.sold)][1:]
    async with here.gateways.sending():
        for faults, border in zip(together, borders, strict=True):
            here.gateways.allow(border)
            await asyncio.sleep(PROMPT_SECONDS)
            began = time.monotonic()
            await asyncio.gather(*(FAULTS[fault.kind](here, fault) for fault in faults))
            seconds = await recovered(here, began)
            for fault in faults:
                say(f"{fault.line}   recovered after {seconds:5.1f} s, {_state(here)}")
        here.gateways.allow(len(here.gateways.sold))


def made_of(plan: Sequence[Fault], delays: Iterable[tuple[int, float]]) -> Sequence[Made]:
    """Return the faults with the longest delay of a delivery that was first sent during each."""
    together = rounds(plan)
    longest = [0.0 for _ in together]
    for number, seconds in delays:
        at = bisect_right([faults[0].after for faults in together], number) - 1
        longest[at] = max(longest[at], seconds)
    return [
        Made(fault, seconds)
        for faults, seconds in zip(together, longest, strict=True)
        for fault in faults
    ]


def _state(here: Site) -> str:
    return f"accepted {len(here.gateways.accepted)} of {here.gateways.begun}"


async def _unsettled(here: Site) -> list[str]:
    try:
        await settled(here)
    except (AssertionError, TimeoutError) as error:
        return [f"not settled: {error}"]
    return []


async def _result(
    wanted: Wanted,
    here: Site,
    plan: Sequence[Fault],
    unsettled: Sequence[str],
    began: float,
) -> Result:
    accepted = [each for each in here.gateways.sold if each.number in here.gateways.accepted]
    verdict = judged(Due.of(accepted), await held(here))
    if not verdict.clean or unsettled:
        say(await asyncio.to_thread(here.crew.said))
        _keep_logs(here, wanted.seed)
    return Result(
        wanted,
        made_of(plan, await delays(here)) if plan else (),
        Verdict(verdict.lost, verdict.doubled, [*unsettled, *verdict.wrong]),
        len(accepted),
        resent(here.gateways.answers, len(accepted)),
        time.monotonic() - began,
        here.spooled,
        await counted(here),
        len(here.receiver.keys) - len(set(here.receiver.keys)),
        by_kind(here.gateways.sold, plan, verdict.lost),
        by_kind(here.gateways.sold, plan, verdict.doubled),
    )


def by_kind(
    every: Sequence[Sold], plan: Sequence[Fault], names: frozenset[str]
) -> Mapping[str, int]:
    """Count orders by the kind of the fault under which they were first delivered."""
    counts: dict[str, int] = {}
    for first in begun_during(every, names).values():
        kind = next((fault.kind for fault in reversed(plan) if fault.after <= first), NO_FAULT)
        counts[kind] = counts.get(kind, 0) + 1
    return counts


def as_stored(result: Result) -> Stored:
    """Return a result as JSON."""
    faults: dict[str, list[float]] = {}
    for each in result.made:
        faults.setdefault(each.fault.kind, []).append(round(each.seconds, 2))
    wanted = result.wanted
    return {
        "seed": wanted.seed,
        "asked": wanted.size.deliveries,
        "kills": wanted.size.kills,
        "without": wanted.without,
        "spooled": result.spooled,
        "machine": machine(),
        "deliveries": result.deliveries,
        "again": result.again,
        "seconds": round(result.seconds, 1),
        "faults": faults,
        "counted": result.counted,
        "repeated": result.repeated,
        "lost": result.lost,
        "doubled": result.doubled,
        "wrong": list(result.verdict.wrong),
    }
