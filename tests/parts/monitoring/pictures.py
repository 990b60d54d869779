"""Pictures of what the dashboards ask, out of a live run, drawn by Prometheus' own graph pages.

`python -m tests.parts.monitoring.pictures [FOLDER]` plays the live run, which takes three minutes,
and writes a picture of each dashboard into FOLDER, else `docs/images`. It needs Debian's packages
`prometheus` and `chromium`, and a Kafka as `make test` finds it.
"""

import math
import re
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.parts.databases import fresh_database, server_of
from tests.parts.deploy.system import ROOT
from tests.parts.monitoring.course import Course
from tests.parts.monitoring.live import FACTOR, live
from tests.parts.monitoring.play import play
from tests.parts.monitoring.questions import Span, asked_by_dashboards

PANELS: Final[Mapping[str, Sequence[str]]] = {
    "payrouter-overview": ("31 Deliveries by outcome A", "25 Freshness burn rate A"),
    "payrouter-edge": ("34 Phases A", "51 Verification failures A"),
    "payrouter-consumers": ("21 Lag in seconds A", "41 Members and partitions A"),
    "payrouter-held": ("31 Dead records A", "42 Outbox waiting A"),
    "payrouter-money": ("31 Pending by age A", "42 Transactions in the books A"),
    "payrouter-runtime": ("31 CPU A", "21 Up or not A"),
}
"""The panels to be drawn, of each dashboard."""

_BROWSER: Final = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=20000",
    "--window-size=940,1780",
)


def draw(course: Course, folder: Path) -> Iterator[Path]:
    """Draw a picture of each dashboard and yield its path."""
    asked = {each.asked_by: each.query for each in asked_by_dashboards(FACTOR, _drawn(course.span))}
    folder.mkdir(parents=True, exist_ok=True)
    for dashboard, panels in PANELS.items():
        queries = [asked[f"{dashboard}.json: panel {panel}"] for panel in panels]
        picture = folder / f"{dashboard.removeprefix('payrouter-')}.png"
        _photograph(_address(course, queries), picture)
        yield picture


def _drawn(span: Span) -> Span:
    """Return the span as it is drawn: a little smoother than it is tested."""
    return Span(span.start, span.end, span.step * 2)


def _address(course: Course, queries: Sequence[str]) -> str:
    """Name the page with these graphs over the whole run; a page ends at a full minute."""
    end = datetime.fromtimestamp(math.ceil(course.span.end / 60) * 60, UTC)
    seconds = int(end.timestamp() - course.span.start)
    fields: dict[str, str] = {}
    for number, query in enumerate(queries):
        fields |= {
            f"g{number}.expr": _shorter(query),
            f"g{number}.tab": "0",
            f"g{number}.range_input": f"{seconds}s",
            f"g{number}.end_input": f"{end:%Y-%m-%d %H:%M}",
            f"g{number}.step_input": "1",
        }
    return f"{course.prometheus.url}/classic/graph?{urllib.parse.urlencode(fields)}"


def _shorter(query: str) -> str:
    """Write whole seconds without milliseconds."""
    return re.sub(r"\b(\d+)000ms\b", r"\1s", query)


def _photograph(address: str, picture: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="payrouter-browser-") as profile:
        command = [*_BROWSER, f"--user-data-dir={profile}", f"--screenshot={picture}", address]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> None:
    """Play the run and draw it."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    with (
        tempfile.TemporaryDirectory(prefix="payrouter-live-") as place,
        server_of(None) as server,
        fresh_database(server) as url,
        live(Path(place), url) as running,
    ):
        course = play(running)
        for picture in draw(course, folder):
            sys.stdout.write(f"{picture}\n")


if __name__ == "__main__":
    main()
