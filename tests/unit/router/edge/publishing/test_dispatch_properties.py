"""Random histories of submissions, answers, failures and producers: what holds in all of them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from aiokafka.errors import (
    ProducerClosed,
    ProducerFenced,
    TopicAuthorizationFailedError,
    UnknownError,
)
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from router.broker.partitioner import partition_of
from tests.parts.edge.batches import (
    BAD,
    PARTITIONS,
    TRIES,
    Bench,
    HeldProducer,
    Result,
    Sent,
    turns,
)

Step = tuple[str, int]
"""What happens, and a number that chooses what it happens to."""

KEYS = (b"k", b"a", b"e", b"f")

_FAIR = ("submit", "submit", "submit_bad", "submit_two", "take", "answer", "answer", "turns")
_LOSSES = ("lose_unwritten", "lose_written", "silent", "end", "serve")
_UNFAIR = ("topic_error", "unclear", "give_up", "deadline", "unavailable")


def _steps(*names: str, most_losses: int) -> st.SearchStrategy[list[Step]]:
    def few(steps: Sequence[Step]) -> bool:
        return sum(name in _LOSSES[:3] for name, _ in steps) <= most_losses

    return st.lists(st.tuples(st.sampled_from(names), st.integers(0, 1000)), max_size=60).filter(
        few
    )


class History:
    """Runs steps; every submission has values of its own."""

    def __init__(self) -> None:
        """Start with a producer and nothing submitted."""
        self.bench = Bench()
        self.keys: dict[bytes, bytes] = {}
        self.given_up: list[Result] = []

    async def run(self, steps: Sequence[Step]) -> None:
        """Run all steps, then answer everything that is left."""
        for name, number in steps:
            self._do(name, number)
            if name == "turns":
                await turns()
        await turns()
        while self.bench.producers.failed:
            self.bench.end(self.bench.producers.failed.pop())
        await self.bench.settle()
        self.bench.dispatch.close()
        await turns()

    def _do(self, name: str, number: int) -> None:
        if name.startswith("submit"):
            self._submit(name, number)
        elif name in {"give_up", "deadline"}:
            self._give_up(number, expire=name == "deadline")
        elif name in {"end", "serve", "unavailable", "silent"}:
            self._change_producer(name)
        elif name != "turns":
            self._answer(name, number)

    def _submit(self, name: str, number: int) -> None:
        key = KEYS[number % len(KEYS)]
        first = b"%d" % len(self.keys)
        values = {
            # Larger than all others: the size of a refused record is remembered.
            "submit_bad": [BAD + first.rjust(20, b"0")],
            "submit_two": [first, b"%d+" % len(self.keys)],
        }.get(name, [first])
        self.keys.update(dict.fromkeys(values, key))
        self.bench.submit(*values, key=key)

    def _give_up(self, number: int, *, expire: bool) -> None:
        waiting = [
            result
            for result in self.bench.results
            if not result.told and result not in self.given_up
        ]
        if not waiting:
            return
        result = waiting[number % len(waiting)]
        assert result.submission is not None
        if expire:
            self.bench.dispatch._expire(result.submission)  # noqa: SLF001 - as its timer does
            assert len(result.told) == 1
        else:
            self.given_up.append(result)
            self.bench.dispatch.give_up(result.submission)

    def _change_producer(self, name: str) -> None:
        producers = self.bench.producers
        if name == "serve" and producers.serving is None:
            self.bench.serve()
        elif name == "end" and producers.failed:
            self.bench.end(producers.failed.pop(0))
        elif name == "silent" and producers.serving is not None:
            producers.replace(producers.serving, "it is silent")
        elif name == "unavailable" and producers.serving is None:
            producers.replacing = False
            self.bench.dispatch.refuse_unavailable()

    def _answer(self, name: str, number: int) -> None:
        chosen = self._chosen(number)
        if chosen is None:
            return
        producer, sent = chosen
        how: Mapping[str, Callable[[], None]] = {
            "take": lambda: producer.take(sent),
            "answer": lambda: producer.answer(sent),
            "lose_unwritten": lambda: producer.answer(sent, ProducerFenced()),
            "lose_written": lambda: producer.answer(sent, ProducerClosed(), written=True),
            "topic_error": lambda: producer.answer(sent, TopicAuthorizationFailedError()),
            "unclear": lambda: producer.answer(sent, UnknownError()),
        }
        how[name]()

    def _chosen(self, number: int) -> tuple[HeldProducer, Sent] | None:
        producers = self.bench.producers
        serving = [] if producers.serving is None else [producers.serving]
        held = [(each, sent) for each in (*serving, *producers.failed) for sent in each.held]
        return held[number % len(held)] if held else None

    def written(self) -> set[bytes]:
        """Return all values that the broker has written."""
        return {value for values in self.bench.log.values() for value in values}

    def in_order(self) -> bool:
        """Return whether each partition has its records in the order of their submission."""
        submitted: dict[int, list[bytes]] = defaultdict(list)
        for value, key in self.keys.items():
            submitted[partition_of(key, range(PARTITIONS))].append(value)
        written = {
            partition: list(dict.fromkeys(values))
            for (_, partition), values in self.bench.log.items()
        }
        return all(
            values == [value for value in submitted[partition] if value in set(values)]
            for partition, values in written.items()
        )


def _run(steps: Sequence[Step]) -> History:
    async def running() -> History:
        history = History()
        await history.run(steps)
        return history

    with capture_logs():
        return asyncio.run(running())


@given(_steps(*_FAIR, *_LOSSES, most_losses=TRIES - 2))
def test_without_refusals_of_topics_every_good_record_is_kept_in_order(
    steps: Sequence[Step],
) -> None:
    history = _run(steps)
    bad = {value for value in history.keys if value.startswith(BAD)}

    for result in history.bench.results:
        assert len(result.told) == 1
        assert result.kept == bad.isdisjoint(result.values)
    assert history.written() == history.keys.keys() - bad
    assert history.in_order()


@given(_steps(*_FAIR, *_LOSSES, *_UNFAIR, most_losses=60))
def test_every_submission_has_one_result_and_what_is_kept_is_written(
    steps: Sequence[Step],
) -> None:
    history = _run(steps)
    written = history.written()

    for result in history.bench.results:
        assert len(result.told) == (0 if result in history.given_up else 1)
        assert not result.kept or written.issuperset(result.values)
    assert not any(value.startswith(BAD) for value in written)
    assert history.in_order()
