"""The options of the command, and what it prints."""

import argparse
import os
import sys
import time
from collections.abc import Sequence

import click

from tests.simulation.command.many import failures, hunted
from tests.simulation.command.shrinking import shrunk
from tests.simulation.command.story import story_of
from tests.simulation.command.table import (
    RunRecord,
    record_mutants,
    record_run,
    write_page,
)
from tests.simulation.mutants.hunt import MOST, MUTANTS
from tests.simulation.world.happenings import schedule_of
from tests.simulation.world.run import run_schedule

_SCHEDULES = 10_000


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run one schedule and tell its story")
    parser.add_argument("--schedules", type=int, default=_SCHEDULES, help="how many to run")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first one")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes to use")
    parser.add_argument("--mutants", action="store_true", help="look for the mutants instead")
    parser.add_argument("--only", default="", help="only mutants whose name contains this")
    parser.add_argument("--most", type=int, default=MOST, help="schedules for each mutant")
    parser.add_argument("--record", action="store_true", help="write the result into the page")
    parser.add_argument("--tables", action="store_true", help="write the page again, run nothing")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Run the command; return its exit status: 1 if something is violated, or not found."""
    options = arguments(given)
    if options.tables:
        write_page()
        return 0
    if options.seed is not None:
        return _replay(options.seed)
    return _hunt(options) if options.mutants else _run_many(options)


def _replay(seed: int) -> int:
    outcome = run_schedule(schedule_of(seed))
    click.echo(story_of(outcome))
    return int(bool(outcome.violations))


def _run_many(options: argparse.Namespace) -> int:
    seeds = range(options.first_seed, options.first_seed + options.schedules)
    began, violated = time.monotonic(), []
    for each in failures(seeds, options.jobs):
        violated.append(each.seed)
        click.echo(f"seed {each.seed}: {each.violations[0]}")
    seconds = time.monotonic() - began
    rate = len(seeds) / seconds * 60
    click.echo(f"{len(seeds):,} schedules in {seconds:.0f} s ({rate:,.0f} a minute)")
    click.echo(f"{len(violated)} violate something")
    if options.record:
        record_run(RunRecord(options.first_seed, len(seeds), len(violated)))
        write_page()
    if violated:
        _tell_smallest(min(violated))
    return int(bool(violated))


def _tell_smallest(seed: int) -> None:
    """Tell the story of a failing schedule, made small."""
    outcome = run_schedule(schedule_of(seed))
    small = shrunk(outcome, run_schedule) if outcome.violations else outcome
    click.echo(f"\nThe smallest part of seed {seed} that fails:\n\n{story_of(small)}")
    click.echo(f"\nThe whole of it: make simulate SEED={seed}")


def _hunt(options: argparse.Namespace) -> int:
    names = [each.name for each in MUTANTS if options.only in each.name]
    results = []
    for each in hunted(names, options.first_seed, options.most, options.jobs):
        results.append(each)
        found = each.found
        said = "NOT FOUND" if found is None else f"{found.schedules}: {found.violation}"
        click.echo(f"{each.name}: {said} ({each.seconds:.1f} s)")
    missed = [each.name for each in results if each.found is None]
    click.echo(f"{len(results) - len(missed)} of {len(results)} mutants found")
    if options.record:
        record_mutants(results)
        write_page()
    return int(bool(missed))


def with_fixed_hashes() -> None:
    """Start the command again with fixed hashes: sets of names have one order then."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        command = [sys.executable, "-m", "tests.simulation", *sys.argv[1:]]
        os.execve(sys.executable, command, {**os.environ, "PYTHONHASHSEED": "0"})  # noqa: S606 - itself
