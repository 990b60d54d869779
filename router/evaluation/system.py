"""`payrouter dev`: the whole system on one machine, started, watched and stopped in order."""

import asyncio
import contextlib
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import make_url

from router.broker.client import make_admin
from router.broker.connection import KafkaConnection
from router.broker.topics.changing import touch
from router.broker.topics.listing import TopicsUnavailable, administering, describe_topics
from router.configuration.settings import Settings
from router.configuration.sources import read_sources
from router.configuration.topic_needs import topic_needs
from router.contract.topics import Topics, TopicsBeside
from router.errors import ConfigurationError
from router.evaluation.data_dir import DataDir, resolve_settings
from router.evaluation.embedded import EvaluationBroker, EvaluationDatabase
from router.evaluation.supervise import Child
from router.telemetry.management import listen

READY_SECONDS = 60.0
EXPORTER_SECONDS = 15.0
DRAIN_SECONDS = 10.0
MANAGEMENT_OFFSET = 1000
"""Offset of the edge's management port from its port; the consumers' ports follow it, then those
of the exporter and the console, and the port of the console's pages."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class DevPlan:
    """Options of one run of `dev`, and the work that it delegates."""

    config: Path | None
    given: bool
    data_dir: DataDir
    port: int
    public_url: str
    consumers: Sequence[str]
    environ: dict[str, str]
    topics: Callable[[Topics], TopicsBeside]
    prepare: Callable[[], Awaitable[None]]
    say: Callable[[str], None]
    log: Callable[[str], None] | None = None
    """Receives each line of the processes' logs; without it, they write to standard error."""
    log_environ: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment of the processes if `log` receives their lines."""

    @property
    def edge_management(self) -> str:
        """The URL of the edge's management port."""
        return f"http://127.0.0.1:{self.port + MANAGEMENT_OFFSET}"

    def consumer_management(self, name: str) -> str:
        """Return the URL of a consumer's management port."""
        number = self.consumers.index(name) + 1
        return f"http://127.0.0.1:{self.port + MANAGEMENT_OFFSET + number}"

    @property
    def management_ports(self) -> Sequence[int]:
        """The management ports: the edge's, each consumer's, the exporter's, the console's."""
        first = self.port + MANAGEMENT_OFFSET
        return range(first, first + len(self.consumers) + 3)

    @property
    def console_port(self) -> int:
        """The port of the console's pages."""
        return self.management_ports[-1] + 1

    @property
    def console_url(self) -> str:
        """The URL of the console's pages."""
        return f"http://127.0.0.1:{self.console_port}"


@dataclass(frozen=True)
class Running:
    """A running system: its settings, addresses and processes."""

    plan: DevPlan
    settings: Settings
    bootstrap: str
    own_broker: bool
    database: str
    own_database: bool
    children: Sequence[Child]


@contextlib.asynccontextmanager
async def running(plan: DevPlan) -> AsyncIterator[Running]:
    """Run the system while the block runs; stop it in order: edge, consumers, database, broker."""
    values = read_sources(plan.config, plan.environ)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(plan.data_dir.held())
        _refuse_taken_ports(plan)
        bootstrap = await _broker(plan, values, stack)
        database = await _database(plan, values, stack)
        _announce(plan, bootstrap, database)
        stack.callback(plan.data_dir.withdraw)
        settings = resolve_settings(plan.config, plan.data_dir, plan.environ)
        await _topics(plan, settings, own_broker=bootstrap is not None)
        await plan.prepare()
        children = await _children(plan, stack)
        yield Running(
            plan,
            settings,
            settings.kafka.bootstrap_servers,
            bootstrap is not None,
            _where(settings),
            database is not None,
            children,
        )
        plan.say("stopping, in order: edge, consumers, database, broker")


