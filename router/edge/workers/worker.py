"""A worker process: an edge that gets its configuration and its socket from a parent."""

import asyncio
import contextlib
import signal
import socket
from dataclasses import dataclass
from functools import partial
from typing import Final

from router.background import in_background
from router.edge.app import EdgeProcess, build_edge, taking_deliveries
from router.edge.workers.channel import Channel, to_parent
from router.edge.workers.messages import (
    AskHealth,
    AskMetrics,
    Begin,
    CannotStart,
    JudgeSettings,
    LastMetrics,
    NowServing,
    OwnHealth,
    OwnMetrics,
    SettingsAnswer,
    ToWorker,
    UseSettings,
    unpacked,
)
from router.edge.workers.shares import share_of
from router.errors import ConfigurationError
from router.telemetry.exposition import Exposition
from router.telemetry.logs import Log, configure_logging, get_log
from router.telemetry.management import stop_signal, stop_with_parent
from router.telemetry.snapshot import snapshot_pieces

READY_SECONDS: Final = 5.0
"""How long a worker waits to be ready before it accepts connections."""

READY_PAUSE_SECONDS: Final = 0.02


async def run_worker(listener: socket.socket, parent: socket.socket) -> int:
    """Take deliveries until SIGTERM, or until the parent ends; return the exit status."""
    channel = await to_parent(parent)
    begin = await channel.receive()
    if not isinstance(begin, Begin):
        return 0
    settings = unpacked(begin.settings)
    configure_logging(settings.log.level, settings.log.format, worker=begin.number)
    stopped = stop_signal()
    stop_with_parent(stopped)
    # The parent reads the configuration again; by default the signal would end this process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    opened = contextlib.ExitStack()
    try:
        share = share_of(settings, begin.number, begin.workers)
        process = build_edge(share, slot=begin.number)
        opened.enter_context(process.opened())
    except ConfigurationError as error:
        with contextlib.suppress(ConnectionError):
            await channel.send(CannotStart(list(error.problems)))
        return error.exit_code
    with opened:
        try:
            async with in_background(Answering(process, channel, get_log("edge")).run()):
                await _serve(process, listener, settings.edge.drain_seconds, channel, stopped)
        finally:
            await _report(process, channel)
    return 0


async def _serve(
    process: EdgeProcess,
    listener: socket.socket,
    drain_seconds: float,
    channel: Channel[ToWorker],
    stopped: asyncio.Event,
) -> None:
    log = get_log("edge")
    ready = partial(_until_ready, process, stopped)
    async with taking_deliveries(process, listener, drain_seconds, ready):
        with contextlib.suppress(ConnectionError):
            await channel.send(NowServing())
        log.info("worker_started")
        await stopped.wait()
        log.info("worker_stopping")
    log.info("worker_stopped")


async def _until_ready(process: EdgeProcess, stopped: asyncio.Event) -> None:
    """Wait a little for the broker: connections that wait in the queue would be answered 503."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY_SECONDS):
            # Readiness is derived from producer and topics: no event reports when it begins.
            while not process.ready().good and not stopped.is_set():  # noqa: ASYNC110 - as above
                await asyncio.sleep(READY_PAUSE_SECONDS)


async def _report(process: EdgeProcess, channel: Channel[ToWorker]) -> None:
    """Send the final metrics, so that nothing that was counted is missing afterwards."""
    # The parent may have ended first.
    with contextlib.suppress(ConnectionError):
        await channel.send(LastMetrics(b"".join(snapshot_pieces(process.registry))))
    await channel.close()


@dataclass
class Answering:
    """Answers the parent's questions while the worker serves."""

    process: EdgeProcess
    channel: Channel[ToWorker]
    log: Log

    def __post_init__(self) -> None:
        """Render metrics in slices, as for a scrape."""
        self._metrics = Exposition(self.process.registry, render=snapshot_pieces)

    async def run(self) -> None:
        """Answer until the parent ends."""
        async with asyncio.TaskGroup() as scrapes:
            while (message := await self.channel.receive()) is not None:
                if isinstance(message, AskMetrics):
                    # Takes longer than the others, which must not wait for it.
                    scrapes.create_task(self._measured(message))
                else:
                    await self._answer(message)

    async def _answer(self, message: ToWorker) -> None:
        match message:
            case AskHealth(question):
                health = self.process.ready()
                await self._send(OwnHealth(question, health.good, health.detail))
            case JudgeSettings(question, settings):
                await self._send(SettingsAnswer(question, await self._judged(settings, use=False)))
            case UseSettings(question, settings):
                await self._send(SettingsAnswer(question, await self._judged(settings, use=True)))
            case _:
                pass

    async def _measured(self, message: AskMetrics) -> None:
        await self._send(OwnMetrics(message.question, await self._metrics.latest()))

    async def _judged(self, data: bytes, *, use: bool) -> list[str]:
        live, settings = self.process.live, unpacked(data)
        try:
            checked = await asyncio.to_thread(live.check, settings)
            if use:
                live.apply(checked)
        except ConfigurationError as error:
            return list(error.problems)
        except Exception as error:
            # Any failure leaves the worker running with the configuration in force.
            self.log.exception("configuration_unreadable")
            return [type(error).__name__]
        return []

    async def _send(self, message: OwnHealth | OwnMetrics | SettingsAnswer) -> None:
        with contextlib.suppress(ConnectionError):
            await self.channel.send(message)
