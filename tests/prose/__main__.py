"""Command that lists idioms: `python -m tests.prose [--root DIR] [--json] [--strict] [PATH...]`."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.prose.checker import AllowListError, Hit, find_hits, read_allowed, remaining
from tests.prose.patterns import PATTERNS, STRICT_PATTERNS
from tests.prose.sources import AREAS, find_prose


@dataclass(frozen=True)
class Report:
    """Result of a run: the hits that remain, the words read per area, the stale entries."""

    hits: list[Hit]
    words: Counter[str]
    stale: list[str]

    def is_clean(self) -> bool:
        """Return whether there is neither a hit nor a stale entry."""
        return not self.hits and not self.stale


def check(root: Path, under: tuple[str, ...] = (), *, strict: bool = False) -> Report:
    """Check the prose of a checkout, or of these paths of it. Raises AllowListError."""
    allowed = read_allowed(root)
    patterns = STRICT_PATTERNS if strict else PATTERNS
    words: Counter[str] = Counter()
    hits: list[Hit] = []
    paths: set[str] = set()
    for prose in find_prose(root, under):
        words[prose.area] += prose.words()
        hits += find_hits(prose, patterns)
        paths.add(prose.path)
    left, unused = remaining(hits, allowed)
    stale = [f"{one.path}: {one.text!r}" for one in unused if not under or one.path in paths]
    return Report(sorted(left, key=lambda hit: (hit.path, hit.line)), words, stale)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if the prose is clean, 1 if not, 2 for a bad allow-list."""
    options = _parser().parse_args(arguments)
    root = Path(options.root).resolve()
    try:
        under = tuple(_relative(path, root) for path in options.paths)
        report = check(root, under, strict=options.strict)
    except AllowListError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(_as_json(report) if options.json else _as_text(report))
    return 0 if report.is_clean() else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.prose", description=__doc__)
    parser.add_argument("--root", default=".", help="checkout to read (default: this folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--strict", action="store_true", help="also report mere habits")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files or folders of the root")
    return parser


def _relative(path: str, root: Path) -> str:
    full = (root / path).resolve()
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else path


def _as_text(report: Report) -> str:
    lines = [f'{hit.path}:{hit.line}: "{hit.phrase}" -> {hit.instead}' for hit in report.hits]
    lines += [f"stale entry of the allow-list: {entry}" for entry in report.stale]
    lines += ["", f"{'area':<14}{'words':>9}{'hits':>7}{'per 1,000':>11}"]
    lines += [
        f"{area:<14}{words:>9,}{hits:>7,}{_rate(hits, words):>11.1f}"
        for area, words, hits in _totals(report)
    ]
    return "\n".join(lines) + "\n"


def _as_json(report: Report) -> str:
    areas = {
        area: {"words": words, "hits": hits, "per_1000": round(_rate(hits, words), 2)}
        for area, words, hits in _totals(report)
    }
    patterns = dict(Counter(hit.pattern for hit in report.hits).most_common())
    hits = [asdict(hit) for hit in report.hits]
    result = {"areas": areas, "patterns": patterns, "stale": report.stale, "hits": hits}
    return json.dumps(result, indent=1) + "\n"


def _totals(report: Report) -> list[tuple[str, int, int]]:
    hits = Counter(hit.area for hit in report.hits)
    return [(area, report.words[area], hits[area]) for area in AREAS]


def _rate(hits: int, words: int) -> float:
    return 1000 * hits / words if words else 0.0


if __name__ == "__main__":
    sys.exit(main())
