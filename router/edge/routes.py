"""The HTTP application: routes, request limits, and the answer to each outcome."""

import asyncio
import contextlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from router.configuration.addresses import (
    Network,
    budget_source,
    caller,
    forwarded_for,
    is_among,
    source_of,
)
from router.delivery import Delivery
from router.edge import outcomes as labels
from router.edge.delivery_log import DeliveryLog
from router.edge.gate import Gate
from router.edge.http.admission import Admission, Stage, Visit
from router.edge.http.protocol import FIRST_BYTE, VISIT
from router.edge.intake import Clock, Endpoint, Intake, Received
from router.edge.metrics import EdgeMetrics
from router.edge.places import TURNS_TO_ANSWER, Places, in_time
from router.edge.refused.keeper import RefusedKeeper
from router.edge.refused.sample import Attempt
from router.edge.shed_count import ShedCount
from router.edge.summary import Response, Summary
from router.errors import NotDurable, ProviderFailed, Reason, RefusedDelivery, Unwelcome
from router.telemetry.logs import Log

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
AsgiSend = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, AsgiSend], Awaitable[None]]

_ROUTE = re.compile(rb"/webhooks/([A-Za-z0-9_-]{1,64})(?:/([A-Za-z0-9_-]{1,128}))?")


@dataclass(frozen=True)
class Limits:
    """Limits of one request, in bytes and seconds.

    `linger_*` limit what is still read after an answer that did not wait for the whole request.
    """

    body_bytes: int
    header_bytes: int
    linger_bytes: int = 64 * 1024
    linger_seconds: float = 2.0


class SenderGone(Exception):  # noqa: N818 - named after the event
    """The sender closed the connection before the whole body had arrived."""


