"""Reloads the configuration while the edge serves: on SIGHUP, and when a file changes."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from router.background import in_background
from router.configuration.addresses import networks
from router.configuration.settings import Settings
from router.edge.gate import Gate, shortest_deadline
from router.edge.http.tls import ReadPair, ServerCertificate
from router.edge.metrics import EdgeMetrics
from router.edge.routes import Edge
from router.errors import ConfigurationError
from router.secrets.file_watch import FileWatch
from router.telemetry.declaring import MetricDeclarations
from router.telemetry.logs import Log, set_level

_Table = TypeVar("_Table", bound=BaseModel)

LOOK_SECONDS = 1.0
"""Interval between checks of the files; the second check that sees a change reloads."""

RETRY_SECONDS = 10.0
"""Interval between attempts to read a refused configuration: a missing file may appear later."""

_LIVE = {"endpoints", "edge.trusted_proxies", "edge.public_url", "log.level"}
"""Keys that apply without a restart, besides the paths of the TLS pair."""

_TLS = {"edge.tls_certificate", "edge.tls_key"}

_UNUSED = ("database", "consumers", "exporter", "console", "order")
"""Tables that the edge does not read."""


@dataclass(frozen=True)
class ConfigurationSource:
    """The origin of the configuration: `read` reads it again, `file` returns its main file."""

    read: Callable[[], Settings]
    file: Callable[[], Path | None]


class ReloadMetrics:
    """Metrics of configuration reloads."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare the metrics, with the start as the last successful reload."""
        declare = MetricDeclarations(registry)
        self.reloads = declare.counter(
            "payrouter_configuration_reloads",
            "Times the configuration was read again. applied: it is now in force; refused: it is"
            " invalid, and the previous one stays in force",
            "result",
        )
        for result in ("applied", "refused"):
            self.reloads.labels(result)
        self.succeeded = declare.gauge(
            "payrouter_configuration_last_reload_successful",
            "1 if the configuration that was read last is in force, 0 if it was refused",
        )
        self.succeeded.set(1)
        self.applied_at = declare.gauge(
            "payrouter_configuration_last_reload_success_timestamp_seconds",
            "When the configuration in force was read, unix time",
        )
        self.applied_at.set_to_current_time()
        self.needs_restart = declare.gauge(
            "payrouter_configuration_keys_awaiting_restart",
            "Changed keys of the configuration that need a restart to take effect; the log line"
            " configuration_applied names them",
        )

    def applied(self, awaiting: int) -> None:
        """Count a configuration that is in force."""
        self.reloads.labels("applied").inc()
        self.succeeded.set(1)
        self.applied_at.set_to_current_time()
        self.needs_restart.set(awaiting)

    def refused(self) -> None:
        """Count a configuration that was refused."""
        self.reloads.labels("refused").inc()
        self.succeeded.set(0)


class CertificateMetrics:
    """Metric of the TLS certificate in use."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Declare the metric."""
        self.expires = MetricDeclarations(registry).gauge(
            "payrouter_tls_certificate_expiry_timestamp_seconds",
            "When the TLS certificate in use expires, unix time; 0 if the edge has none",
        )


@dataclass(frozen=True)
class Checked:
    """A valid configuration: read and checked as a whole, but not yet in force."""

    settings: Settings
    gates: Mapping[str, Gate] = field(repr=False)
    pair: ReadPair | None


@dataclass
class LiveEdge:
    """An edge whose configuration is replaced as a whole while it serves.

    `judge` raises ConfigurationError for settings that the edge would not start with.
    """

    edge: Edge
    metrics: EdgeMetrics
    certificate: ServerCertificate | None
    certificate_metrics: CertificateMetrics
    judge: Callable[[Settings], Mapping[str, Gate]]

    def __post_init__(self) -> None:
        """Export the expiry of the certificate."""
        self._set_expiry()

    async def take(self, settings: Settings) -> None:
        """Put settings in force, or raise ConfigurationError and change nothing."""
        self.apply(await asyncio.to_thread(self.check, settings))

    def check(self, settings: Settings) -> Checked:
        """Check settings as a start does; may run in a thread."""
        gates = self.judge(settings)
        pair = None
        edge = settings.edge
        if self.certificate and edge.tls_certificate is not None and edge.tls_key is not None:
            pair = ReadPair(edge.tls_certificate, edge.tls_key)
        return Checked(settings, gates, pair)

    def apply(self, checked: Checked) -> None:
        """Put it in force in one step of the event loop; open deliveries keep the old settings.

        The metrics come first, so that the first delivery finds those of its endpoint.
        """
        self.metrics.follow(gate.endpoint for gate in checked.gates.values())
        self.edge.gates = checked.gates
        self.edge.places.shortest_deadline = shortest_deadline(checked.gates)
        self.edge.proxies = networks(checked.settings.edge.trusted_proxies)
        if self.certificate is not None and checked.pair is not None:
            self.certificate.use(checked.pair)
            self._set_expiry()
        set_level(checked.settings.log.level)

    def _set_expiry(self) -> None:
        if self.certificate is not None:
            self.certificate_metrics.expires.set(self.certificate.expires.timestamp())


class Reloaded(Protocol):
    """What a new configuration is put in force in."""

    async def take(self, settings: Settings) -> None:
        """Put settings in force, or raise ConfigurationError and change nothing."""


