"""The worker processes of a running edge, and deliveries that go to all of them."""

import asyncio
import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from router.contract.topics import Topics
from router.providers._signing import unix_ms_text
from tests.parts.edge.blockatm_requests import webhook
from tests.parts.edge.edge_server import SECRET, read_records
from tests.parts.edge.living_edge import LivingEdge
from tests.parts.edge.raw_http import exchange, request
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of
from tests.parts.waiting import eventually


def configuration_text(
    bootstrap: str, prefix: str = "", *, workers: int = 2, secret: str = SECRET, edge: str = ""
) -> str:
    """Write the configuration of an edge with workers; `living_edge` adds the ports."""
    return f"""
[endpoints.shop]
provider = "blockatm"
secrets = ["{secret}"]
deadline_seconds = 20
[edge]
workers = {workers}
{edge}
[kafka]
bootstrap_servers = "{bootstrap}"
[topics]
prefix = "{prefix}"
replication_factor = 1
min_insync_replicas = 1
"""


def delivery(number: int, secret: str = SECRET) -> bytes:
    """Write a genuine request about the payment with this number."""
    body = body_of(PAYMENT, id=number, orderNo=f"A-{number}")
    sent = webhook(body, time=unix_ms_text(datetime.now(UTC)), secret=secret.encode())
    return request("/webhooks/shop", sent.headers, sent.body)


def worker_pids(parent: int) -> dict[int, int]:
    """Return the process id of each worker by its number."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    found = {}
    for pid in map(int, children):
        # It may end in the meantime, and has no arguments before it executes the interpreter.
        with contextlib.suppress(OSError, ValueError):
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            number = int(arguments[arguments.index(b"router.edge.workers") + 1])
            found[number] = pid
    return found


def is_running(pid: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until_replaced(edge: LivingEdge, ended: Collection[int], workers: int = 2) -> None:
    """Wait until none of these processes is left and all workers are ready."""

    def replaced() -> bool:
        pids = worker_pids(edge.process.pid)
        return len(pids) == workers and not set(ended) & set(pids.values())

    await eventually(replaced, "successors of the workers")
    await edge.until_answered(200, "/readyz")


def workers_in_log(edge: LivingEdge) -> Counter[int]:
    """Return how many deliveries each worker has logged."""
    return Counter(line["worker"] for line in edge.log("delivery"))


async def published(bootstrap: str, prefix: str) -> Counter[str]:
    """Return how often each order is on the topic of payments."""
    records = await read_records(bootstrap, [Topics(prefix).name("payment")])
    return Counter(json.loads(record.value)["reference"] for record in records)


@dataclass
class SteadyLoad:
    """Gateways that deliver payments without a pause, each on new connections, and resend none."""

    port: int
    accepted: set[str] = field(default_factory=set)
    cut_off: int = 0
    _number: int = 1000

    @contextlib.asynccontextmanager
    async def going(self, senders: int = 8) -> AsyncIterator[None]:
        """Deliver while the block runs."""
        over = asyncio.Event()
        tasks = [asyncio.create_task(self._deliver(over)) for _ in range(senders)]
        try:
            yield
        finally:
            over.set()
            await asyncio.gather(*tasks)

    async def until_accepted(self, more: int) -> None:
        """Wait until so many more deliveries were accepted."""
        wanted = len(self.accepted) + more
        await eventually(lambda: len(self.accepted) >= wanted, f"{more} accepted deliveries")

    async def _deliver(self, over: asyncio.Event) -> None:
        while not over.is_set():
            self._number += 1
            number = self._number
            try:
                status = (await exchange(self.port, delivery(number))).status
            except (ConnectionError, asyncio.IncompleteReadError):
                # The connection of a worker that was killed.
                self.cut_off += 1
            else:
                # A worker that has started just now may not have reached its broker yet.
                assert status in {200, 503}
                if status == 200:
                    self.accepted.add(f"A-{number}")
            await asyncio.sleep(0)


def kill(pids: Iterable[int]) -> None:
    """Kill these processes at once, without a chance to clean up."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