@dataclass
class Edge:
    """The ASGI application: answers every HTTP request, passes every other scope to `rest`.

    `delay()` returns how long, in seconds, bytes read now may have waited for the event loop.
    """

    gates: Mapping[str, Gate]
    intake: Intake
    limits: Limits
    proxies: tuple[Network, ...]
    clock: Clock
    metrics: EdgeMetrics
    refused: RefusedKeeper
    log: Log
    rest: App
    admission: Admission
    places: Places
    delay: Callable[[], float] = lambda: 0.0
    deliveries: DeliveryLog = field(default_factory=DeliveryLog)
    in_flight: int = 0
    _shed: ShedCount = field(default_factory=ShedCount)

    async def __call__(self, scope: Scope, receive: Receive, send: AsgiSend) -> None:
        """Serve one ASGI scope."""
        if scope["type"] != "http":
            await self.rest(scope, receive, send)
            return
        self.in_flight += 1
        try:
            response = await self._answer(scope, receive)
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

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        started = time.perf_counter()
        gate = self._gate(scope["raw_path"])
        summary = Summary(gate, self._source(scope))
        visit = _visit(scope)
        if visit is not None and summary.source != visit.peer:
            self.admission.attribute(visit, budget_source(summary.source))
        try:
            received = await self._within_deadline(summary, scope, receive)
            response = summary.kept(received)
            self._log_failed_provider(summary, received)
        except RefusedDelivery as problem:
            response = summary.refused(problem)
            self._keep_refused(problem, summary, scope)
        except Exception as problem:
            # Any error means that the delivery is not durable: the gateway must send it again.
            self.log.exception("delivery_failed", endpoint=summary.endpoint)
            response = summary.refused(NotDurable(Reason.INTERNAL, type(problem).__name__))
        self._record(summary, response, time.perf_counter() - started)
        return response

    def _log_failed_provider(self, summary: Summary, received: Received) -> None:
        problem = received.quarantined
        if isinstance(problem, ProviderFailed):
            self.log.error("provider_failed", endpoint=summary.endpoint, exc_info=problem.__cause__)

    async def _within_deadline(self, summary: Summary, scope: Scope, receive: Receive) -> Received:
        """Read and receive within the endpoint's deadline, or raise RefusedDelivery."""
        gate = summary.gate
        if gate is None:
            raise Unwelcome(Reason.UNKNOWN_ENDPOINT, 404)
        endpoint = gate.endpoint
        arrived = _state(scope).get(FIRST_BYTE, time.monotonic())
        try:
            async with asyncio.timeout(self._seconds_left(arrived, endpoint)):
                self._check_caller(gate, scope)
                self._check_head(endpoint, scope)
                body = await self._body(endpoint, scope, receive)
                summary.whole = True
                delivery = summary.delivery = self._delivery(endpoint, scope, body)
                return await self._received(delivery, endpoint, scope)
        except TimeoutError:
            if not summary.whole:
                raise Unwelcome(Reason.BODY_TOO_SLOW, 408) from None
            raise NotDurable(Reason.NOT_DURABLE, "no acknowledgement in time") from None

    def _seconds_left(self, arrived: float, endpoint: Endpoint) -> float:
        """Return how long a delivery may still take, so that its answer is not late.

        After the time-out the loop still needs a turn to notice it and one to answer.
        """
        deadline = endpoint.deadline_seconds
        margin = min(self.delay() * TURNS_TO_ANSWER, deadline / 2)
        return arrived + deadline - margin - time.monotonic()

    async def _received(self, delivery: Delivery, endpoint: Endpoint, scope: Scope) -> Received:
        """Verify, then take a place among the deliveries being published, then publish."""
        visit = _visit(scope)
        with contextlib.ExitStack() as places:

            def proved() -> None:
                self.places.take()
                places.callback(self.places.give_back)
                if visit is not None:
                    self.admission.move(visit, Stage.PROVED)

            return await self.intake.receive(delivery, endpoint, proved)

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

    def _source(self, scope: Scope) -> str:
        peer, _ = scope.get("client") or (None, None)
        return source_of(peer, scope["headers"], self.proxies)

    def _keep_refused(self, problem: RefusedDelivery, summary: Summary, scope: Scope) -> None:
        """Queue a sample of a refused delivery to a known endpoint, within its rate limit."""
        gate = summary.gate
        if gate is None or not self.refused.wants(gate.endpoint.name, problem):
            return
        read = summary.delivery
        delivery = read or self._delivery(gate.endpoint, scope, b"")
        attempt = Attempt(
            delivery, summary.provider, summary.source, gate.secrets, body_read=read is not None
        )
        self.refused.keep(problem, attempt)

    def _check_caller(self, gate: Gate, scope: Scope) -> None:
        if gate.allow_from is None:
            return
        peer, _ = scope.get("client") or (None, None)
        address = caller(peer, forwarded_for(scope["headers"]), self.proxies)
        if not is_among(address, gate.allow_from):
            detail = f"{address or 'an unknown address'} is not in allow_from"
            raise Unwelcome(Reason.ADDRESS, 403, detail)

    def _check_head(self, endpoint: Endpoint, scope: Scope) -> None:
        provider = endpoint.provider
        if scope["method"] not in provider.methods:
            raise Unwelcome(Reason.METHOD, 405, f"expected {', '.join(sorted(provider.methods))}")
        headers = scope["headers"]
        if _head_bytes(scope) > self.limits.header_bytes:
            raise Unwelcome(Reason.HEADERS_TOO_LARGE, 431)
        _check_length(headers, self.limits.body_bytes)

    async def _body(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> bytes:
        started = time.perf_counter()
        try:
            body = await _read(receive, self.limits.body_bytes)
        except SenderGone:
            visit = _visit(scope)
            if visit is not None and visit.gave_way:
                raise NotDurable(Reason.OVERLOADED, "gave way to other senders") from None
            raise Unwelcome(Reason.BODY_INCOMPLETE, 400, "the sender disconnected") from None
        self.metrics.phase(endpoint.name, "read", time.perf_counter() - started)
        return body

    def _delivery(self, endpoint: Endpoint, scope: Scope, body: bytes) -> Delivery:
        target = endpoint.target
        if scope["query_string"]:
            target += "?" + scope["query_string"].decode("latin-1")
        return Delivery(
            endpoint=endpoint.name,
            account=endpoint.account,
            method=scope["method"],
            target=target,
            headers=tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, value in scope["headers"]
            ),
            body=body,
            received_at=self.clock(),
        )

    def _record(self, summary: Summary, response: Response, seconds: float) -> None:
        s = summary
        if s.gate is None:
            self.metrics.stranger(s.outcome, s.reason)
        else:
            self.metrics.of(s.endpoint).answered(s.outcome, s.reason, s.key, seconds)
            if s.ignored is not None:
                self.metrics.of(s.endpoint).ignored(s.ignored)
        self.deliveries.answered(s, response.status, seconds)


def _head_bytes(scope: Scope) -> int:
    # The target is stored with an event as the headers are, so it counts with them.
    headers = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return headers + len(scope["raw_path"]) + len(scope["query_string"])


def _check_length(headers: list[tuple[bytes, bytes]], limit: int) -> None:
    for name, value in headers:
        digits = value.lstrip(b"0")[:20] or b"0"
        if name == b"content-length" and digits.isdigit() and int(digits) > limit:
            raise Unwelcome(Reason.BODY_TOO_LARGE, 413, f"at most {limit} bytes")


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
            raise Unwelcome(Reason.BODY_TOO_LARGE, 413, f"at most {limit} bytes")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


async def _send(
    send: AsgiSend, response: Response, *, head: bool, linger: Awaitable[None] | None
) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        *response.headers,
        *(((b"connection", b"close"),) if response.closes else ()),
    ]
    body = b"" if head else response.body
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": linger is not None})
    if linger is not None:
        await linger
        await send({"type": "http.response.body", "body": b""})


def _state(scope: Scope) -> Mapping[str, Any]:
    """Return the connection's record of a request, empty if another server accepted it."""
    state: Mapping[str, Any] = scope.get("state") or {}
    return state


def _visit(scope: Scope) -> Visit | None:
    visit: Visit | None = _state(scope).get(VISIT)
    return visit
