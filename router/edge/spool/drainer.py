"""Publishes what the spool holds: in order per key, and many keys at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from router.contract.wire import OutgoingRecord
from router.edge.publishing.submission import Submit
from router.edge.spool.book import SpooledRecord
from router.edge.spool.spool import Spool
from router.edge.spool.storage.codec import EntryPlace, SpoolEntry, SpoolFormatError
from router.errors import NotDurable, RecordRefused
from router.telemetry.logs import Log

WINDOW: Final = 256
"""Most records with the broker at the same time."""

STILL_SECONDS: Final = 2.0
"""How long a stopping edge waits for the next acknowledgement."""

_LOOK_SECONDS: Final = 0.02


@dataclass(frozen=True)
class DrainTiming:
    """Time-outs and pauses of a drainer, in seconds."""

    send: float = 30.0
    """How long the broker has for a record; a later acknowledgement leads to a repetition."""
    silent_pause: float = 0.25
    """How long a topic is left alone that did not answer."""
    refused_pause: float = 5.0
    """How long a record is left alone that the broker refused, but not for good."""


ReadEntry = Callable[[EntryPlace], SpoolEntry]


@dataclass
class Drainer:
    """Sends records of the spool until they are acknowledged, set aside, or found damaged.

    `read` may block, so it runs in a thread. `answered` receives the topic of each
    acknowledgement. `permitted` returns, once it is known, whether this broker may have them.
    """

    spool: Spool
    submit: Submit
    read: ReadEntry
    answered: Callable[[str], None]
    permitted: Callable[[], Awaitable[bool]]
    log: Log
    aside_after_seconds: float
    timing: DrainTiming = field(default_factory=DrainTiming)
    in_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread
    """Calls a function that may block."""
    _in_flight: int = 0
    _paused: dict[str, float] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Look again for something to publish."""
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        # Only the broker's answer ends this.
        while not await self.permitted():  # noqa: ASYNC110 - as above
            await asyncio.sleep(self.timing.silent_pause)
        while True:
            self._wake.clear()
            taken = self.spool.book.take(WINDOW - self._in_flight, self._open)
            if taken:
                await self._send_all(taken)
            else:
                await self._wake.wait()

    async def until_empty(self, seconds: float) -> None:
        """Return once it is empty, nothing more is acknowledged, or the seconds have passed."""
        now = time.monotonic()
        until, before, changed = now + seconds, -1, now
        while (left := len(self.spool.book)) and now < min(until, changed + STILL_SECONDS):
            if left != before:
                before, changed = left, now
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()

    def _open(self, topic: str) -> bool:
        return self._paused.get(topic, 0.0) <= time.monotonic()

    async def _send_all(self, taken: Sequence[SpooledRecord]) -> None:
        self._in_flight += len(taken)
        contents = await self.in_thread(_read_all, self.read, taken)
        for record, content in zip(taken, contents, strict=True):
            if isinstance(content, OutgoingRecord):
                self._send(record, content)
            else:
                self._unread(record, content)

    def _send(self, record: SpooledRecord, content: OutgoingRecord) -> None:
        until = asyncio.get_running_loop().time() + self.timing.send
        result = partial(self._result, record, content)
        try:
            self.submit([content], result, until)
        except NotDurable as problem:
            result(problem)

    def _unread(self, record: SpooledRecord, error: Exception) -> None:
        self._in_flight -= 1
        if isinstance(error, SpoolFormatError):
            self.spool.damaged(record, str(error))
        else:
            self.log.error("spool_unreadable", detail=str(error))
            self._put_back(record, self.timing.refused_pause)
        self.wake()

    def _result(
        self, record: SpooledRecord, content: OutgoingRecord, problem: NotDurable | None
    ) -> None:
        self._in_flight -= 1
        topic = content.topic
        if problem is None:
            self._paused.pop(topic, None)
            self.spool.published(record)
            self.answered(topic)
        elif isinstance(problem, RecordRefused):
            self._refused(record, content, problem)
        else:
            self._paused[topic] = time.monotonic() + self.timing.silent_pause
            self.spool.book.not_acknowledged(record, at_once=True)
            asyncio.get_running_loop().call_later(self.timing.silent_pause * 1.1, self.wake)
            return
        self.wake()

    def _refused(
        self, record: SpooledRecord, content: OutgoingRecord, problem: RecordRefused
    ) -> None:
        """Set a record aside; one that only its topic refuses has as long as records may wait."""
        waited = self.spool.now() - record.arrived
        if problem.for_good or waited > self.aside_after_seconds:
            again = partial(self._aside_done, record)
            self.spool.set_aside(record, content, problem.detail, again)
        else:
            self._put_back(record, self.timing.refused_pause)

    def _aside_done(self, record: SpooledRecord) -> None:
        self._offer_later(record, self.timing.refused_pause)
        self.wake()

    def _put_back(self, record: SpooledRecord, pause: float) -> None:
        self.spool.book.not_acknowledged(record, at_once=False)
        self._offer_later(record, pause)

    def _offer_later(self, record: SpooledRecord, pause: float) -> None:
        # Without effect if the record is done with by then.
        asyncio.get_running_loop().call_later(pause, self._offer, record)

    def _offer(self, record: SpooledRecord) -> None:
        self.spool.book.offer_again(record)
        self.wake()


def _read_all(
    read: ReadEntry, records: Sequence[SpooledRecord]
) -> list[OutgoingRecord | Exception]:
    return [_read(read, record) for record in records]


def _read(read: ReadEntry, record: SpooledRecord) -> OutgoingRecord | Exception:
    assert record.place is not None  # noqa: S101 - only stored records are taken
    try:
        return read(record.place).records[record.index]
    except (OSError, SpoolFormatError) as error:
        return error
    except IndexError:
        return SpoolFormatError("an entry has fewer records than when it was written")
