"""Writes the table into docs/exactly-once.md: `python -m tests.parts.whole_chaos.page [--check]`.

The table is between `<!-- chaos -->` and `<!-- end of chaos -->`. It sums up the largest
runs of build/chaos.json without a guard removed, one for each seed.
"""

import re
import sys
from collections.abc import Sequence
from typing import Final

from tests.parts.source import ROOT
from tests.parts.whole_chaos.report import COLUMNS, Stored, rows, stored

PAGE: Final = ROOT / "docs" / "exactly-once.md"
_MARKED: Final = re.compile(r"(<!-- chaos -->\n).*?(<!-- end of chaos -->)", re.DOTALL)


def largest(runs: Sequence[Stored]) -> Sequence[Stored]:
    """Return the runs with all guards and the most deliveries."""
    whole = [each for each in runs if each["without"] is None]
    most = max((each["asked"] for each in whole), default=0)
    return [each for each in whole if each["asked"] == most]


def written(page: str, runs: Sequence[Stored]) -> str:
    """Return the page with the table of these runs; unchanged if there is none."""
    chosen = largest(runs)
    if not chosen:
        return page
    lines = [_line(COLUMNS), _line(["---", *("---:" for _ in COLUMNS[1:])])]
    lines += [_line(row) for row in rows(chosen)]
    table = "\n".join([_measured(chosen), "", *lines])
    return _MARKED.sub(lambda found: f"{found[1]}{table}\n{found[2]}", page)


def _measured(runs: Sequence[Stored]) -> str:
    seeds = ", ".join(str(each["seed"]) for each in runs)
    deliveries, again = (sum(each[what] for each in runs) for what in ("deliveries", "again"))
    wrong = sum(len(each["wrong"]) for each in runs)
    at = runs[-1]["machine"]
    load = max(each["machine"]["load_average"] for each in runs)
    return (
        f"Measured {at['measured_at'][:10]} on {at['cores']} cores, load {load:.0f} at the end; "
        f"seeds {seeds}; {deliveries} deliveries accepted, {again} attempts refused or without "
        f"answer; other findings: {wrong}."
    )


def main() -> int:
    """Write the page; with `--check` return 1 if it differs instead."""
    page = PAGE.read_text(encoding="utf-8")
    new = written(page, stored())
    if "--check" in sys.argv:
        return 0 if page == new else 1
    PAGE.write_text(new, encoding="utf-8")
    return 0


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
