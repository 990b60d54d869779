"""A real Prometheus of the test's own: Debian's package, in a temporary folder."""

import contextlib
import json
import math
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.parts.leash import Leash
from tests.parts.waiting import until

PROGRAM: Final = "prometheus"
TOOL: Final = "promtool"

_ANSWER_SECONDS: Final = 30.0


def missing() -> str | None:
    """Return why Prometheus cannot run here, or None if it can."""
    absent = [name for name in (PROGRAM, TOOL) if shutil.which(name) is None]
    return f"no {' and no '.join(absent)} (Debian: apt install prometheus)" if absent else None


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def reload(self) -> None:
        """Reload the configuration."""
        self.process.send_signal(signal.SIGHUP)

    def series(self, query: str, start: float, end: float, step: float) -> list[list[float]]:
        """Return what a query is at every step of a time: its series, only numbers in them."""
        span = {"query": query, "start": start, "end": end, "step": step}
        found = [each["values"] for each in self._ask("query_range", span)["result"]]
        numbers = [[float(value) for _, value in values] for values in found]
        return [[value for value in values if math.isfinite(value)] for values in numbers]

    def now(self, query: str) -> list[float]:
        """Return what a query is now, only numbers."""
        found = [float(each["value"][1]) for each in self._ask("query", {"query": query})["result"]]
        return [value for value in found if math.isfinite(value)]

    def firing(self) -> list[dict[str, Any]]:
        """Return the alerts that are firing."""
        return [each for each in self.alerts() if each["state"] == "firing"]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are firing, and those whose time is not up yet."""
        found: list[dict[str, Any]] = self._ask("alerts", {})["alerts"]
        return found

    def up(self) -> dict[str, str]:
        """Return how each target is, by its address."""
        active = self._ask("targets", {"state": "active"})["activeTargets"]
        return {each["labels"]["instance"]: each["health"] for each in active}

    def troubles(self) -> list[str]:
        """Name the rules that could not be evaluated, and why."""
        groups = self._ask("rules", {})["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [f"{r['name']}: {r['lastError']}" for r in rules if r["health"] == "err"]

    def _ask(self, what: str, parameters: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
        body = urllib.parse.urlencode(parameters).encode()
        url = f"{self.url}/api/v1/{what}"
        posted = what.startswith("query")
        request = url if not posted else urllib.request.Request(url, body)  # noqa: S310 - our own server
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as response:  # noqa: S310
                return json.load(response)["data"]
        except urllib.error.HTTPError as refused:
            message = f"{parameters}: {refused.read().decode()}"
            raise AssertionError(message) from None


@contextlib.contextmanager
def prometheus(folder: Path, port: int, lookback: str, *more: str) -> Iterator[Prometheus]:
    """Run one on the `prometheus.yml` of a folder; it does not outlive the block."""
    log = folder / "prometheus.log"
    command = [
        PROGRAM,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--query.lookback-delta={lookback}",
        "--log.level=warn",
        *more,
    ]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    leash = Leash(process.pid)
    running = Prometheus(f"http://127.0.0.1:{port}", log, process)
    try:
        until(lambda: _answers(running), "Prometheus")
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        leash.release()


def checked(command: Sequence[str]) -> None:
    """Run `promtool` and have it succeed."""
    ended = subprocess.run([TOOL, *command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}"


def _answers(running: Prometheus) -> bool:
    assert running.process.poll() is None, running.log.read_text()
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"{running.url}/-/ready", timeout=5) as response,  # noqa: S310
    ):
        return bool(response.status == 200)
    return False
