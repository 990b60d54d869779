"""A delivery is answered once, and with success only when its records are durable."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from router.contract.wire import OutgoingRecord
from router.edge.handling.handler import DeliveryHandler
from router.edge.http.answers import Response
from router.edge.http.request_head import RequestHead
from router.edge.publishing.submission import Done
from router.edge.routes import Edge
from router.edge.summary import Summary
from router.errors import NotDurable, Reason
from tests.parts.edge import asgi
from tests.parts.edge.blockatm_requests import Webhook, payment_webhook
from tests.parts.edge.mutations import FORGED, GENUINE, UNREADABLE

_NOT_IN_TIME = NotDurable(Reason.NOT_DURABLE, "no acknowledgement in time")


@dataclass
class _Bench:
    """A handler whose records wait until the test decides about them."""

    edge: Edge = field(default_factory=asgi.edge)
    waiting: list[Done] = field(default_factory=list)
    records: list[OutgoingRecord] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take the place of the publisher."""
        self.handler.submit = self._submit

    @property
    def handler(self) -> DeliveryHandler:
        """The handler."""
        return self.edge.handler

    def handle(self, sent: Webhook = GENUINE) -> None:
        """Handle a delivery to the endpoint `shop`."""
        headers = [(n.lower().encode(), v.encode("latin-1")) for n, v in sent.headers]
        head = RequestHead("POST", b"/webhooks/shop", b"", headers, None, time.monotonic(), None)
        work = self.handler.begin(head, Summary(self.edge.gates["shop"], "203.0.113.7"))
        self.handler.handle(work, sent.body, self.answers.append)

    def _submit(
        self, records: Sequence[OutgoingRecord], done: Done, _deadline: float | None
    ) -> None:
        self.records += records
        self.waiting.append(done)


async def test_a_delivery_is_answered_only_when_it_is_durable() -> None:
    bench = _Bench()

    bench.handle()

    assert (bench.answers, len(bench.records), bench.edge.places.taken) == ([], 1, 1)
    bench.waiting[0](None)
    assert [answer.status for answer in bench.answers] == [200]
    assert bench.edge.places.taken == 0


@pytest.mark.parametrize("name", sorted(UNREADABLE))
async def test_a_quarantined_delivery_is_answered_only_when_it_is_durable(name: str) -> None:
    bench = _Bench()

    bench.handle(UNREADABLE[name].sent)

    assert (bench.answers, len(bench.records)) == ([], 1)
    bench.waiting[0](None)
    assert [answer.status for answer in bench.answers] == [200]


async def test_a_delivery_that_does_not_become_durable_is_answered_503() -> None:
    bench = _Bench()

    bench.handle()
    bench.waiting[0](_NOT_IN_TIME)

    assert [answer.status for answer in bench.answers] == [503]
    assert bench.edge.places.taken == 0


@pytest.mark.parametrize("name", sorted(FORGED))
async def test_a_forged_delivery_takes_no_place_and_is_answered_at_once(name: str) -> None:
    bench = _Bench()

    bench.handle(FORGED[name].sent)

    assert [answer.status for answer in bench.answers] == [401]
    assert (bench.records, bench.waiting, bench.edge.places.taken) == ([], [], 0)


async def test_a_quarantined_delivery_counts_as_stored_only_when_it_is_durable() -> None:
    bench, unreadable = _Bench(), UNREADABLE["a key doubled"].sent

    for _ in range(2):
        bench.handle(unreadable)
        bench.waiting.pop()(_NOT_IN_TIME)
    bench.handle(unreadable)
    bench.waiting.pop()(None)
    bench.handle(unreadable)

    assert [answer.status for answer in bench.answers] == [503, 503, 200, 200]
    assert len(bench.records) == 3


async def test_without_a_place_nothing_is_published() -> None:
    bench = _Bench()
    bench.edge.places.limit = 1

    for number in range(2):
        bench.handle(payment_webhook(id=number))

    assert [answer.status for answer in bench.answers] == [503]
    assert (len(bench.records), bench.edge.places.taken) == (1, 1)


async def test_a_bug_of_the_edge_is_answered_503() -> None:
    bench = _Bench()

    def broken(*_arguments: object) -> None:
        message = "a mistake"
        raise ZeroDivisionError(message)

    bench.handler.submit = broken
    bench.handle()

    assert [answer.status for answer in bench.answers] == [503]
    assert bench.edge.places.taken == 0


async def test_a_delivery_is_answered_even_if_it_cannot_be_counted() -> None:
    bench = _Bench()
    bench.handle()
    bench.handler.metrics._endpoints.clear()  # noqa: SLF001 - only a bug can do that

    with pytest.raises(KeyError):
        bench.waiting[0](None)

    assert len(bench.answers) == 1
    assert bench.edge.places.taken == 0
