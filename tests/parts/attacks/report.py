"""Results as a table of at most 80 columns and as JSON, each against its bar."""

import math

from rich.table import Table

from tests.parts.attacks.measure import Result

SHARE = 0.99
P99_RATIO = 3.0
P99_MILLISECONDS = 100.0
GROWTH_MIB = 40.0
# The socket buffers of both sides take about 10 MiB before the edge has read a byte.
TAKEN_MIB = 32.0


def failures(result: Result) -> list[str]:
    """Return which bars a result misses."""
    missed = []
    if result.quiet.share < SHARE:
        missed.append("quiet")
    if result.attacked.share < SHARE or not result.alive:
        missed.append("share")
    if not _fast_enough(result):
        missed.append("p99")
    if result.footprint.growth > GROWTH_MIB:
        missed.append("memory")
    if result.taken_mib > TAKEN_MIB:
        missed.append("bytes")
    return missed


def as_json(result: Result) -> dict[str, object]:
    """Return every figure of a result."""
    return {
        "attack": result.name,
        "missed": failures(result),
        "sent": result.attacked.sent,
        "statuses": {str(status): count for status, count in result.attacked.statuses.items()},
        "share": result.attacked.share,
        "quiet_share": result.quiet.share,
        "quiet_p50_ms": _finite(result.quiet.milliseconds(0.5)),
        "quiet_p99_ms": _finite(result.quiet.milliseconds(0.99)),
        "p50_ms": _finite(result.attacked.milliseconds(0.5)),
        "p99_ms": _finite(result.attacked.milliseconds(0.99)),
        "memory_before_mib": result.footprint.before,
        "memory_peak_mib": result.footprint.peak,
        "memory_after_mib": result.footprint.after,
        "taken_mib": result.taken_mib,
        "descriptors": result.footprint.descriptors,
        "log_bytes": result.footprint.log_bytes,
        "alive": result.alive,
        "attacker": dict(result.attacker),
    }


def empty_table() -> Table:
    """Return a table without rows: p99 quiet and attacked in ms, memory before, peak, after."""
    table = Table("attack", box=None, padding=(0, 1, 0, 0))
    for column in ("200 %", "quiet", "p99", "MiB", "peak", "after", "fds"):
        table.add_column(column, justify="right")
    table.add_column("missed")
    return table


def add(table: Table, result: Result) -> None:
    """Add a result as a row."""
    footprint = result.footprint
    table.add_row(
        result.name,
        f"{math.floor(result.attacked.share * 1000) / 10:.1f}",
        f"{result.quiet.milliseconds(0.99):.0f}",
        f"{result.attacked.milliseconds(0.99):.0f}",
        *(f"{mib:.0f}" for mib in (footprint.before, footprint.peak, footprint.after)),
        str(footprint.descriptors),
        " ".join(failures(result)) or "-",
    )


def _fast_enough(result: Result) -> bool:
    attacked, quiet = (part.milliseconds(0.99) for part in (result.attacked, result.quiet))
    return attacked < P99_MILLISECONDS or attacked <= P99_RATIO * quiet


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
