"""Runs `payrouter edge` as a process whose configuration, secrets and certificates are replaced."""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.parts.edge.raw_http import exchange, request
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.waiting import eventually

_PATIENCE_SECONDS = 40.0


@dataclass(frozen=True)
class Mount:
    """A folder of secrets that is replaced as Kubernetes replaces one: by renaming a link."""

    path: Path

    def file(self, name: str) -> Path:
        """Return the path of a secret."""
        return self.path / name

    def put(self, secrets: Mapping[str, str | bytes]) -> None:
        """Replace all secrets at once."""
        self.path.mkdir(exist_ok=True)
        number = sum(each.name.startswith("..version") for each in self.path.iterdir())
        folder = self.path / f"..version-{number}"
        folder.mkdir()
        for name, content in secrets.items():
            data = content if isinstance(content, bytes) else content.encode()
            (folder / name).write_bytes(data)
            if not self.file(name).is_symlink():
                self.file(name).symlink_to(f"..data/{name}")
        link = self.path / "..data_tmp"
        link.symlink_to(folder.name)
        link.replace(self.path / "..data")


@dataclass(frozen=True)
class LivingEdge:
    """A running edge process."""

    process: Process
    port: int
    management_port: int
    config: Path
    lines: list[str]
    """Its lines on standard error so far."""

    def log(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event name."""
        return [line for line in map(json.loads, self.lines) if line["event"] == event]

    def write(self, text: str) -> None:
        """Replace the configuration by renaming a file; ports are filled in."""
        draft = self.config.with_suffix(".draft")
        draft.write_text(_with_ports(text, self.port, self.management_port))
        draft.replace(self.config)

    def hang_up(self) -> None:
        """Send SIGHUP."""
        self.process.send_signal(signal.SIGHUP)

    async def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of a series, None if there is none."""
        asked = request("/metrics", method="GET", body=None)
        text = (await exchange(self.management_port, asked)).body.decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    async def until_reloads(self, result: str, count: int) -> None:
        """Wait until this many reloads have had this result."""
        name = "payrouter_configuration_reloads_total"

        async def reloaded() -> bool:
            assert self.process.returncode is None, self.lines
            return (await self.metric(name, result=result) or 0) >= count

        await eventually(reloaded, f"{count} reloads: {result}", seconds=_PATIENCE_SECONDS)

    async def until_answered(self, status: int, path: str) -> None:
        """Wait until the management port answers a path with this status."""
        asked = request(path, method="GET", body=None)

        async def answered() -> bool:
            assert self.process.returncode is None, self.lines
            with contextlib.suppress(ConnectionError):
                return (await exchange(self.management_port, asked)).status == status
            return False

        await eventually(answered, f"status {status} of {path}", seconds=_PATIENCE_SECONDS)


@contextlib.asynccontextmanager
async def living_edge(directory: Path, text: str) -> AsyncIterator[LivingEdge]:
    """Run an edge with this configuration, whose `[edge]` needs no ports, until the block ends."""
    config = directory / "payrouter.toml"
    ports = free_port(), free_port()
    config.write_text(_with_ports(text, *ports))
    command = [sys.executable, "-m", "consumers", "edge", "--config", str(config)]
    process = await asyncio.create_subprocess_exec(*command, stderr=PIPE, cwd=directory)
    leash = Leash(process.pid)
    lines: list[str] = []
    reading = asyncio.create_task(_read(process, lines))
    try:
        yield LivingEdge(process, *ports, config, lines)
        process.terminate()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            assert await process.wait() == 0, lines
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
        leash.release()


def _with_ports(text: str, port: int, management_port: int) -> str:
    ports = f"[edge]\nport = {port}\nmanagement_port = {management_port}\n"
    return text.replace("[edge]\n", ports)


async def _read(process: Process, lines: list[str]) -> None:
    assert process.stderr is not None
    async for line in process.stderr:
        lines.append(line.decode())  # noqa: PERF401 - looked at while it grows
