"""Runs many schedules, or all mutants, on several processes."""

import multiprocessing
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.simulation.mutants.hunt import MUTANTS, Found, hunt, violations_of

_CHUNK = 25


@dataclass(frozen=True)
class Failure:
    """A seed whose schedule violates something."""

    seed: int
    violations: Sequence[str]


def failures(seeds: range, jobs: int) -> Iterator[Failure]:
    """Run schedules; yield those that violate something."""
    chunks = [seeds[at : at + _CHUNK] for at in range(0, len(seeds), _CHUNK)]
    with multiprocessing.Pool(jobs) as pool:
        for found in pool.imap_unordered(_failures, chunks):
            yield from found


def _failures(seeds: range) -> Sequence[Failure]:
    tried = [Failure(seed, violations_of(seed)) for seed in seeds]
    return [each for each in tried if each.violations]


@dataclass(frozen=True)
class Hunted:
    """The result of looking for one mutant; `seconds` is the time of one process."""

    name: str
    found: Found | None
    seconds: float


def hunted(names: Iterable[str], first_seed: int, most: int, jobs: int) -> Iterator[Hunted]:
    """Look for mutants; yield the results as they come."""
    with multiprocessing.Pool(jobs) as pool:
        yield from pool.imap_unordered(_hunted, [(name, first_seed, most) for name in names])


def _hunted(work: tuple[str, int, int]) -> Hunted:
    name, first_seed, most = work
    (mutant,) = [each for each in MUTANTS if each.name == name]
    began = time.process_time()
    found = hunt(mutant, first_seed, most)
    return Hunted(name, found, time.process_time() - began)
