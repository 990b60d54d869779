"""Two edges and three consumers, each process replaceable while the others run."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.parts.ports import free_port
from tests.parts.rolling.versions import Version
from tests.parts.runtime.running import Running

CONSUMERS = ("ledger", "ledger", "inventory", "notifications")

CONFIG = """
[endpoints.shop]
provider = "blockatm"
secrets = ["{secret}"]
deadline_seconds = 5
[kafka]
bootstrap_servers = "{bootstrap}"
[topics]
partitions = 6
replication_factor = 1
min_insync_replicas = 1
[database]
url = "{url}"
[consumers.notifications.channels.hook]
url = "{hook}"
[consumers.notifications.operators.on-call]
[[consumers.notifications.rules]]
on = ["payment.confirmed"]
to = "on-call"
channels = ["hook"]
"""


@dataclass
class Fleet:
    """The running processes of a system."""

    config: Path
    stack: contextlib.AsyncExitStack
    ports: Sequence[int] = field(default_factory=lambda: (free_port(), free_port()))
    edges: list[Running] = field(default_factory=list)
    consumers: dict[str, list[Running]] = field(default_factory=dict)

    async def start(self, version: Version) -> None:
        """Start every process in one version."""
        for port in self.ports:
            self.edges.append(await self._edge(version, port))
        for name in CONSUMERS:
            self.consumers.setdefault(name, []).append(await self.consumer(version, name))

    async def _edge(self, version: Version, port: int) -> Running:
        return await version.start(self.stack, self.config, "edge", PAYROUTER_EDGE__PORT=str(port))

    async def consumer(self, version: Version, name: str) -> Running:
        """Start a consumer."""
        return await version.start(self.stack, self.config, "consume", name)

    async def replace_edges(self, version: Version) -> None:
        """Stop each edge in order and start the other version in its place, one at a time."""
        for place, port in enumerate(self.ports):
            await ended(self.edges[place])
            self.edges[place] = await self._edge(version, port)

    async def replace_consumers(self, version: Version, *names: str) -> None:
        """Do the same with each process of consumers; all of them unless named."""
        for name in names or dict.fromkeys(CONSUMERS):
            for place, process in enumerate(self.consumers[name]):
                await ended(process)
                self.consumers[name][place] = await self.consumer(version, name)

    async def scale(self, version: Version, name: str, number: int) -> None:
        """Change the number of processes of a consumer."""
        own = self.consumers[name]
        while len(own) > number:
            await ended(own.pop())
        while len(own) < number:
            own.append(await self.consumer(version, name))


async def ended(process: Running) -> None:
    """Stop a process; it has to end in order."""
    assert await process.stop() == 0, process.lines[-5:]


@contextlib.asynccontextmanager
async def fleet(config: Path) -> AsyncIterator[Fleet]:
    """End what is left of the processes with the block."""
    async with contextlib.AsyncExitStack() as stack:
        yield Fleet(config, stack)
