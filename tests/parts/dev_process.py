"""`payrouter dev` as a separate process, and commands that run next to it."""

import contextlib
import importlib
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.parts import ports
from tests.parts.leash import Leash
from tests.parts.source import ROOT
from tests.parts.waiting import SYSTEM_PATIENCE_SECONDS, until

# It has no types; it is installed with the evaluation database.
psutil: Final[Any] = importlib.import_module("psutil")

Said = subprocess.CompletedProcess[str]


def free_port() -> int:
    """Return a free port whose following ports, which `dev` uses, are free too."""
    return ports.free_port(ports.DEV_DISTANCES)


@dataclass
class Place:
    """A test's folder in which `dev` and other commands run."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    data: str = "data"
    printed: list[str] = field(default_factory=list)
    """Everything that commands printed here."""
    _shell: "_Shell | None" = None

    @property
    def data_dir(self) -> Path:
        """The data directory."""
        return self.folder / self.data

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the commands."""
        return {**os.environ, **self.environ}

    def command(self, *arguments: str) -> list[str]:
        """Return a command line of `payrouter`."""
        return [sys.executable, "-m", "consumers", *arguments, "--data-dir", str(self.data_dir)]

    def run(self, *arguments: str, **variables: str) -> Said:
        """Run a command with additional variables, and wait until it exits."""
        said = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={**self.variables, **variables},
            capture_output=True,
            text=True,
            timeout=SYSTEM_PATIENCE_SECONDS,
            check=False,
        )
        self.printed += [said.stdout, said.stderr]
        return said

    def quick(self, *arguments: str) -> Said:
        """Run a command in a process that is shared by all such commands.

        It prints and returns the same; most of a command's time is the start of its process.
        """
        if self._shell is None:
            self._shell = _Shell(self.folder, self.variables)
        said = self._shell.run(*arguments, "--data-dir", str(self.data_dir))
        self.printed += [said.stdout, said.stderr]
        return said

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON
        """Run a command with `--json`, check that it succeeds, and return its parsed output."""
        said = self.quick(*arguments, "--json")
        assert said.returncode == 0, said.stderr
        return json.loads(said.stdout)

    def close(self) -> None:
        """End the process that runs commands."""
        if self._shell is not None:
            self._shell.close()
            self._shell = None

    def books(self, transactions: int) -> Any:  # noqa: ANN401 - JSON
        """Wait until the ledger has this many transactions, and return its balance."""

        def look() -> Any:  # noqa: ANN401 - JSON
            balance = self.json("ledger", "balance")
            return balance if balance["transactions"] >= transactions else None

        return until(look, f"{transactions} transactions in the books")


class _Shell:
    """Runs `payrouter` commands one after another in one process."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.parts.troubles.shell"],
            cwd=folder,
            env={**variables, "PYTHONPATH": _python_path(variables)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._leash = Leash(self._process.pid)

    def run(self, *arguments: str) -> Said:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{shlex.join(['payrouter', *arguments])}\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], SYSTEM_PATIENCE_SECONDS)
        if not ready:
            raise subprocess.TimeoutExpired(arguments, SYSTEM_PATIENCE_SECONDS)
        said = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess(arguments, said["status"], said["out"], said["err"])

    def close(self) -> None:
        with self._process:
            self._process.kill()
        self._leash.release()


def _python_path(variables: Mapping[str, str]) -> str:
    """Return the module search path of a process, with the folder of `tests` added."""
    return os.pathsep.join(filter(None, (str(ROOT), variables.get("PYTHONPATH", ""))))


@dataclass
class Dev:
    """A running `payrouter dev`."""

    place: Place
    port: int
    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    @property
    def out(self) -> str:
        """The standard output so far."""
        return self.stdout.read_text()

    @property
    def err(self) -> str:
        """The standard error of it and its children so far."""
        return self.stderr.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        """The complete log lines so far."""
        lines = self.err.split("\n")[:-1]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def until_ready(self) -> None:
        """Wait for the line that reports readiness."""
        line = f"ready http://127.0.0.1:{self.port}\n"

        def look() -> bool:
            assert self.process.poll() is None, f"dev has ended: {self.err}"
            return line in self.out

        until(look, line)

    def until_says(self, text: str) -> None:
        """Wait until its standard error contains `text`."""
        until(lambda: text in self.err, text)

    def child(self, *words: str) -> Any | None:  # noqa: ANN401 - a psutil.Process
        """Return the child whose command line has these words, or None."""
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.process.pid).children():
                if set(words) <= set(process.cmdline()):
                    return process
        return None

    def tree(self) -> list[Any]:
        """Return all of its processes, including the database."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [*found, *postgres(self.place.data_dir)]

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send it a signal and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(SYSTEM_PATIENCE_SECONDS)


def alive(processes: Sequence[Any]) -> list[str]:
    """Return the names of the processes that still run."""
    left = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                left.append(" ".join(process.cmdline()))
    return left


def postgres(data_dir: Path) -> list[Any]:
    """Return the database server of a data directory and its children."""
    try:
        first, *_ = (data_dir / "postgres" / "postmaster.pid").read_text().split()
        server = psutil.Process(int(first))
        return [server, *server.children(recursive=True)]
    except (OSError, ValueError, psutil.Error):
        return []


@contextlib.contextmanager
def started(
    place: Place, *arguments: str, port: int | None = None, verbose: bool = True
) -> Iterator[Dev]:
    """Run `dev` during the block; end every process it started afterwards."""
    port = port or free_port()
    number = len(list(place.folder.glob("dev-*.out")))
    stdout, stderr = (place.folder / f"dev-{number}.{name}" for name in ("out", "err"))
    with stdout.open("wb") as out, stderr.open("wb") as err:
        process = subprocess.Popen(
            place.command("dev", "--port", str(port), *arguments, *(["-v"] if verbose else [])),
            cwd=place.folder,
            env=place.variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    leash = Leash(process.pid, "INT")
    dev = Dev(place, port, process, stdout, stderr)
    try:
        yield dev
    finally:
        _end(dev)
        leash.release()
        place.printed += [dev.out, dev.err]


@contextlib.contextmanager
def place_in(folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[Place]:
    """Yield a place in this folder, and remove its data afterwards."""
    place = Place(folder, environ or {})
    try:
        yield place
    finally:
        place.close()
        shutil.rmtree(place.data_dir, ignore_errors=True)


def _end(dev: Dev) -> None:
    processes = postgres(dev.place.data_dir)
    if dev.process.poll() is None:
        processes += dev.tree()
        dev.process.kill()
        dev.process.wait(SYSTEM_PATIENCE_SECONDS)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
