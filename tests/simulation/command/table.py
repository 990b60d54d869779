"""The tables of the page about exactly once: schedules that were run, and mutants."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.parts.source import ROOT
from tests.simulation.command.many import Hunted
from tests.simulation.mutants.hunt import MUTANTS

RECORD: Final = ROOT / "tests/samples/simulation/runs.json"
PAGE: Final = ROOT / "docs/exactly-once.md"
_BEGIN, _END = "<!-- tables of the simulation, generated -->", "<!-- end of the tables -->"


@dataclass(frozen=True)
class RunRecord:
    """Schedules that were run, by their seeds, and how many of them violated something."""

    first_seed: int
    schedules: int
    violations: int


def read_record(path: Path = RECORD) -> Mapping[str, Any]:
    """Return what was recorded."""
    found: Mapping[str, Any] = json.loads(path.read_text())
    return found


def record_run(run: RunRecord, path: Path = RECORD) -> None:
    """Add a run to the record."""
    known = dict(read_record(path))
    others = [each for each in known["runs"] if each["first_seed"] != run.first_seed]
    known["runs"] = sorted([*others, asdict(run)], key=lambda each: int(each["first_seed"]))
    _write(known, path)


def record_mutants(results: Sequence[Hunted], path: Path = RECORD) -> None:
    """Replace the results about these mutants in the record."""
    known = dict(read_record(path))
    found = {
        each.name: None
        if each.found is None
        else {"schedules": each.found.schedules, "violation": each.found.violation}
        for each in results
    }
    known["mutants"] = {**known["mutants"], **found}
    _write(known, path)


def _write(known: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(known, indent=1) + "\n")


def tables(known: Mapping[str, Any]) -> str:
    """Return both tables as Markdown."""
    runs = [
        f"| {each['first_seed']} to {each['first_seed'] + each['schedules'] - 1} "
        f"| {each['schedules']:,} | {each['violations']} |"
        for each in known["runs"]
    ]
    total = sum(each["schedules"] for each in known["runs"])
    rows = [
        f"| {each.area} | {each.bug} | {each.guard or ''} | {_schedules(known, each.name)} |"
        for each in MUTANTS
    ]
    return "\n".join(
        [
            "| seeds | schedules | violations |",
            "|---|---|---|",
            *runs,
            f"| sum | {total:,} | {sum(each['violations'] for each in known['runs'])} |",
            "",
            "| area | bug | guard switched off with it | found after schedules |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _schedules(known: Mapping[str, Any], name: str) -> str:
    found = known["mutants"].get(name)
    return "not found" if found is None else f"{found['schedules']:,}"


def page(known: Mapping[str, Any], text: str) -> str:
    """Return the page with the tables put into it."""
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}\n{tables(known)}\n{_END}{after}"


def write_page() -> None:
    """Write the tables into the page."""
    PAGE.write_text(page(read_record(), PAGE.read_text()))
