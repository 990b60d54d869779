"""Databases of the three consumers, what they applied, and the console's configuration for them."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from consumers.runtime.apply.process import Applier
from consumers.runtime.apply.stored_books import StoredBooks
from consumers.runtime.records import Partition
from consumers.runtime.service import Handler, Service
from router.contract.event import Event
from router.contract.topics import Topics
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import SECRET, TOKEN
from tests.parts.runtime.counting import record
from tests.parts.templates import Templates

PERSON = "x-person"
"""The header in which the proxy of the tests names the person."""

_PATIENT = "read_seconds = 60\nrequest_seconds = 300"
"""A busy machine must not change what is shown."""

_PEOPLE = """
[console.users.ana]
roles = { "*" = "operator" }
personal = true
[console.users.sam]
roles = { "*" = "viewer" }
[console.users.eva]
roles = { "shop-us" = "viewer" }
personal = true
[console.users.uli]
roles = { "shop-us" = "operator" }
personal = true
"""
"""An operator and a viewer of every account, a viewer and an operator of another account."""


@dataclass(frozen=True)
class ConsumerStores:
    """The databases, by consumer, and the broker."""

    broker: Broker
    prefix: str
    engines: Mapping[str, AsyncEngine]

    @property
    def topics(self) -> Topics:
        """The names of the topics."""
        return Topics(self.prefix)

    async def applied(self, service: Service, handle: Handler, *events: Event) -> None:
        """Apply these events to a consumer, as records of the first partition."""
        partition = Partition(self.topics.name(service.topics[0]), 0)
        engine = self.engines[service.name]
        applier = Applier(StoredBooks(engine, service, "cluster"), service, handle)
        fences = await applier.fences({partition: 0})
        batch = [record(offset, each, partition) for offset, each in enumerate(events)]
        await applier.apply(batch, fences)

    def configuration(self, console: str = "actions = true") -> str:
        """Return the text of payrouter.toml, with lines of `[console]`."""
        return "\n".join(
            (
                f'[kafka]\nbootstrap_servers = "{self.broker.bootstrap}"',
                f'[topics]\nprefix = "{self.prefix}"',
                "replication_factor = 1\nmin_insync_replicas = 1",
                *(self._endpoint(name, account) for name, account in _ENDPOINTS.items()),
                *(self._database(name) for name in self.engines),
                f'[console]\nproxy_header = "{PERSON}"\ntrusted_proxies = ["127.0.0.1"]',
                f"{_PATIENT}\n{console}",
                _PEOPLE,
            )
        )

    def _endpoint(self, name: str, account: str) -> str:
        token = f'token = "{TOKEN}"' if name == "guarded" else ""
        secrets = json.dumps([SECRET if account == "shop-eu" else SECRET[::-1]])
        return (
            f'[endpoints.{name}]\nprovider = "blockatm"\naccount = "{account}"\n'
            f"secrets = {secrets}\n{token}"
        )

    def _database(self, name: str) -> str:
        url = self.engines[name].url.render_as_string(hide_password=False)
        return f'[consumers.{name}.database]\nurl = "{url}"'


_ENDPOINTS = {"shop": "shop-eu", "guarded": "shop-eu", "other": "shop-us"}


@contextlib.asynccontextmanager
async def consumer_stores(
    broker: Broker, prefix: str, templates: Templates
) -> AsyncIterator[ConsumerStores]:
    """Give an empty database for each consumer."""
    with _copies(templates) as urls:
        engines = {name: create_async_engine(url) for name, url in urls.items()}
        try:
            yield ConsumerStores(broker, prefix, engines)
        finally:
            for engine in engines.values():
                await engine.dispose()


@contextlib.contextmanager
def _copies(templates: Templates) -> Iterator[Mapping[str, str]]:
    with ExitStack() as stack:
        yield {
            service.name: stack.enter_context(templates.copied(service))
            for service in (LEDGER, INVENTORY, NOTIFICATIONS)
        }
