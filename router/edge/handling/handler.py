"""Handles deliveries: synchronous but for the broker, so a delivery costs neither task nor timer.

A delivery is verified, normalized and given to the publisher in one step, and answered in a second
one when its records are durable. In between it waits as an entry of the publisher's queues.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from router.edge.delivery_log import DeliveryLog
from router.edge.handling.heads import delivery_of
from router.edge.http.admission import Admission, Stage
from router.edge.http.answers import Response
from router.edge.http.request_head import RequestHead
from router.edge.intake import Clock, Intake, Prepared, Received
from router.edge.metrics import EdgeMetrics
from router.edge.places import TURNS_TO_ANSWER, Places
from router.edge.publishing.submission import Submit
from router.edge.refused.keeper import RefusedKeeper
from router.edge.refused.sample import Attempt
from router.edge.summary import Summary
from router.errors import NotDurable, ProviderFailed, Reason, RefusedDelivery
from router.telemetry.logs import Log

GiveAnswer = Callable[[Response], None]
"""Receives the answer to a delivery, once."""


class DeliveryInWork:
    """A delivery that has no answer yet.

    `deadline` is the moment of the event loop's clock by which it must be durable.
    """

    __slots__ = (
        "answered",
        "deadline",
        "has_place",
        "prepared",
        "request",
        "started",
        "submitted_at",
        "summary",
    )

    def __init__(self, request: RequestHead, summary: Summary, deadline: float) -> None:
        """Start with the head of its request."""
        self.request = request
        self.summary = summary
        self.deadline = deadline
        self.started = self.submitted_at = time.perf_counter()
        self.has_place = False
        self.answered: GiveAnswer | None = None
        self.prepared: Prepared | None = None


@dataclass
class DeliveryHandler:
    """Handles deliveries whose requests have arrived whole, and answers each of them once.

    `delay()` returns how long, in seconds, bytes read now may have waited for the event loop.
    """

    intake: Intake
    submit: Submit
    places: Places
    admission: Admission
    clock: Clock
    metrics: EdgeMetrics
    refused: RefusedKeeper
    log: Log
    delay: Callable[[], float] = lambda: 0.0
    deliveries: DeliveryLog = field(default_factory=DeliveryLog)

    def begin(self, request: RequestHead, summary: Summary) -> DeliveryInWork:
        """Start to handle a request whose head has arrived; its time runs from its first byte."""
        now = asyncio.get_running_loop().time()
        return DeliveryInWork(request, summary, now + self._seconds_left(request, summary))

    def handle(self, work: DeliveryInWork, body: bytes, answered: GiveAnswer) -> None:
        """Handle a whole request; call `answered` once, now or when its records are durable."""
        work.answered = answered
        self._step(work, partial(self._prepare, work, body))

    def refuse(self, work: DeliveryInWork, problem: RefusedDelivery, answered: GiveAnswer) -> None:
        """Answer a request that is refused without its body."""
        work.answered = answered
        self._answer(work, self._refusal(work, problem))

    def fail(self, work: DeliveryInWork, error: Exception, answered: GiveAnswer) -> None:
        """Answer a request of which nothing is durable because of a bug."""
        work.answered = answered
        self._answer(work, self._failure(work, error))

    def _seconds_left(self, request: RequestHead, summary: Summary) -> float:
        """Return how long a delivery may still take, so that its answer is not late.

        After the time-out the loop still needs a turn to notice it and one to answer.
        """
        gate = summary.gate
        if gate is None:
            return 0.0
        deadline = gate.endpoint.deadline_seconds
        margin = min(self.delay() * TURNS_TO_ANSWER, deadline / 2)
        return request.first_byte_at + deadline - margin - time.monotonic()

    def _step(self, work: DeliveryInWork, step: Callable[[], Response | None]) -> None:
        """Take a step of a delivery, and answer it unless it has to wait for the broker."""
        try:
            response = step()
        except RefusedDelivery as problem:
            response = self._refusal(work, problem)
        except Exception as error:  # noqa: BLE001 - logged
            response = self._failure(work, error)
        if response is not None:
            self._answer(work, response)

    def _prepare(self, work: DeliveryInWork, body: bytes) -> Response | None:
        """Verify, then take a place among the deliveries being published, then publish."""
        summary = work.summary
        assert summary.gate is not None  # noqa: S101 - only known endpoints have deliveries
        endpoint = summary.gate.endpoint
        summary.whole = True
        delivery = delivery_of(work.request, endpoint, body, self.clock())
        summary.delivery = delivery
        work.prepared = self.intake.begin(delivery, endpoint, partial(self._prove, work))
        if not work.prepared.records:
            return self._durable(work, None)
        work.submitted_at = time.perf_counter()
        self.submit(work.prepared.records, partial(self._published, work), work.deadline)
        return None

    def _prove(self, work: DeliveryInWork) -> None:
        self.places.take()
        work.has_place = True
        if work.request.visit is not None:
            self.admission.move(work.request.visit, Stage.PROVED)

    def _published(self, work: DeliveryInWork, problem: NotDurable | None) -> None:
        self._step(work, partial(self._durable, work, problem))

    def _durable(self, work: DeliveryInWork, problem: NotDurable | None) -> Response:
        """Return the success answer, or raise what is answered instead."""
        if problem is not None:
            raise problem
        assert work.prepared is not None  # noqa: S101 - set before anything is published
        seconds = time.perf_counter() - work.submitted_at
        received = self.intake.durable(work.prepared, seconds)
        response = work.summary.kept(received)
        self._log_failed_provider(work.summary, received)
        return response

    def _refusal(self, work: DeliveryInWork, problem: RefusedDelivery) -> Response:
        response = work.summary.refused(problem)
        self._keep_refused(work, problem)
        return response

    def _failure(self, work: DeliveryInWork, error: Exception) -> Response:
        # Any error means that the delivery is not durable: the gateway must send it again.
        self.log.error("delivery_failed", endpoint=work.summary.endpoint, exc_info=error)
        return work.summary.refused(NotDurable(Reason.INTERNAL, type(error).__name__))

    def _answer(self, work: DeliveryInWork, response: Response) -> None:
        if work.has_place:
            work.has_place = False
            self.places.give_back()
        answered, work.answered = work.answered, None
        assert answered is not None  # noqa: S101 - each delivery is answered once
        try:
            self._record(work.summary, response, time.perf_counter() - work.started)
        finally:
            # A delivery is answered even if its metrics or its line fail.
            answered(response)

    def _keep_refused(self, work: DeliveryInWork, problem: RefusedDelivery) -> None:
        """Queue a sample of a refused delivery to a known endpoint, within its rate limit."""
        summary, gate = work.summary, work.summary.gate
        if gate is None or not self.refused.wants(gate.endpoint.name, problem):
            return
        read = summary.delivery
        delivery = read or delivery_of(work.request, gate.endpoint, b"", self.clock())
        attempt = Attempt(
            delivery, summary.provider, summary.source, gate.secrets, body_read=read is not None
        )
        self.refused.keep(problem, attempt)

    def _log_failed_provider(self, summary: Summary, received: Received) -> None:
        problem = received.quarantined
        if isinstance(problem, ProviderFailed):
            self.log.error("provider_failed", endpoint=summary.endpoint, exc_info=problem.__cause__)

    def _record(self, summary: Summary, response: Response, seconds: float) -> None:
        s = summary
        if s.gate is None:
            self.metrics.stranger(s.outcome, s.reason)
        else:
            self.metrics.of(s.endpoint).answered(s.outcome, s.reason, s.key, seconds)
            if s.ignored is not None:
                self.metrics.of(s.endpoint).ignored(s.ignored)
        self.deliveries.answered(s, response.status, seconds)
