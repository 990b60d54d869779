"""The figures of a real Prometheus are those that the edges counted."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consumers.console.figures.prometheus import PrometheusFigures
from consumers.console.figures.spans import DAY, HOUR
from tests.parts.monitoring.prometheus import Prometheus, checked, prometheus
from tests.parts.ports import free_port

SCRAPE_SECONDS = 30
STOPPED_SECONDS = 600
"""The edge was away until so long before now."""

pytestmark = pytest.mark.usefixtures("real_prometheus")


def told(now: float) -> Iterator[str]:
    """Yield two hours of an edge that accepts one delivery per scrape and refuses none."""
    times = [now - 7200 + n * SCRAPE_SECONDS for n in range(7200 // SCRAPE_SECONDS)]
    seen = [at for at in times if at < now - STOPPED_SECONDS]
    shop, gateway = 'endpoint="shop"', 'provider="blockatm"'
    for count, at in enumerate(seen):
        yield f'payrouter_deliveries_total{{{shop},{gateway},outcome="accepted"}} {count} {at}'
        yield f'payrouter_deliveries_total{{{shop},{gateway},outcome="refused"}} 0 {at}'
        yield f'payrouter_key_used_total{{{shop},key="fp:1"}} {count} {at}'
        reason = 'outcome="refused",reason="stale"'
        yield f"payrouter_delivery_reasons_total{{{gateway},{reason}}} {count} {at}"
        # 0 after a restart: the moment before it counts
        genuine = 1000 + now - 7200 if count < len(seen) // 2 else 0
        yield f"payrouter_last_genuine_delivery_timestamp_seconds{{{shop}}} {genuine} {at}"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[Prometheus, float]]:
    """Yield a Prometheus with the samples of an edge, and the time at which they end."""
    now = time.time()
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n")
    samples = tmp_path / "edge.om"
    lines = sorted(told(now), key=lambda line: line.partition("{")[0])
    samples.write_text("\n".join([*lines, "# EOF", ""]))
    storage = str(tmp_path / "prometheus")
    checked(["tsdb", "create-blocks-from", "openmetrics", "-q", str(samples), storage])
    with prometheus(tmp_path, free_port(), "5m") as found:
        yield found, now


async def test_figures_of_an_hour_and_a_day(running: tuple[Prometheus, float]) -> None:
    server, now = running
    source = PrometheusFigures(server.url, lambda: datetime.fromtimestamp(now, UTC))

    hour = await source.figures(HOUR)

    shop = hour.of("shop")
    expected = (HOUR.seconds - STOPPED_SECONDS) / SCRAPE_SECONDS
    assert hour.problems == ()
    assert shop.totals["accepted"] == pytest.approx(expected, abs=10)
    assert shop.totals["refused"] == 0
    assert shop.keys["fp:1"] == pytest.approx(expected, abs=10)
    assert hour.reasons("blockatm").of("refused")["stale"] == pytest.approx(expected, abs=10)
    assert shop.last_genuine == datetime.fromtimestamp(1000 + now - 7200, UTC)
    assert len(shop.slots) == HOUR.slots
    # not scraped for the last minutes, which is not the same as no delivery
    assert shop.slots[0].counts is not None
    assert shop.slots[-2].counts is None

    day = (await source.figures(DAY)).of("shop")
    assert day.totals["accepted"] == pytest.approx((7200 - STOPPED_SECONDS) / SCRAPE_SECONDS, 0.3)
    assert day.slots[0].counts is None


async def test_a_prometheus_that_is_away_is_a_problem_of_the_figures() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    found = await PrometheusFigures(url, lambda: datetime.now(UTC)).figures(HOUR)
    assert found.endpoints == {}
    (problem,) = found.problems
    assert problem.startswith(f"Prometheus at {url} was not read: ")
