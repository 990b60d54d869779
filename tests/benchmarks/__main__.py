"""`make bench`: run the benchmarks; tables for people, JSON for programs."""

import argparse
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.parts import PARTS, SHORT, Plans
from tests.benchmarks.report.progress import Progress
from tests.benchmarks.report.sheets import sheets
from tests.benchmarks.report.terminal import print_sheets
from tests.benchmarks.running.clocks import machine, require_linux
from tests.parts import brokers
from tests.parts.environment import Wishes
from tests.parts.source import ROOT

STORED = ROOT / "build" / "bench.json"


def main() -> None:
    """Measure, store and print."""
    options = _parser().parse_args()
    require_linux()
    choice = brokers.choose(Wishes.take())
    # A topic that has just been made is not known to every client at once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    progress, plans = Progress(), SHORT if options.short else Plans()
    progress(f"broker: {choice.description}")
    path = Path(options.out)
    stored = _stored(path)
    for name in options.only or PARTS:
        began = progress.seconds
        measured = PARTS[name](choice, plans, progress)
        stored["parts"][name] = {
            **measured,
            "machine": machine(),
            "broker": choice.description,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(progress.seconds - began),
            "short": options.short,
        }
        _store(path, stored)
    if options.json:
        sys.stdout.write(json.dumps(stored, indent=2) + "\n")
    else:
        print_sheets(sheets(stored["parts"]).values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="all parts in about two minutes")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--out", default=str(STORED), help="file of the figures, by part")
    return parser


def _stored(path: Path) -> dict[str, Any]:
    """Return the figures of earlier runs, which stay for the parts that are not measured now."""
    if not path.exists():
        return {"parts": {}}
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def _store(path: Path, figures: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
