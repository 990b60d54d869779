"""A version of payrouter as a folder of its sources, and its processes."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tarfile
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path

from tests.parts.ports import free_port
from tests.parts.runtime.running import Running, running
from tests.parts.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]

START_SECONDS = 180.0
"""How long a process may take to start on a machine that is short of CPU."""


@dataclass(frozen=True)
class Version:
    """The sources of a version, run with this environment's dependencies."""

    name: str
    folder: Path

    @classmethod
    def of_commit(cls, commit: str, folder: Path) -> "Version":
        """Write the sources of a commit into a folder."""
        folder.mkdir()
        packed = folder.with_suffix(".tar")
        git = shutil.which("git") or "git"
        command = [git, "archive", f"--output={packed}", commit]
        subprocess.run(command, cwd=ROOT, check=True)
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        return cls(commit, folder)

    def run(self, *arguments: str, config: Path) -> str:
        """Run a command to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "consumers", *arguments],
            cwd=self.folder,
            env=self._environment(config),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}: {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    async def start(
        self, stack: contextlib.AsyncExitStack, config: Path, *arguments: str, **variables: str
    ) -> Running:
        """Start a process and wait until it is ready."""
        port = free_port()
        role = "EDGE" if arguments[0] == "edge" else f"CONSUMERS__{arguments[1].upper()}"
        environ = {**self._environment(config), f"PAYROUTER_{role}__MANAGEMENT_PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "consumers", *arguments),
            cwd=self.folder,
            env={**environ, **variables},
            stderr=PIPE,
        )
        started = await stack.enter_async_context(running(process, port))
        await eventually(
            lambda: _is_ready(started), f"{arguments} of {self.name}", seconds=START_SECONDS
        )
        return started

    def _environment(self, config: Path) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if "PAYROUTER" not in name}
        return {**own, "PYTHONPATH": str(self.folder), "PAYROUTER_CONFIG": str(config)}


async def _is_ready(process: Running) -> bool:
    assert process.process.returncode is None, process.lines
    return (await process.asked("/readyz"))[0] == 200
