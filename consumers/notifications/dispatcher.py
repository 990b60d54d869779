"""Send what is due on one channel: lease, send outside of any transaction, mark, say."""

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

from consumers.notifications.leases import (
    Leased,
    Wanted,
    as_due_in,
    as_failed,
    as_sent,
    lease,
    mark,
)
from consumers.notifications.options import ChannelOptions
from consumers.notifications.outside import Sending, Told
from consumers.notifications.rendering import Rendered, Texts, TextsError
from consumers.notifications.rules import CUSTOMER, idempotency_key
from consumers.notifications.tables import FAILED, SCHEMA
from consumers.runtime.apply.failures import Action, Phase, decide
from consumers.runtime.apply.outcomes import publish_outcomes
from consumers.runtime.store.database import transaction_of
from router.contract.outcome import OutcomeEvent, outcome_id
from router.telemetry.logs import get_log

MARGIN_SECONDS = 15.0
"""How much longer than a try a lease lasts: to write down what came of it."""

SETTLE_PAUSE_SECONDS = 0.5

Send = Callable[[Leased, Rendered, str], Told]
"""Sends one rendered message under its idempotency key, and may block while it does."""


@dataclass
class Dispatcher:
    """Sends the messages of one channel, in every process of the consumer."""

    channel: str
    limits: ChannelOptions
    send: Send
    texts: Texts
    outcome_topic: str
    owner: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{uuid4()}")
    busy: set[object] = field(default_factory=set)
    """One for each thread that sends, those included whose time has run out."""

    async def run(self, engine: AsyncEngine) -> bool:
        """Send what is due now, some of it; tell whether there may be more.

        Told to end, it first waits for what is on its way: what is sent gets marked.
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
        seconds = self.limits.timeout_seconds + MARGIN_SECONDS
        wanted = Wanted(self.channel, self.owner, room, seconds, self.limits.per_minute)
        async with transaction_of(engine) as transaction:
            taken = await lease(transaction, wanted)
        ends = [
            asyncio.ensure_future(self._deliver(engine, each, started + seconds)) for each in taken
        ]
        if ends:
            await asyncio.wait(ends)
        for end in ends:
            end.result()
        return bool(ends)

    async def _deliver(self, engine: AsyncEngine, leased: Leased, until: float) -> None:
        """Try a message once and write down what came of it, as long as its lease lasts."""
        told = await self._tried(leased, until)
        while True:
            try:
                await self._settle(engine, leased, told)
            except Exception as error:
                # What was sent and is not marked will be sent again: worth another try.
                if decide(error, Phase.PARKED) is not Action.RETRY or time.monotonic() > until:
                    raise
                await asyncio.sleep(SETTLE_PAUSE_SECONDS)
            else:
                return

    async def _tried(self, leased: Leased, until: float) -> Told:
        if leased.tries > self.limits.attempts:
            # Whoever had it before was gone each time before it could say what came of it.
            return Told(Sending.REFUSED, f"no end of it was heard in {self.limits.attempts} tries")
        try:
            return await self._in_thread(lambda: self._try(leased, until))
        except TimeoutError:
            return Told(Sending.AGAIN, f"no answer within {self.limits.timeout_seconds:g} s")
        except Exception as error:  # noqa: BLE001 - whatever a channel does is its own fault
            return Told(Sending.AGAIN, type(error).__name__)

    def _try(self, leased: Leased, until: float) -> Told:
        if time.monotonic() + self.limits.timeout_seconds > until:
            # A process that stood still for long: another one may have the message by now.
            return Told(Sending.AGAIN, "its turn came too late")
        audience = CUSTOMER if leased.recipient == CUSTOMER else "operator"
        try:
            rendered = self.texts.render(audience, leased.kind, leased.language, leased.facts)
        except TextsError as problem:
            return Told(Sending.REFUSED, str(problem))
        return self.send(leased, rendered, idempotency_key(leased.id, leased.edition))

    async def _settle(self, engine: AsyncEngine, leased: Leased, told: Told) -> None:
        values = self._values(leased, told)
        async with transaction_of(engine) as transaction:
            moment = await mark(transaction, leased, values)
            if moment is not None and told.fate is Sending.SENT:
                outcome = _outcome("notification.sent", self.channel, leased, moment)
                await publish_outcomes(transaction, SCHEMA, self.outcome_topic, [outcome])
            elif moment is not None and values["state"] == FAILED:
                outcome = _outcome("notification.failed", self.channel, leased, moment)
                await publish_outcomes(transaction, SCHEMA, self.outcome_topic, [outcome])
        self._log(leased, told, values["state"] if moment is not None else "lease lost")

    def _values(self, leased: Leased, told: Told) -> Mapping[str, Any]:
        if told.fate is Sending.SENT:
            return as_sent()
        if told.fate is Sending.REFUSED:
            return as_failed(told.why)
        if leased.tries >= self.limits.attempts:
            return as_failed(f"{told.why}, after {leased.tries} tries")
        return as_due_in(self._pause(leased.tries), told.why)

    def _pause(self, tries: int) -> float:
        longest = self.limits.retry_longest_seconds
        pause = min(longest, self.limits.retry_seconds * 2.0 ** min(tries - 1, 30))
        return pause * random.uniform(0.5, 1)  # noqa: S311 - jitter

    async def _in_thread(self, work: Callable[[], Told]) -> Told:
        """Do in a thread what may block; raise TimeoutError where it takes too long.

        A thread cannot be stopped: one whose time has run out counts as busy
        until it ends, so that a hanging receiver has no more than `at_once` of
        them. They are daemons, so that no end of the process waits for them.
        """
        answer: Future[Told] = Future()
        mine = object()

        def run() -> None:
            try:
                told = work()
            except Exception as error:  # noqa: BLE001 - it is for who waits
                end = partial(answer.set_exception, error)
            else:
                end = partial(answer.set_result, told)
            self.busy.discard(mine)
            with contextlib.suppress(InvalidStateError):  # nobody waits any more
                end()

        self.busy.add(mine)
        threading.Thread(target=run, name=f"send {self.channel}", daemon=True).start()
        return await asyncio.wait_for(asyncio.wrap_future(answer), self.limits.timeout_seconds)

    def _log(self, leased: Leased, told: Told, state: str) -> None:
        log = get_log("notifications")
        log.log(
            logging.INFO if told.fate is Sending.SENT else logging.WARNING,
            "message",
            state=state,
            channel=self.channel,
            recipient=leased.recipient,
            type=leased.kind,
            account=leased.account,
            reference=leased.reference,
            message_id=str(leased.id),
            attempt=leased.attempts,
            detail=told.why,
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
