"""The deployment of a chaos run: brokers, database, processes, gateways, receiver of messages."""

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router.configuration.settings import Settings, load_settings
from router.contract.topics import Topics
from router.edge.endpoints import build_endpoints
from tests.parts.notifications.receivers import Hook, hook
from tests.parts.platform.shop import ACCOUNT, fill
from tests.parts.whole_chaos.cluster import ThreeBrokers, three_brokers
from tests.parts.whole_chaos.gateway import Gateways
from tests.parts.whole_chaos.orders import GATEWAYS, Sold
from tests.parts.whole_chaos.plan import CONSUMERS, EDGES, SESSION_SECONDS
from tests.parts.whole_chaos.processes import Crew, crew
from tests.parts.whole_chaos.store import Takeover, postgres_with_standby

READ: Final[Mapping[str, Sequence[str]]] = {
    "ledger": ("payment", "payout"),
    "inventory": ("order", "payment"),
    "notifications": ("payment", "payout", "subscription", "order", "inventory.outcome"),
}
"""The topics of each consumer."""

PARTITIONS: Final = 3

_CONFIGURATION: Final = """\
[kafka]
bootstrap_servers = "{bootstrap}"
[topics]
partitions = {partitions}
replication_factor = 3
min_insync_replicas = 2
check_seconds = 1
[database]
url_file = "{folder}/database_url"
[log]
format = "json"
[consumers.notifications.channels.hook]
url = "{hook}"
[consumers.notifications.operators.on-call]
[[consumers.notifications.rules]]
on = ["payment.confirmed", "payout.confirmed"]
to = "on-call"
channels = ["hook"]
"""

_ENDPOINT: Final = """\
[endpoints.{name}]
provider = "{name}"
account = "{account}"
deadline_seconds = 5
secret_files = ["{folder}/{name}-current", "{folder}/{name}-next"]
"""

_TIMES: Final = {
    "session_timeout_seconds": SESSION_SECONDS,
    "transaction_timeout_seconds": SESSION_SECONDS - 1,
    "rebalance_timeout_seconds": 15,
    "retry_longest_seconds": 2,
    "batch_records": 50,
}
"""Shorter than usual, so that each fault is over sooner."""


@dataclass
class Site:
    """Everything that runs."""

    folder: Path
    kafka: ThreeBrokers
    store: Takeover
    crew: Crew
    gateways: Gateways
    receiver: Hook
    topics: Topics
    spooled: bool

    def keep_logs(self, where: Path) -> None:
        """Copy the logs of all processes and of the database to a folder."""
        where.mkdir(parents=True, exist_ok=True)
        for log in (*self.folder.glob("*.log"), *self.store.folder.glob("*.log")):
            shutil.copy(log, where)
        for name, node in self.kafka.nodes.items():
            (where / f"{name}.log").write_text(node.log_tail(), encoding="utf-8")

    def write_secret(self, name: str, text: str) -> None:
        """Replace a secret in its file, as a platform does: by renaming."""
        write_secret(self.folder, name, text)

    def topic(self, name: str) -> str:
        """Return the full name of a topic that consumers read."""
        consumer, _, kind = name.partition(".")
        if kind == "outcome":
            return self.topics.outcome(consumer)
        return self.topics.order if name == "order" else self.topics.name(name)

    def dead_letters(self, topic: str, consumer: str) -> str:
        """Return the topic of a consumer's dead letters of a topic."""
        return self.topics.dead_letter(self.topic(topic), consumer)


def write_secret(folder: Path, name: str, text: str) -> None:
    """Replace a secret in its file, as a platform does: by renaming."""
    draft = folder / f"{name}.draft"
    draft.write_text(text, encoding="utf-8")
    draft.rename(folder / name)


def can_spool() -> bool:
    """Return whether edges have spools to switch on."""
    return "spool" in Settings.model_fields


@contextlib.asynccontextmanager
async def site(
    sold: Sequence[Sold], rate: float, without: str | None, *, spooled: bool
) -> AsyncIterator[Site]:
    """Run the deployment while the block does."""
    async with hook() as receiver:
        stack = contextlib.ExitStack()
        try:
            made = await asyncio.to_thread(
                _opened, stack, sold, rate, without, receiver, spooled=spooled
            )
            yield made
        finally:
            await asyncio.to_thread(stack.close)


def _opened(
    stack: contextlib.ExitStack,
    sold: Sequence[Sold],
    rate: float,
    without: str | None,
    receiver: Hook,
    *,
    spooled: bool,
) -> Site:
    store = stack.enter_context(postgres_with_standby())
    kafka = stack.enter_context(three_brokers())
    folder = store.folder / "site"
    folder.mkdir()
    configure(folder, kafka.bootstrap, store.url, receiver.url)
    system = stack.enter_context(crew(folder, without, spooled=spooled))
    system.run("topics", "apply")
    system.run("db", "upgrade")
    settings = load_settings(folder / "payrouter.toml", {})
    topics = settings.topics.topics()
    fill(store.url, topics)
    ports = [system.members[name].ports["webhooks"] for name in EDGES]
    gateways = Gateways(sold, build_endpoints(settings), ports, rate, kafka.bootstrap, topics.order)
    system.start()
    return Site(folder, kafka, store, system, gateways, receiver, topics, spooled)


def configure(folder: Path, bootstrap: str, database_url: str, receiver: str) -> None:
    """Write configuration and secrets of all processes."""
    for name in GATEWAYS:
        secret = secrets.token_urlsafe(32)
        for which in ("current", "next"):
            write_secret(folder, f"{name}-{which}", secret)
    write_secret(folder, "database_url", database_url)
    text = "".join(_ENDPOINT.format(name=n, account=ACCOUNT, folder=folder) for n in GATEWAYS)
    text += _CONFIGURATION.format(
        bootstrap=bootstrap, partitions=PARTITIONS, folder=folder, hook=receiver
    )
    text += "".join(f"[consumers.{name}]\n{_times()}" for name in CONSUMERS)
    (folder / "payrouter.toml").write_text(text, encoding="utf-8")


def _times() -> str:
    return "".join(f"{name} = {value}\n" for name, value in _TIMES.items())