async def _topics(plan: DevPlan, settings: Settings, *, own_broker: bool) -> None:
    """Create the topics on the evaluation broker; raise TopicsUnavailable if another lacks one."""
    needs = topic_needs(settings, plan.topics(settings.topics.topics()))
    make = partial(make_admin, KafkaConnection.of(settings.kafka))
    async with administering(make, settings.kafka.bootstrap_servers) as admin:
        if own_broker:
            await touch(admin, [need.name for need in needs])
            return
        found = await describe_topics(admin, needs)
    missing = [need.name for need in needs if need.matters and found[need.name].partitions == {}]
    if missing:
        message = (
            f"the broker at {settings.kafka.bootstrap_servers} has no topic"
            f" {', '.join(missing)}: run `payrouter topics apply`"
        )
        raise TopicsUnavailable(message)


async def _broker(
    plan: DevPlan, values: dict[str, Any], stack: contextlib.AsyncExitStack
) -> str | None:
    """Start the evaluation broker, unless the configuration names another."""
    if values.get("kafka", {}).get("bootstrap_servers"):
        return None
    broker = EvaluationBroker()
    stack.push_async_callback(asyncio.to_thread, broker.stop)
    address = await _to_the_end(broker.start)
    plan.say(f"broker        {address}  (for evaluation: in memory, lost when this stops)")
    return address


async def _database(
    plan: DevPlan, values: dict[str, Any], stack: contextlib.AsyncExitStack
) -> str | None:
    """Start the evaluation database, unless the configuration names another."""
    own = values.get("database", {})
    if own.get("url") or own.get("url_file"):
        return None
    database = EvaluationDatabase(plan.data_dir.path)
    stack.push_async_callback(asyncio.to_thread, database.stop)
    with plan.data_dir.kept_private():
        url = await _to_the_end(database.start)
    plan.say(f"database      {plan.data_dir.path / 'postgres'}  (PostgreSQL, persistent)")
    return url


async def _to_the_end(start: Callable[[], _Answer]) -> _Answer:
    """Start something in a thread; even if cancelled, wait for it, so that it can be stopped."""
    task = asyncio.create_task(asyncio.to_thread(start))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


def _announce(plan: DevPlan, bootstrap: str | None, database: str | None) -> None:
    edge, *consumers, exporter, console = plan.management_ports
    ports = {
        "edge": {
            "port": plan.port,
            "management_port": edge,
            "public_url": plan.public_url,
        },
        "consumers": {
            name: {"management_port": port}
            for name, port in zip(plan.consumers, consumers, strict=True)
        },
        "exporter": {"management_port": exporter},
        "console": {"port": plan.console_port, "management_port": console},
    }
    # Who runs everything here may also act, unless the configuration has another value.
    own = {"actions": True, "edges": [f"{plan.edge_management}/metrics"]}
    addresses: dict[str, Any] = {"console": own}
    if bootstrap is not None:
        addresses["kafka"] = {"bootstrap_servers": bootstrap}
        one = {"partitions": 4, "replication_factor": 1, "min_insync_replicas": 1}
        addresses["topics"] = one
        # Every run of the evaluation broker is another cluster, which begins empty.
        addresses["consumers"] = {name: {"other_cluster": "read"} for name in plan.consumers}
    if database is not None:
        addresses["database"] = {"url": database}
    config = None if plan.config is None else str(plan.config.resolve())
    plan.data_dir.announce({"config": config, "ports": ports, "addresses": addresses})


async def _children(plan: DevPlan, stack: contextlib.AsyncExitStack) -> Sequence[Child]:
    """Start the edge, the consumers, exporter and console, and wait until each is ready."""
    consumers = [
        _child(plan, name, ["consume", name], plan.consumer_management(name))
        for name in plan.consumers
    ]
    edge = _child(plan, "edge", ["edge"], plan.edge_management)
    beside = [
        _child(plan, name, [name], f"http://127.0.0.1:{port}")
        for name, port in zip(("exporter", "console"), plan.management_ports[-2:], strict=True)
    ]
    stack.push_async_callback(_stop_together, consumers)
    for child in consumers:
        await child.start()
    # Stopped in reverse order: the edge first, then the consumers, once its events are applied.
    stack.push_async_callback(_drained, [child.management for child in consumers])
    stack.push_async_callback(edge.stop)
    await edge.start()
    # No other process depends on these: they start last and stop first.
    stack.push_async_callback(_stop_together, beside)
    for child in beside:
        await child.start()
    for child in (*consumers, edge):
        await _ready(child)
        plan.say(f"{child.name:<13} ready")
    # An exporter without rights on the user's own broker must not stop the whole system.
    for child in beside:
        problem = await _unready(child, EXPORTER_SECONDS)
        plan.say(f"{child.name:<13} {'ready' if problem is None else problem}")
    return [edge, *consumers, *beside]


