"""Samples that Prometheus stores from before the run: days, sped up like all times."""

import math
from collections.abc import Iterator
from pathlib import Path

from tests.parts.monitoring.faults import QUIET, SILENT
from tests.parts.monitoring.prometheus import checked

DAY_SECONDS = 24 * 60 * 60.0
STEP_SECONDS = 4.0
"""Between two samples: shorter than the time after which Prometheus calls a series stale."""

GENUINE = "endpoint:payrouter_deliveries_genuine"
HUNDREDS = 600.0


def remember(folder: Path, now: float, factor: float) -> None:
    """Fill the storage of a Prometheus that is not started yet with the gateways' last week.

    Two gateways delivered every day. The first still did when the run began; the second stopped
    a day before. Its alert fires a little after the start: a week after its first delivery.
    """
    day = DAY_SECONDS / factor
    told = folder / "yesterday.om"
    begun = now + 30.0 - 7 * day
    lines = [
        *_series(f"{GENUINE}:increase1d", QUIET, now - 2 * day, now - 5.0, HUNDREDS),
        *_series(f"{GENUINE}:increase2h", QUIET, now - 2 * day, now - 5.0, HUNDREDS / 12),
        *_series(f"{GENUINE}:increase1d", SILENT, begun, now - day, HUNDREDS),
    ]
    told.write_text("\n".join([*_sorted(lines), "# EOF", ""]))
    checked(["tsdb", "create-blocks-from", "openmetrics", "-q", str(told), str(_storage(folder))])


def _series(name: str, endpoint: str, start: float, end: float, value: float) -> Iterator[str]:
    for number in range(math.ceil((end - start) / STEP_SECONDS)):
        at = start + number * STEP_SECONDS
        yield f'{name}{{endpoint="{endpoint}"}} {value:g} {at:.3f}'


def _sorted(lines: list[str]) -> list[str]:
    """Put what is of one name together, as the format wants it."""
    return sorted(lines, key=lambda line: line.partition("{")[0])


def _storage(folder: Path) -> Path:
    return folder / "prometheus"
