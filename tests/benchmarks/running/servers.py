"""Starts the servers that are compared, each on the core of the measured process."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks.contenders.options import SECRET_VARIABLE
from tests.benchmarks.running.clocks import cpu_seconds, memory_mib, on_server_core
from tests.benchmarks.running.deliveries import SECRET
from tests.parts.leash import Leash
from tests.parts.source import ROOT
from tests.parts.waiting import until

EDGE: Final = "payrouter edge"
NO_OP: Final = "no-op"
FASTAPI: Final = "FastAPI + aiokafka"
GO: Final = "Go + franz-go"

_START_SECONDS: Final = 90.0
_GO_SOURCE: Final = ROOT / "tests" / "benchmarks" / "go_edge"


@dataclass(frozen=True)
class Place:
    """Port, topics and folder of a server."""

    port: int
    bootstrap: str
    topics: str
    """Prefix of the topics."""
    folder: Path


@dataclass(frozen=True)
class Contender:
    """A server that can be started."""

    name: str
    command: Callable[[Place], Sequence[str]]
    missing: Callable[[], str] = field(default=lambda: "")
    """Returns why it cannot be started, or an empty text."""


@dataclass(frozen=True)
class Server:
    """A running server."""

    name: str
    pid: int
    port: int
    start_cpu_seconds: float
    """What it took until the first answer."""

    def cpu_seconds(self) -> float:
        """Return its CPU time so far."""
        return cpu_seconds(self.pid)

    def memory_mib(self) -> float:
        """Return its resident memory."""
        return memory_mib(self.pid)


def contenders() -> list[Contender]:
    """Return the servers that payrouter's edge is compared with."""
    return [
        Contender(NO_OP, _module("noop")),
        Contender(FASTAPI, _module("fastapi_aiokafka"), _no_fastapi),
        Contender("FastStream @post", _module("faststream_post")),
        Contender(GO, _go_command, build_go_edge),
    ]


def payrouter(name: str = EDGE, endpoints: int = 1) -> Contender:
    """Return the product's edge, as its service would run it, with this many endpoints."""

    def command(place: Place) -> list[str]:
        path = place.folder / f"edge-{place.port}.toml"
        path.write_text(edge_configuration(place, endpoints), encoding="utf-8")
        return [sys.executable, "-m", "consumers", "edge", "--config", str(path)]

    return Contender(name, command)


def edge_configuration(
    place: Place, endpoints: int = 1, provider: str = "resmic", partitions: int = 1
) -> str:
    """Return the configuration of an edge whose endpoint `shop` has the benchmark's secret.

    `partitions` is the least number of each topic.
    """
    others = [f"other-{number:04}" for number in range(1, endpoints)]
    lines = [
        *_endpoint("shop", provider, SECRET),
        *(line for name in others for line in _endpoint(name, provider, f"sck_of_{name}_only")),
    ]
    return edge_tables(place, partitions) + "\n".join(lines) + "\n"


def edge_tables(place: Place, partitions: int = 1) -> str:
    """Return the configuration of an edge without its endpoints."""
    lines = [
        *("[edge]", f"port = {place.port}", f"management_port = {free_port()}"),
        *("[kafka]", f'bootstrap_servers = "{place.bootstrap}"'),
        *("[topics]", f'prefix = "{place.topics}"'),
        *("replication_factor = 1", "min_insync_replicas = 1"),
        f"partitions = {partitions}",
        *("[log]", 'format = "json"'),
    ]
    return "\n".join(lines) + "\n"


def _endpoint(name: str, provider: str, secret: str) -> list[str]:
    return [
        f"[endpoints.{name}]",
        *(f'provider = "{provider}"', f'account = "{name}"', f'secrets = ["{secret}"]'),
        "deadline_seconds = 20",
    ]


@contextlib.contextmanager
def started(contender: Contender, place: Place, request: bytes) -> Iterator[Server]:
    """Run a server on the core of the measured process, from its first answer of 200 on.

    `request` is a genuine delivery.
    """
    log = place.folder / f"{place.port}.log"
    command = on_server_core(contender.command(place))
    with log.open("wb") as out, running(command, out.fileno()) as process:
        try:
            until_answered(place.port, request)
        except AssertionError as reason:
            end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            message = f"{contender.name} did not start; its log ends with:\n{end}"
            raise RuntimeError(message) from reason
        yield Server(contender.name, process.pid, place.port, cpu_seconds(process.pid))


@contextlib.contextmanager
def running(command: Sequence[str], out: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends; its output goes to the descriptor `out`."""
    environment = {**os.environ, SECRET_VARIABLE: SECRET}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=ROOT, env=environment
    )
    leash = Leash(process.pid)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        leash.release()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def build_go_edge() -> str:
    """Compile the edge in Go; return why that failed, or an empty text."""
    go = shutil.which("go")
    if go is None:
        return "Go is not installed"
    command = [go, "build", "-buildvcs=false", "-o", str(_go_program()), "."]
    built = subprocess.run(command, cwd=_GO_SOURCE, capture_output=True, text=True, check=False)
    return f"go build failed: {built.stderr.strip()}" if built.returncode else ""


def until_answered(port: int, request: bytes, seconds: float = _START_SECONDS) -> None:
    """Wait until a server answers a request with 200; fail after so many seconds."""

    def answered() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as asking:
            asking.settimeout(5)
            asking.sendall(request)
            return asking.recv(1024).startswith(b"HTTP/1.1 200")
        return False

    until(answered, f"an answer of 200 on port {port}", seconds=seconds)


def _module(name: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        module = f"tests.benchmarks.contenders.{name}"
        return [sys.executable, "-m", module, *_arguments(place)]

    return command


def _go_command(place: Place) -> list[str]:
    return [str(_go_program()), *_arguments(place)]


def _arguments(place: Place) -> list[str]:
    return [
        f"--port={place.port}",
        f"--bootstrap={place.bootstrap}",
        f"--topic={place.topics}payment",
    ]


def _go_program() -> Path:
    return ROOT / "build" / "go_edge"


def _no_fastapi() -> str:
    found = importlib.util.find_spec("fastapi")
    return "" if found else "FastAPI is not installed; it is in the dependency group `bench`"
