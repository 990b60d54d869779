"""Prints the results of the checks."""

from collections import Counter
from collections.abc import Sequence

import click

from consumers.doctor.results import CheckResult, CheckState
from router.terminal.output import show_json, show_table


def show_results(results: Sequence[CheckResult], *, as_json: bool) -> None:
    """Print a row per check and the number of each state, or JSON."""
    if as_json:
        show_json([result.as_json() for result in results])
        return
    rows = [(each.state.value, each.what, _text(each)) for each in results]
    show_table("", ("state", "check", "found"), rows, whole=("state",), lined=False)
    click.echo(_summary(results))


def _text(result: CheckResult) -> str:
    return f"{result.found}; {result.remedy}" if result.remedy else result.found


def _summary(results: Sequence[CheckResult]) -> str:
    counts = Counter(result.state for result in results)
    return ", ".join(f"{counts[state]} {state.value}" for state in reversed(CheckState))