async def _stop_together(children: Sequence[Child]) -> None:
    await asyncio.gather(*[child.stop() for child in children])


def _child(plan: DevPlan, name: str, command: list[str], management: str) -> Child:
    # -P: a folder named `consumers` in the user's working directory must not be imported.
    argv = [sys.executable, "-P", "-m", "consumers", *command, "--supervised"]
    argv += ["--data-dir", str(plan.data_dir.path)]
    if plan.given and plan.config is not None:
        argv += ["--config", str(plan.config)]
    environ = None if plan.log is None else {**plan.environ, **plan.log_environ}
    return Child(name, argv, management, plan.say, plan.log, environ)


async def _ready(child: Child) -> None:
    problem = await _unready(child, READY_SECONDS)
    if problem is not None:
        message = f"{child.name} is {problem}"
        raise ConfigurationError(message)


async def _unready(child: Child, seconds: float) -> str | None:
    """Wait until a child is ready; return why it is not, or raise if it has ended."""
    until = time.monotonic() + seconds
    detail = ""
    while time.monotonic() < until:
        good, detail = await asyncio.to_thread(probe, f"{child.management}/readyz")
        if good:
            child.settled()
            return None
        child.check_started()
        await asyncio.sleep(0.1)
    child.settled()
    return f"not ready after {seconds:.0f} s: {detail}"


async def _drained(managements: Sequence[str]) -> None:
    """Wait, within a time limit, until the consumers have applied all published events."""
    until = time.monotonic() + DRAIN_SECONDS
    quiet = 0
    while quiet < _QUIET_LOOKS and time.monotonic() < until:
        await asyncio.sleep(0.3)
        lags = [await asyncio.to_thread(lag, management) for management in managements]
        quiet = quiet + 1 if not any(lags) else 0


_QUIET_LOOKS = 3
"""Checks in a row without lag before consumers count as drained.

A consumer learns the end of a log only from its next fetch.
"""


def probe(url: str) -> tuple[bool, str]:
    """Query a probe; return whether it is good, and its text."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own URL
            return True, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return False, error.read().decode().strip()
    except OSError as error:
        return False, f"does not answer ({type(error).__name__})"


def lag(management: str) -> int:
    """Return the number of records that a consumer has yet to apply; 0 if it does not answer."""
    good, text = probe(f"{management}/metrics")
    if not good:
        return 0
    families = text_string_to_metric_families(text)
    return sum(
        int(sample.value)
        for family in families
        if family.name == "payrouter_lag_records"
        for sample in family.samples
    )


def _refuse_taken_ports(plan: DevPlan) -> None:
    ports = plan.management_ports
    for port in (plan.port, *ports, plan.console_port):
        try:
            listen("127.0.0.1", port).close()
        except (OSError, OverflowError) as error:
            rest = f"{ports[0]} to {plan.console_port} for the rest"
            message = f"--port: {error.args[-1]}; needed are {plan.port} for the edge, {rest}"
            raise ConfigurationError(message) from None


def _where(settings: Settings) -> str:
    if settings.database.url is None:
        return ""
    # Not just the part after the @: the query may contain a password.
    url = make_url(settings.database.url.get_secret_value())
    hosts = [url.query.get("host", "localhost")] if url.host is None else [url.host]
    port = url.port or url.query.get("port")
    return f"{hosts[0]}{f':{port}' if port else ''}/{url.database or ''}"
