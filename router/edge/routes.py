"""The HTTP application: routes, request limits, and the answer to each outcome."""

import asyncio
import contextlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from router.configuration.addresses import Network, budget_source, source_of
from router.edge import outcomes as labels
from router.edge.gate import Gate
from router.edge.handling.handler import DeliveryHandler, DeliveryInWork
from router.edge.handling.heads import Limits, check_request, too_large
from router.edge.http.admission import Admission
from router.edge.http.answers import Response
from router.edge.http.direct import HandleWhole
from router.edge.http.door import FIRST_BYTE, VISIT
from router.edge.http.request_head import RequestHead
from router.edge.metrics import EdgeMetrics
from router.edge.places import Places, in_time
from router.edge.shed_count import ShedCount
from router.edge.summary import Summary
from router.errors import NotDurable, Reason, RefusedDelivery, Unwelcome
from router.telemetry.logs import Log

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
AsgiSend = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, AsgiSend], Awaitable[None]]

_ROUTE = re.compile(rb"/webhooks/([A-Za-z0-9_-]{1,64})(?:/([A-Za-z0-9_-]{1,128}))?")


class SenderGone(Exception):  # noqa: N818 - named after the event
    """The sender closed the connection before the whole body had arrived."""


@dataclass
class Edge:
    """The ASGI application: answers every HTTP request, passes every other scope to `rest`.

    `delay()` returns how long, in seconds, bytes read now may have waited for the event loop.
    """

    gates: Mapping[str, Gate]
    handler: DeliveryHandler
    limits: Limits
    proxies: tuple[Network, ...]
    metrics: EdgeMetrics
    log: Log
    rest: App
    admission: Admission
    places: Places
    delay: Callable[[], float] = lambda: 0.0
    in_flight: int = 0
    _shed: ShedCount = field(default_factory=ShedCount)

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self.rest(scope, receive, send)
            return
        self.in_flight += 1
        try:
            response = await self._answer(request_of(scope), receive)
        finally:
            self.in_flight -= 1
        linger = self._lingering(receive) if response.closes else None
        await _send(send, response, head=scope["method"] == "HEAD", linger=linger)

    def shed(self, target: bytes, first_byte_at: float) -> bool | None:
        """Return whether a request must be refused at once: it cannot be answered in time.

        None if no endpoint has this target. Counts a refused request. Takes a few
        microseconds: under overload most requests end here.
        """
        gate = self._gate(target.partition(b"?")[0])
        if gate is None:
            return None
        now, delay = time.monotonic(), self.delay()
        answer_by = first_byte_at + gate.endpoint.deadline_seconds
        if not self.places.full and in_time(now, answer_by, delay):
            return False
        name = gate.endpoint.name
        self.metrics.of(name).answered(
            labels.FAILED, Reason.OVERLOADED.value, None, now - first_byte_at
        )
        self._shed.count(name, self.log)
        return True

    def hold(self, head: RequestHead) -> HandleWhole | None:
        """Return what handles a plain request once it is whole, unless it must be refused before.

        Without an effect: the application decides about the others.
        """
        gate = self._gate(head.path)
        if gate is None:
            return None
        try:
            check_request(head, gate, self.limits, self.proxies)
        except Unwelcome:
            return None
        return partial(self._whole, self.handler.begin(head, self._summary(head, gate)))

    def _whole(
        self, work: DeliveryInWork, body: bytes, answered: Callable[[Response], None]
    ) -> None:
        self.metrics.phase(work.summary.endpoint, "read", time.perf_counter() - work.started)
        self.handler.handle(work, body, answered)

    async def _answer(self, request: RequestHead, receive: Receive) -> Response:
        work = self.handler.begin(request, self._summary(request, self._gate(request.path)))
        answer = asyncio.get_running_loop().create_future()
        answered = partial(_resolve, answer)
        try:
            body = await self._within_deadline(work, receive)
        except RefusedDelivery as problem:
            self.handler.refuse(work, problem, answered)
        except Exception as error:  # noqa: BLE001 - logged
            self.handler.fail(work, error, answered)
        else:
            self.handler.handle(work, body, answered)
        response: Response = await answer
        return response

    def _summary(self, request: RequestHead, gate: Gate | None) -> Summary:
        """Name the sender of a request, which its connection counts for from now on."""
        summary = Summary(gate, self._source(request))
        visit = request.visit
        if visit is not None and summary.source != visit.peer:
            self.admission.attribute(visit, budget_source(summary.source))
        return summary

    async def _within_deadline(self, work: DeliveryInWork, receive: Receive) -> bytes:
        """Check the head and read the body, or raise RefusedDelivery."""
        gate = work.summary.gate
        if gate is None:
            raise Unwelcome(Reason.UNKNOWN_ENDPOINT, 404)
        check_request(work.request, gate, self.limits, self.proxies)
        try:
            async with asyncio.timeout_at(work.deadline):
                return await self._body(work, receive)
        except TimeoutError:
            raise Unwelcome(Reason.BODY_TOO_SLOW, 408) from None

    def _gate(self, path: bytes) -> Gate | None:
        match = _ROUTE.fullmatch(path)
        gate = self.gates.get(match[1].decode()) if match else None
        given = (match[2] if match else None) or b""
        # Compared even for an unknown endpoint, so that the time taken reveals nothing.
        wanted = (gate.token if gate else None) or b""
        fits = hmac.compare_digest(given, wanted)
        return gate if fits else None

    async def _lingering(self, receive: Receive) -> None:
        """Read a little of what still arrives: an immediate close could reset the answer."""
        left = self.limits.linger_bytes
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.limits.linger_seconds):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return

    def _source(self, request: RequestHead) -> str:
        return source_of(request.peer, request.headers, self.proxies)

    async def _body(self, work: DeliveryInWork, receive: Receive) -> bytes:
        started = time.perf_counter()
        try:
            body = await _read(receive, self.limits.body_bytes)
        except SenderGone:
            visit = work.request.visit
            if visit is not None and visit.gave_way:
                raise NotDurable(Reason.OVERLOADED, "gave way to other senders") from None
            raise Unwelcome(Reason.BODY_INCOMPLETE, 400, "the sender disconnected") from None
        self.metrics.phase(work.summary.endpoint, "read", time.perf_counter() - started)
        return body


async def _read(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise SenderGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _send(
    send: AsgiSend, response: Response, *, head: bool, linger: Awaitable[None] | None
) -> None:
    body = b"" if head else response.body
    await send({"type": "http.response.start", "status": response.status, "headers": response.head})
    await send({"type": "http.response.body", "body": body, "more_body": linger is not None})
    if linger is not None:
        await linger
        await send({"type": "http.response.body", "body": b""})


def request_of(scope: Scope) -> RequestHead:
    """Return the head of a request from its ASGI scope."""
    # Empty if another server accepted the connection.
    state: Mapping[str, Any] = scope.get("state") or {}
    peer, _ = scope.get("client") or (None, None)
    return RequestHead(
        scope["method"],
        scope["raw_path"],
        scope["query_string"],
        scope["headers"],
        peer,
        state.get(FIRST_BYTE, time.monotonic()),
        state.get(VISIT),
    )


def _resolve(answer: asyncio.Future[Response], response: Response) -> None:
    # Not if the task that waits has been cancelled.
    if not answer.done():
        answer.set_result(response)
