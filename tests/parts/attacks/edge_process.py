"""`payrouter edge` in a separate process, with the given numbers of endpoints and descriptors."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.parts.attacks.child import ROOT, pin
from tests.parts.edge.edge_server import SECRET
from tests.parts.edge.raw_http import exchange, request
from tests.parts.leash import Leash
from tests.parts.ports import free_port

_START_SECONDS = 90.0

_TLS = ROOT / "tests" / "samples" / "tls"
CERTIFICATE = _TLS / "certificate.pem"
_KEY = _TLS / "key.pem"


@dataclass(frozen=True)
class Layout:
    """How an edge is set up."""

    bootstrap: str
    prefix: str
    endpoints: int = 10
    deadline_seconds: float = 2.5
    descriptors: int | None = None
    """None keeps the limit of the tests."""
    tls: bool = False
    core: int | None = None
    """None leaves the core to the scheduler."""


@dataclass(frozen=True)
class EdgeProcess:
    """A running edge."""

    process: Process
    port: int
    management_port: int
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.returncode is None

    def memory_mib(self) -> float:
        """Return its resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@contextlib.asynccontextmanager
async def edge_process(directory: Path, layout: Layout) -> AsyncIterator[EdgeProcess]:
    """Start an edge, wait until it is ready, kill it in the end."""
    ports = free_port(), free_port()
    path = directory / "payrouter.toml"
    path.write_text(configuration(layout, ports), encoding="utf-8")
    log = directory / "edge.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *_command(path, layout), stderr=errors, cwd=directory
        )
    leash = Leash(process.pid)
    pin(process.pid, layout.core)
    edge = EdgeProcess(process, *ports, log)
    try:
        await _until_ready(edge)
        yield edge
    finally:
        if edge.alive:
            process.kill()
        await process.wait()
        leash.release()


def _command(path: Path, layout: Layout) -> list[str]:
    command = [sys.executable, "-m", "consumers", "edge", "--config", str(path)]
    if layout.descriptors is None:
        return command
    return ["/bin/sh", "-c", f'ulimit -n {layout.descriptors}; exec "$0" "$@"', *command]


def configuration(layout: Layout, ports: tuple[int, int]) -> str:
    """Write the configuration file of an edge on these ports."""
    tls = [f'tls_certificate = "{CERTIFICATE}"', f'tls_key = "{_KEY}"'] if layout.tls else []
    others = [f"other-{number:04}" for number in range(1, layout.endpoints)]
    lines = [
        "[edge]",
        f"port = {ports[0]}",
        f"management_port = {ports[1]}",
        *tls,
        "[kafka]",
        f'bootstrap_servers = "{layout.bootstrap}"',
        "[topics]",
        f'prefix = "{layout.prefix}"',
        "replication_factor = 1",
        "min_insync_replicas = 1",
        *_endpoint("shop", SECRET, layout),
        *(line for name in others for line in _endpoint(name, f"sck_of_{name}_only", layout)),
    ]
    return "\n".join(lines) + "\n"


def _endpoint(name: str, secret: str, layout: Layout) -> list[str]:
    return [
        f"[endpoints.{name}]",
        'provider = "blockatm"',
        f'account = "{name}"',
        f'secrets = ["{secret}"]',
        f"deadline_seconds = {layout.deadline_seconds}",
    ]


async def _until_ready(edge: EdgeProcess) -> None:
    asked = request("/readyz", method="GET", body=None)
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with contextlib.suppress(ConnectionError):
                if (await exchange(edge.management_port, asked)).status == 200:
                    return
            if not edge.alive:
                raise RuntimeError(edge.log.read_text(encoding="utf-8"))
            await asyncio.sleep(0.05)
