"""Writes the figures into docs/performance.md: `python -m tests.benchmarks.report.page [--check]`.

A table of the page is between `<!-- bench: NAME -->` and `<!-- end -->`; its name is
that of a sheet or a chart, or `machine` for where and when it was measured. A table whose part was
not measured, or only in the short form, stays.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.__main__ import STORED
from tests.benchmarks.report.charts import charts
from tests.benchmarks.report.sheets import Sheet, sheets
from tests.parts.source import ROOT

PAGE: Final = ROOT / "docs" / "performance.md"

_MARKED: Final = re.compile(r"(<!-- bench: ([\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def written(page: str, stored: Mapping[str, Any]) -> str:
    """Return the page with the stored figures."""
    parts = {name: part for name, part in stored["parts"].items() if not part["short"]}
    tables = {name: _table(sheet) for name, sheet in sheets(parts).items()}
    tables["machine"] = _machine(parts)
    tables |= charts(parts)

    def replaced(found: re.Match[str]) -> str:
        table = tables.get(found[2])
        return found[0] if table is None else f"{found[1]}{table}\n{found[3]}"

    return _MARKED.sub(replaced, page)


def names(page: str) -> list[str]:
    """Return the names of the tables of a page, in order."""
    return [found[2] for found in _MARKED.finditer(page)]


def main() -> int:
    """Write the page; with `--check` return 1 if it differs instead."""
    page = PAGE.read_text(encoding="utf-8")
    new = written(page, json.loads(Path(STORED).read_text(encoding="utf-8")))
    if "--check" in sys.argv:
        return 0 if page == new else 1
    PAGE.write_text(new, encoding="utf-8")
    return 0


def _table(sheet: Sheet) -> str:
    lines = [_line(sheet.columns), _line(["---", *("---:" for _ in sheet.columns[1:])])]
    return "\n".join([*lines, *(_line(row) for row in sheet.rows)])


def _machine(parts: Mapping[str, Any]) -> str:
    lines = [_line(["part", "measured", "took", "load at its end", "machine"])]
    lines.append(_line(["---", "---", "---:", "---:", "---"]))
    for name, part in parts.items():
        at = part["machine"]
        where = f"{at['processor']}, {at['cores']} cores, {at['memory_gib']} GiB, {part['broker']}"
        load, took = f"{at['load_average']:.1f}", f"{part['seconds']} s"
        lines.append(_line([name, part["measured_at"][:16], took, load, where]))
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
