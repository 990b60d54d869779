"""Sends the due messages of one channel.

Leases them, sends outside of any transaction, then stores the result and
publishes the outcome.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.notifications.options import ChannelOptions
from consumers.notifications.rules import CUSTOMER, idempotency_key
from consumers.notifications.sending.apprise_channel import SendResult, SendStatus
from consumers.notifications.sending.leases import (
    Leased,
    LeaseRequest,
    as_due_in,
    as_failed,
    as_sent,
    lease,
    mark,
)
from consumers.notifications.sending.rendering import Rendered, Texts, TextsError
from consumers.notifications.tables import FAILED, SCHEMA
from consumers.runtime.apply.failures import Action, Phase, decide
from consumers.runtime.apply.outcomes import publish_outcomes
from consumers.runtime.store.database import transaction_of
from router.contract.outcome import OutcomeEvent, outcome_id
from router.telemetry.logs import get_log

MARGIN_SECONDS = 15.0
"""Time a lease lasts beyond the send time-out, to store the result."""

SETTLE_PAUSE_SECONDS = 0.5

SENT_WORD = "notification.sent"
"""Type of the outcome of a message that was sent."""

MessageSender = Callable[[Leased, Rendered, str], SendResult]
"""Sends one rendered message with its idempotency key; it may block."""


@dataclass
class Dispatcher:
    """Sends the messages of one channel; every process of the consumer runs one."""

    channel: str
    limits: ChannelOptions
    send: MessageSender
    texts: Texts
    outcome_topic: str
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{uuid4()}")
    margin_seconds: float = MARGIN_SECONDS
    busy: set[object] = field(default_factory=set)
    """One entry per sending thread, including threads whose send has timed out."""

    async def run(self, engine: AsyncEngine) -> bool:
        """Send some of the due messages; return whether there may be more.

        When cancelled, it first waits for messages in flight, so that sent messages are marked.
        """
        turn = asyncio.ensure_future(self._turn(engine))
        try:
            return await asyncio.shield(turn)
        except asyncio.CancelledError:
            await asyncio.wait([turn])
            raise

    async def _turn(self, engine: AsyncEngine) -> bool:
        room = self.limits.at_once - len(self.busy)
        started = time.monotonic()
        seconds = self.limits.timeout_seconds + self.margin_seconds
        request = LeaseRequest(self.channel, self.owner, room, seconds, self.limits.per_minute)
        async with transaction_of(engine) as transaction:
            taken = await lease(transaction, request)
        deliveries = [
            asyncio.ensure_future(self._deliver(engine, each, started + seconds)) for each in taken
        ]
        if deliveries:
            await asyncio.wait(deliveries)
        for delivery in deliveries:
            delivery.result()
        return bool(deliveries)

    async def _deliver(self, engine: AsyncEngine, leased: Leased, until: float) -> None:
        """Attempt a message once and store the result, as long as its lease lasts."""
        result = await self._attempted(leased, until)
        while True:
            try:
                await self._record(engine, leased, result)
            except Exception as error:
                # A sent message that is not marked will be sent again: try to mark it again.
                if decide(error, Phase.PARKED) is not Action.RETRY or time.monotonic() > until:
                    raise
                await asyncio.sleep(SETTLE_PAUSE_SECONDS)
            else:
                return

    async def _attempted(self, leased: Leased, until: float) -> SendResult:
        if leased.tries > self.limits.attempts:
            # Every earlier attempt ended without a stored result, for example by a crash.
            why = f"no result after {self.limits.attempts} attempts"
            return SendResult(SendStatus.REFUSED, why)
        try:
            return await self._in_thread(lambda: self._try(leased, until))
        except TimeoutError:
            return SendResult(
                SendStatus.RETRY, f"no answer within {self.limits.timeout_seconds:g} s"
            )
        except Exception as error:  # noqa: BLE001 - a channel may raise anything
            return SendResult(SendStatus.RETRY, type(error).__name__)

    def _try(self, leased: Leased, until: float) -> SendResult:
        if time.monotonic() + self.limits.timeout_seconds > until:
            # The process was suspended: another one may have leased the message by now.
            return SendResult(SendStatus.RETRY, "too little time left in the lease")
        audience = CUSTOMER if leased.recipient == CUSTOMER else "operator"
        try:
            rendered = self.texts.render(audience, leased.kind, leased.language, leased.facts)
        except TextsError as problem:
            return SendResult(SendStatus.REFUSED, str(problem))
        return self.send(leased, rendered, idempotency_key(leased.id, leased.edition))

    async def _record(self, engine: AsyncEngine, leased: Leased, result: SendResult) -> None:
        values = self._values(leased, result)
        async with transaction_of(engine) as transaction:
            moment = await mark(transaction, leased, values)
            if moment is not None and result.status is SendStatus.SENT:
                outcome = _outcome(SENT_WORD, self.channel, leased, moment)
                await publish_outcomes(transaction, SCHEMA, self.outcome_topic, [outcome])
            elif moment is not None and values["state"] == FAILED:
                outcome = _outcome("notification.failed", self.channel, leased, moment)
                await publish_outcomes(transaction, SCHEMA, self.outcome_topic, [outcome])
        self._log(leased, result, values["state"] if moment is not None else "lease lost")

    def _values(self, leased: Leased, result: SendResult) -> Mapping[str, Any]:
        if result.status is SendStatus.SENT:
            return as_sent()
        if result.status is SendStatus.REFUSED:
            return as_failed(result.why)
        if leased.tries >= self.limits.attempts:
            return as_failed(f"{result.why}, after {leased.tries} attempts")
        return as_due_in(self._pause(leased.tries), result.why)

    def _pause(self, tries: int) -> float:
        longest = self.limits.retry_longest_seconds
        pause = min(longest, self.limits.retry_seconds * 2.0 ** min(tries - 1, 30))
        return pause * random.uniform(0.5, 1)  # noqa: S311 - jitter

    async def _in_thread(self, work: Callable[[], SendResult]) -> SendResult:
        """Run blocking work in a thread; raise TimeoutError if it takes too long.

        A thread cannot be stopped. One that has timed out counts as busy until it
        ends, so that a hanging receiver occupies at most `at_once` threads. They
        are daemon threads, so that the process can exit without waiting for them.
        """
        answer: Future[SendResult] = Future()
        mine = object()

        def run() -> None:
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - raised again by the waiting task
                finish = partial(answer.set_exception, error)
            else:
                finish = partial(answer.set_result, result)
            self.busy.discard(mine)
            with contextlib.suppress(InvalidStateError):  # the waiting task has timed out
                finish()

        self.busy.add(mine)
        threading.Thread(target=run, name=f"send {self.channel}", daemon=True).start()
        return await asyncio.wait_for(asyncio.wrap_future(answer), self.limits.timeout_seconds)

    def _log(self, leased: Leased, result: SendResult, state: str) -> None:
        log = get_log("notifications")
        log.log(
            logging.INFO if result.status is SendStatus.SENT else logging.WARNING,
            "message",
            state=state,
            channel=self.channel,
            recipient=leased.recipient,
            type=leased.kind,
            account=leased.account,
            reference=leased.reference,
            message_id=str(leased.id),
            attempt=leased.attempts,
            detail=result.why,
        )


def _outcome(word: str, channel: str, leased: Leased, moment: Any) -> OutcomeEvent:  # noqa: ANN401
    return OutcomeEvent(
        id=outcome_id(word, str(leased.id), str(leased.attempts)),
        type=word,
        account=leased.account,
        reference=leased.reference,
        provider=leased.provider,
        provider_reference=leased.provider_reference,
        event_id=leased.event_id,
        at=moment,
        data={
            "message": str(leased.id),
            "channel": channel,
            "to": leased.recipient,
            "kind": leased.kind,
            "attempts": leased.attempts,
        },
    )
