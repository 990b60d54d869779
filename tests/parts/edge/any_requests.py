"""Requests of any kind and number, and the series of the edge that answers them."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from router.delivery import Delivery
from tests.conformance import kit
from tests.conformance.forgeries import FORGERIES
from tests.conformance.kit import AT, Case
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import SECRET, RunningEdge, make_topics, running_edge
from tests.parts.edge.mutations import FORGED, NOT_UNDERSTOOD, OUTSIDE_WINDOW, UNREADABLE
from tests.parts.edge.raw_http import HeaderLine, connected, request
from tests.parts.providers.blockatm_deliveries import RECEIVED

ORDERS = 10_000
GARBAGE = 400
CONNECTIONS = 32

_NUMBERS = {name: number for number, name in enumerate(kit.sides(), 1)}
_SIDES = {name: kit.side(name, number) for name, number in _NUMBERS.items()}
_METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE", "GARBAGE")
_RANDOM = random.Random(6)

Series = frozenset[tuple[str, frozenset[tuple[str, str]]]]


def configured(bootstrap: str, prefix: str) -> dict[str, Any]:
    tables = {s.endpoint.name: {**s.table, "deadline_seconds": 20} for s in _SIDES.values()}
    tables["shop"] = {"provider": "blockatm", "account": "shop-eu", "secrets": [SECRET]}
    return {**kit.values(tables, prefix), "kafka": {"bootstrap_servers": bootstrap}}


async def series(edge: RunningEdge) -> Series:
    text = (await edge.probe("/metrics")).body.decode()
    return frozenset(
        (sample.name, frozenset(sample.labels.items()))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )


async def kept(edge: RunningEdge, requests: Iterable[bytes]) -> Counter[int]:
    """Send requests over a few kept-alive connections, and count the answers by status."""
    waiting, statuses = iter(requests), Counter[int]()

    async def send() -> None:
        async with connected(edge.port) as line:
            for sent in waiting:
                await line.send(sent)
                statuses[(await line.answer()).status] += 1

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return statuses


async def refused(edge: RunningEdge, requests: Iterable[bytes]) -> Counter[int]:
    """Send each request on a new connection, which must end with it."""
    waiting, statuses = iter(requests), Counter[int]()

    async def send() -> None:
        for sent in waiting:
            async with connected(edge.port) as line:
                await line.send(sent)
                answer = await line.answer(to_head=sent.startswith(b"HEAD"))
                statuses[answer.status] += 1

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return statuses


def _garbage(length: int = 24) -> str:
    return "".join(chr(_RANDOM.choice(range(0xA1, 0xFF))) for _ in range(length))


def _name(length: int = 12) -> str:
    return "".join(_RANDOM.choice("abcdefghijklmnopqrstuvwxyz-") for _ in range(length))


def _unsigned() -> list[HeaderLine]:
    """Headers that no gateway signs, with a different value in every request."""
    names = ("User-Agent", "X-Forwarded-For", "X-Request-Id", "Traceparent", "Cookie", _name())
    return [(name, _garbage()) for name in names]


def _written(delivery: Delivery, headers: Sequence[HeaderLine], method: str = "") -> bytes:
    side = next(s for s in _SIDES.values() if s.endpoint.name == delivery.endpoint)
    target = delivery.target.replace("{token}", str(side.table.get("token", "")), 1)
    body = delivery.body or None if delivery.method == "GET" else delivery.body
    return request(target, headers, body, method or delivery.method)


def _made(case: Case, number: int, **when: Any) -> Delivery:  # noqa: ANN401 - the kit's
    return _SIDES[case.provider].made(case, number=number, order=f"order-{number}", **when)


def orders() -> Iterator[bytes]:
    cases = itertools.cycle(kit.cases())
    for number, case in zip(range(ORDERS), cases, strict=False):
        delivery = _made(case, number)
        yield _written(delivery, [*delivery.headers, *_unsigned()])


def spoilt_orders() -> Iterator[bytes]:
    """Garbage in place of each header, method and path, and other times."""
    cases = itertools.cycle(kit.cases())
    for number, case in zip(range(GARBAGE), cases, strict=False):
        delivery = _made(case, number)
        for name, _ in delivery.headers:
            spoilt = [(k, _garbage() if k == name else value) for k, value in delivery.headers]
            yield _written(delivery, [*spoilt, *_unsigned()])
        yield _written(delivery, delivery.headers, _RANDOM.choice(_METHODS))
        lost = replace(delivery, target=f"/webhooks/{_name()}/{_name(40)}")
        yield _written(lost, delivery.headers)
        yield _written(replace(delivery, target=f"/{_name()}?{_name()}"), delivery.headers)
        late = _made(case, number, at=AT + timedelta(days=_RANDOM.choice((-3, 3))))
        yield _written(late, late.headers)


def forgeries() -> Iterator[bytes]:
    for case, forgery in itertools.product(kit.cases(), FORGERIES.values()):
        for delivery in forgery.forge(case):
            endpoint = _SIDES[case.provider].endpoint.name
            target = delivery.target.replace("/shop-1", f"/{endpoint}", 1)
            forged = replace(delivery, endpoint=endpoint, target=target)
            yield _written(forged, [*forged.headers, *_unsigned()])


async def mutations(edge: RunningEdge) -> None:
    for spoilt in (FORGED | UNREADABLE | NOT_UNDERSTOOD | OUTSIDE_WINDOW).values():
        edge.clock.now = RECEIVED - timedelta(seconds=1) + spoilt.signed_ago
        headers = [*spoilt.sent.headers, *_unsigned()]
        assert (await edge.post(headers, spoilt.sent.body)).status == spoilt.status


@asynccontextmanager
async def counting_edge(broker: Broker, prefix: str) -> AsyncIterator[RunningEdge]:
    """Run an edge with an endpoint for each case; at the end it must have the same series."""
    await make_topics(broker.bootstrap, prefix)
    async with running_edge(configured(broker.bootstrap, prefix)) as edge:
        edge.clock.now = AT
        await edge.until_ready()
        before = await series(edge)
        yield edge
        assert await series(edge) == before
