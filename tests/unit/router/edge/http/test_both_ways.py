"""Which requests are handled without the application, and that it makes no difference to any."""

from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from tests.parts.edge.blockatm_requests import payment_webhook
from tests.parts.edge.edge_server import TOKEN, HeldClock, configuration
from tests.parts.edge.in_memory import PEER, InMemoryEdge
from tests.parts.edge.mutations import FORGED, GENUINE, NOT_UNDERSTOOD, OUTSIDE_WINDOW, UNREADABLE
from tests.parts.edge.raw_http import HeaderLine, chunk, head, request

_HEADERS = GENUINE.headers
_LENGTH = ("Content-Length", str(len(GENUINE.body)))


@dataclass(frozen=True)
class _Sent:
    """A request, and whether it is handled without the application."""

    data: bytes
    direct: bool = False


def _with(*headers: HeaderLine, target: str = "/webhooks/shop") -> bytes:
    return request(target, [*_HEADERS, *headers], GENUINE.body)


def _in_pieces(*, chunked: bool) -> bytes:
    coding = ("Transfer-Encoding", "chunked")
    return head("/webhooks/shop", [*_HEADERS, coding] if chunked else _HEADERS) + b"".join(
        (chunk(GENUINE.body), chunk(b""))
    )


_PLAIN = _with()

SENT = {
    "plain": _Sent(_PLAIN, direct=True),
    "that asks to be kept alive": _Sent(_with(("Connection", "keep-alive")), direct=True),
    "with a query": _Sent(_with(target="/webhooks/shop?a=b"), direct=True),
    "an absolute target": _Sent(_with(target="http://edge.test/webhooks/shop"), direct=True),
    "with the right token": _Sent(_with(target=f"/webhooks/guarded/{TOKEN}"), direct=True),
    "with a header twice": _Sent(_with(("X-A", "1"), ("X-A", "2")), direct=True),
    "with a header that is not ASCII": _Sent(_with(("X-A", "é")), direct=True),
    "behind line ends": _Sent(b"\r\n\r\n" + _PLAIN, direct=True),
    "of the trusted proxy's caller": _Sent(
        _with(("X-Forwarded-For", "198.51.100.7"), target="/webhooks/fenced"), direct=True
    ),
    "of another caller": _Sent(_with(target="/webhooks/fenced")),
    "with a wrong token": _Sent(_with(target="/webhooks/guarded/x")),
    "to an unknown endpoint": _Sent(_with(target="/webhooks/nobody")),
    "to another path": _Sent(_with(target="/")),
    "that ends its connection": _Sent(_with(("Connection", "close"))),
    "of HTTP 1.0": _Sent(_PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0")),
    "of HTTP 1.0, kept alive": _Sent(
        _with(("Connection", "keep-alive")).replace(b"HTTP/1.1", b"HTTP/1.0")
    ),
    # The offer is declined, as if it had not been made.
    "that offers HTTP 2": _Sent(_with(("Connection", "Upgrade"), ("Upgrade", "h2c")), direct=True),
    "that names HTTP 2": _Sent(_with(("Upgrade", "h2c"))),
    "that expects something else": _Sent(_with(("Expect", "something"))),
    "chunked": _Sent(_in_pieces(chunked=True)),
    "chunks without saying so": _Sent(_in_pieces(chunked=False)),
    "of no length": _Sent(head("/webhooks/shop", _HEADERS)),
    "of two lengths": _Sent(_with(_LENGTH)),
    "too large": _Sent(head("/webhooks/shop", [*_HEADERS, ("Content-Length", "99999999")])),
    "with too much in its head": _Sent(_with(*[("X-A", "x" * 4000)] * 5)),
    "with far too much in its head": _Sent(_with(*[("X-A", "x" * 4000)] * 20)),
    "with two hosts": _Sent(_with(("Host", "other"))),
    "without a host": _Sent(_PLAIN.replace(b"Host:", b"X-Host:")),
    "GET": _Sent(_PLAIN.replace(b"POST", b"GET", 1)),
    "HEAD": _Sent(request("/webhooks/shop", _HEADERS, None, "HEAD")),
    "PUT": _Sent(_PLAIN.replace(b"POST", b"PUT", 1)),
    "no HTTP": _Sent(b"garbage\r\n\r\n"),
    **{
        name: _Sent(request("/webhooks/shop", each.sent.headers, each.sent.body), direct=True)
        for name, each in (FORGED | UNREADABLE | NOT_UNDERSTOOD).items()
    },
    **{
        name: _Sent(request("/webhooks/narrow", each.sent.headers, each.sent.body), direct=True)
        for name, each in OUTSIDE_WINDOW.items()
    },
}


def _edge(*, direct: bool) -> InMemoryEdge:
    structlog.reset_defaults()
    values: dict[str, Any] = configuration("127.0.0.1:1", "t.", trusted_proxies=[PEER])
    shop = values["endpoints"]["shop"]
    values["endpoints"]["fenced"] = {**shop, "allow_from": ["198.51.100.0/24"]}
    return InMemoryEdge.of(values, HeldClock(), direct=direct)


@pytest.mark.parametrize("name", SENT)
async def test_a_request_has_the_same_answer_records_log_and_counts_in_both_ways(name: str) -> None:
    sent, direct, general = SENT[name], _edge(direct=True), _edge(direct=False)

    for _ in range(2):
        assert await direct.exchange(sent.data) == await general.exchange(sent.data)

    assert (direct.taken, general.taken) == (2 if sent.direct else 0, 0)
    assert direct.counted() == general.counted()
    for edge in (direct, general):
        assert edge.process.app.places.taken == 0
        assert edge.process.app.admission.bytes == 0


async def test_a_request_is_shed_alike_in_both_ways() -> None:
    found = []
    for way in (True, False):
        edge = _edge(direct=way)
        edge.process.app.places.limit = 0
        found.append((await edge.exchange(_PLAIN), edge.counted()))
        assert edge.taken == 0

    assert found[0] == found[1]
    assert found[0][0].answer.startswith(b"HTTP/1.1 503")


@pytest.mark.parametrize("places", [1, 3])
async def test_many_deliveries_on_many_connections_are_handled_alike(places: int) -> None:
    sent = [payment_webhook(id=number) for number in range(20)]
    found = []
    for way in (True, False):
        edge = _edge(direct=way)
        edge.process.app.places.limit = places
        answers = [
            await edge.exchange(request("/webhooks/shop", one.headers, one.body)) for one in sent
        ]
        found.append((answers, edge.counted()))
        assert edge.taken == (20 if way else 0)

    assert found[0] == found[1]


@pytest.mark.parametrize("way", [True, False], ids=["direct", "application"])
async def test_pipelined_requests_that_are_refused_at_once_are_bounded(way: bool) -> None:  # noqa: FBT001
    edge = _edge(direct=way)
    forged = FORGED["another key"].sent

    written = await edge.flood(request("/webhooks/shop", forged.headers, forged.body) * 500)

    assert 0 < written.count(b"HTTP/1.1 401") <= edge.process.door.bounds.pipelined + 2
    assert edge.taken == (1 if way else 0)
