"""The real `payrouter` command in separate processes, configured for one test."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Programs:
    """Runs `payrouter` in a folder with a configuration, along with other installed packages."""

    folder: Path
    packages: Path

    def configure(self, text: str) -> None:
        """Write the configuration."""
        (self.folder / "payrouter.toml").write_text(text, encoding="utf-8")

    def run(self, *arguments: str) -> str:
        """Run a command to its end, and return its output."""
        ended = subprocess.run(
            [*_PAYROUTER, *arguments],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert ended.returncode == 0, f"{arguments}: {ended.stdout}{ended.stderr}"
        return ended.stdout

    @contextlib.asynccontextmanager
    async def consumer(self, name: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Run a consumer until the block ends."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *_PAYROUTER, "consume", name, cwd=self.folder, env=self.environment(), stderr=log
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def environment(self) -> dict[str, str]:
        """Return the environment of a process with the packages installed."""
        root = Path(__file__).resolve().parents[2]
        own = {name: value for name, value in os.environ.items() if "PAYROUTER" not in name}
        paths = (str(self.packages), str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep))
        return {**own, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


_PAYROUTER = (sys.executable, "-m", "consumers")


def install(package: Path, target: Path) -> None:
    """Install a package into a folder, as pip does into an environment.

    It is built with the hatchling of this environment: another one would be downloaded for it.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-input"]
    options = ["--no-build-isolation", "--target", str(target)]
    subprocess.run([*command, *options, str(package)], check=True, timeout=300)