@dataclass
class Reloading:
    """Puts a new configuration in force as a whole, or keeps the one before.

    `started` holds the settings that cannot change without a restart.
    """

    started: Settings
    target: Reloaded
    reloads: ReloadMetrics
    log: Log
    _requested: asyncio.Event = field(default_factory=asyncio.Event)
    _refusal: str | None = None
    _read_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Start with the configuration that the process started with."""
        self.in_force = self.started

    @contextlib.asynccontextmanager
    async def following(self, source: ConfigurationSource) -> AsyncIterator[None]:
        """Reload from a source, on each change or SIGHUP, while the block runs."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._requested.set)
        async with in_background(self._follow(source)):
            yield

    async def reload(self, source: ConfigurationSource) -> None:
        """Read the source again; apply it, or log why it is refused."""
        try:
            settings = await asyncio.to_thread(source.read)
            await self.target.take(settings)
            self._applied(settings)
        except ConfigurationError as error:
            self._refuse("\n".join(error.problems))
        except Exception as error:
            # Any failure leaves the edge running with the configuration in force.
            self.log.exception("configuration_unreadable")
            self._refuse(type(error).__name__)

    async def _follow(self, source: ConfigurationSource) -> None:
        watch = FileWatch()
        while True:
            try:
                await self._watch(watch, source)
                await self._pause()
                await self._check_files(watch, source)
            except Exception as error:  # noqa: BLE001 - logged once; the next check may succeed
                self._refuse(f"cannot check the files for changes: {type(error).__name__}")
                await asyncio.sleep(LOOK_SECONDS)

    async def _watch(self, watch: FileWatch, source: ConfigurationSource) -> None:
        """Watch the files in force; request a reload if one changed before it was watched."""
        files = await asyncio.to_thread(lambda: watched_files(self.in_force, source.file()))
        if await asyncio.to_thread(watch.follow, files) and await self._differs(source):
            self._requested.set()

    async def _check_files(self, watch: FileWatch, source: ConfigurationSource) -> None:
        changed = await asyncio.to_thread(watch.changed)
        retry = self._refusal is not None and time.monotonic() - self._read_at > RETRY_SECONDS
        if changed or retry or self._requested.is_set():
            if self._requested.is_set():
                self._refusal = None
            self._requested.clear()
            await self.reload(source)
            self._read_at = time.monotonic()

    async def _differs(self, source: ConfigurationSource) -> bool:
        """Return whether a file was replaced after it was read and before it was watched."""
        try:
            return await asyncio.to_thread(source.read) != self.in_force
        except Exception:  # noqa: BLE001 - the reload that follows logs the problem
            return True

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            # Not `wait_for`, which in Python 3.11 can swallow the cancellation of this task.
            async with asyncio.timeout(LOOK_SECONDS):
                await self._requested.wait()

    def _refuse(self, detail: str) -> None:
        """Log a problem once, not at every retry."""
        if detail != self._refusal:
            self._refusal = detail
            self.reloads.refused()
            self.log.error("configuration_refused", detail=detail)

    def _applied(self, settings: Settings) -> None:
        awaiting = awaiting_restart(self.started, settings)
        self.in_force, self._refusal = settings, None
        self.reloads.applied(len(awaiting))
        self.log.info(
            "configuration_applied", endpoints=sorted(settings.endpoints), needs_restart=awaiting
        )


def awaiting_restart(started: Settings, wanted: Settings) -> list[str]:
    """Return the keys that differ from those of the start and need a restart."""
    before, after = dict(_flat(started)), dict(_flat(wanted))
    live = _live_keys(started, wanted)
    changed = (
        key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)
    )
    return [key for key in changed if key not in live and not key.startswith(_UNUSED)]


def without_restart(started: Settings, wanted: Settings) -> Settings:
    """Return the settings of the start with those of the wanted ones that apply without a restart.

    A process that starts with them serves like one that started earlier and has reloaded.
    """
    live = _live_keys(started, wanted)
    return started.model_copy(
        update={
            "endpoints": wanted.endpoints,
            "edge": _updated("edge", started.edge, wanted.edge, live),
            "kafka": _updated("kafka", started.kafka, wanted.kafka, live),
            "log": _updated("log", started.log, wanted.log, live),
        }
    )


def _updated(table: str, started: _Table, wanted: _Table, live: set[str]) -> _Table:
    names = [name for name in type(started).model_fields if f"{table}.{name}" in live]
    return started.model_copy(update={name: getattr(wanted, name) for name in names})


def _live_keys(started: Settings, wanted: Settings) -> set[str]:
    live = set(_LIVE)
    if started.kafka.sasl_password_file is not None:
        # The file's content is read at each connection; its path only at the start.
        live.add("kafka.sasl_password")
    if started.edge.tls_certificate is not None and wanted.edge.tls_certificate is not None:
        # A replaced pair applies at once; turning TLS on or off needs a restart.
        live |= _TLS
    return live


def watched_files(settings: Settings, first: Path | None) -> list[Path]:
    """Return the files of a configuration that the edge reads."""
    edge = settings.edge
    own = [file for endpoint in settings.endpoints.values() for file in endpoint.secret_files]
    return [path for path in (first, edge.tls_certificate, edge.tls_key, *own) if path is not None]


def _flat(settings: BaseModel, under: str = "") -> Iterable[tuple[str, Any]]:
    for name in type(settings).model_fields:
        value, key = getattr(settings, name), f"{under}{name}"
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{key}.")
        else:
            yield key, value
