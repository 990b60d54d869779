"""The console samples edges into bounded memory; unknown is never shown as zero."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from consumers.console.figures.figures import Figures
from consumers.console.figures.sampling import EdgeSampler
from consumers.console.figures.spans import DAY, HOUR, FigureSpan

BEGAN = datetime(2026, 11, 30, 12, 0, 10, tzinfo=UTC)
EDGE, OTHER = "http://edge-1/metrics", "http://edge-2/metrics"


@dataclass
class Edges:
    """Edges that answer what a test says, and a clock."""

    texts: dict[str, str] = field(default_factory=dict)
    now: datetime = BEGAN

    def sampler(self, *edges: str) -> EdgeSampler:
        """Return a sampler of these edges."""
        return EdgeSampler(edges or (EDGE,), lambda: self.now, self.fetch)

    async def fetch(self, url: str) -> str:
        """Answer, or fail as a connection would."""
        if url not in self.texts:
            message = "connection refused"
            raise OSError(message)
        return self.texts[url]

    def says(
        self, accepted: int, refused: int = 0, *, edge: str = EDGE, genuine: float = 0
    ) -> None:
        """Set the counters of an edge."""
        shop, gateway = 'endpoint="shop"', 'provider="p"'
        deliveries = f"payrouter_deliveries_total{{{shop},{gateway},outcome"
        reasons = f"payrouter_delivery_reasons_total{{{gateway}"
        self.texts[edge] = (
            f'{deliveries}="accepted"}} {accepted}\n'
            f'{deliveries}="refused"}} {refused}\n'
            f'payrouter_key_used_total{{{shop},key="fp:1"}} {accepted}\n'
            f'{reasons},outcome="refused",reason="stale"}} {refused}\n'
            f"payrouter_last_genuine_delivery_timestamp_seconds{{{shop}}} {genuine}\n"
        )


async def sampled(
    edges: Edges, sampler: EdgeSampler, *steps: Callable[[], None], span: FigureSpan = HOUR
) -> Figures:
    """Sample after each step, a quarter of a minute apart."""
    for step in steps:
        step()
        await sampler.sample()
        edges.now += timedelta(seconds=15)
    return await sampler.figures(span)


async def test_counts_since_the_first_sample_are_shown() -> None:
    edges = Edges()
    found = await sampled(
        edges,
        edges.sampler(),
        lambda: edges.says(100, 10),
        lambda: edges.says(103, 11, genuine=BEGAN.timestamp()),
        lambda: edges.says(104, 11, genuine=BEGAN.timestamp()),
    )
    shop = found.of("shop")
    assert shop.totals["accepted"] == 4
    assert shop.totals["refused"] == 1
    assert shop.keys == {"fp:1": 4}
    assert shop.last_genuine == BEGAN
    assert found.reasons("p").of("refused") == {"stale": 1}
    assert found.problems == []


async def test_a_time_without_samples_is_unknown_and_a_quiet_one_is_zero() -> None:
    edges = Edges()
    found = await sampled(edges, edges.sampler(), lambda: edges.says(1), lambda: edges.says(1))
    slots = found.of("shop").slots
    assert len(slots) == HOUR.slots
    assert [slot.counts for slot in slots] == [None] * (HOUR.slots - 1) + [{}]
    assert slots[-1].begins == BEGAN.replace(second=0)


async def test_figures_of_an_endpoint_that_was_not_measured_are_unknown() -> None:
    found = await Edges().sampler().figures(HOUR)
    assert not found.of("shop").measured
    assert found.of("shop").last_genuine is None


async def test_an_edge_that_does_not_answer_is_a_problem_until_it_does() -> None:
    edges = Edges()
    sampler = edges.sampler(EDGE, OTHER)
    edges.says(1)
    await sampler.sample()
    found = await sampler.figures(HOUR)
    assert found.problems == [f"the edge at {OTHER} was not read: connection refused"]

    edges.says(1, edge=OTHER)
    await sampler.sample()
    assert (await sampler.figures(HOUR)).problems == []


async def test_several_edges_are_added_up_and_the_newest_delivery_counts() -> None:
    edges = Edges()
    sampler = edges.sampler(EDGE, OTHER)

    def both(count: int, first: float, second: float) -> None:
        edges.says(count, genuine=first)
        edges.says(count, edge=OTHER, genuine=second)

    late, early = BEGAN.timestamp(), BEGAN.timestamp() - 60
    found = await sampled(edges, sampler, lambda: both(0, late, early), lambda: both(2, 0, early))
    assert found.of("shop").totals["accepted"] == 4
    assert found.of("shop").last_genuine == BEGAN


async def test_memory_is_bounded_and_old_slots_leave_the_figures() -> None:
    edges = Edges()
    sampler = edges.sampler()
    edges.says(0)
    await sampler.sample()
    for number in range(1, 3 * HOUR.slots):
        edges.now += timedelta(seconds=HOUR.slot_seconds)
        edges.says(number)
        await sampler.sample()
    found = await sampler.figures(HOUR)
    assert found.of("shop").totals["accepted"] == HOUR.slots
    assert (await sampler.figures(DAY)).of("shop").totals["accepted"] == 3 * HOUR.slots - 1


async def test_everything_that_an_edge_counted_since_it_has_just_started_is_shown() -> None:
    edges = Edges()
    started = BEGAN.timestamp() - HOUR.slot_seconds
    for since, expected in ((started + 1, 5), (started, 0)):
        edges.says(5)
        edges.texts[EDGE] += f"process_start_time_seconds {since}\n"
        sampler = edges.sampler()
        await sampler.sample()
        assert (await sampler.figures(HOUR)).of("shop").totals["accepted"] == expected
