"""The table of chaos runs: by fault how often, how soon all moved again, what was lost, doubled."""

import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

WHERE: Final = Path("build") / "chaos.json"
COLUMNS: Final = ("fault", "count", "median", "longest", "lost", "doubled")
_LINE: Final = "{:<26} {:>6} {:>9} {:>9} {:>6} {:>8}"

Stored = Mapping[str, Any]
"""One run as JSON."""


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def rows(runs: Sequence[Stored]) -> Sequence[Sequence[str]]:
    """Return the lines of the table over these runs, the sum last."""
    named = ("faults", "lost", "doubled")
    kinds = sorted({kind for each in runs for what in named for kind in each[what]})
    lines = [_row(kind, runs, [kind]) for kind in kinds]
    return [*lines, _row("all", runs, kinds)]


def _row(title: str, runs: Sequence[Stored], kinds: Sequence[str]) -> Sequence[str]:
    seconds = [s for each in runs for kind in kinds for s in each["faults"].get(kind, ())]
    lost, doubled = (
        sum(each[what].get(kind, 0) for each in runs for kind in kinds)
        for what in ("lost", "doubled")
    )
    times = ("-", "-")
    if seconds:
        times = (f"{statistics.median(seconds):.1f} s", f"{max(seconds):.1f} s")
    return [title, str(len(seconds)), *times, str(lost), str(doubled)]


def shown(run: Stored) -> str:
    """Return a run as text."""
    lines = [_LINE.format(*COLUMNS), *(_LINE.format(*row) for row in rows([run]))]
    lines.append(
        f"seed {run['seed']}: {run['deliveries']} deliveries accepted, {run['again']} attempts "
        f"refused or without answer, {run['seconds']:.0f} s"
    )
    lines += [
        f"{name}: " + ", ".join(f"{what} {count}" for what, count in counts.items())
        for name, counts in run["counted"].items()
    ]
    lines.append(f"messages received again: {run['repeated']}")
    lines += [f"WRONG: {each}" for each in run["wrong"]]
    return "\n".join(lines)


def store(run: Stored, where: Path = WHERE) -> None:
    """Add a run to the file, instead of the one with the same seed, size and guards."""
    where.parent.mkdir(exist_ok=True)
    others = [each for each in stored(where) if _key(each) != _key(run)]
    where.write_text(json.dumps([*others, run], indent=2) + "\n", encoding="utf-8")


def stored(where: Path = WHERE) -> Sequence[Stored]:
    """Return the runs of the file."""
    found: Sequence[Stored] = json.loads(where.read_text("utf-8")) if where.exists() else []
    return found


def machine() -> Stored:
    """Return the moment of a measurement, and its machine."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _key(run: Stored) -> object:
    return run["seed"], run["asked"], run["kills"], run["without"]
