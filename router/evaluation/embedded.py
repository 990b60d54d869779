"""Throwaway Kafka and PostgreSQL for `payrouter dev`: the evaluation broker and database.

Both come from wheels (the extra `evaluation`), listen only on loopback or on a Unix socket, and
are started and stopped by the process that uses them. They are not meant for production.
"""

import contextlib
import importlib
import json
import logging
import select
import shutil
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from sqlalchemy import URL

from router.errors import ConfigurationError

DATABASE_NAME: Final = "payrouter"

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[2]
_SETTLE_SECONDS: Final = 0.5
_REFUSALS: Final = 3


class EvaluationBroker:
    """librdkafka's mock cluster with one broker, in a separate process.

    It speaks Kafka's protocol and stores everything in memory: about the last 5 MB of each
    partition, with a new cluster id in every run. Topics are created with four partitions when
    a client requests their metadata. The process is outside the terminal's process group, so that
    Ctrl-C reaches only its parent, and ends by itself when its parent ends.
    """

    def __init__(self, deadline_seconds: float = 20.0) -> None:
        """Set the time limit of the start and of the stop, each."""
        self._deadline_seconds = deadline_seconds
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the broker's process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> str:
        """Start the process and return the bootstrap address for clients."""
        _evaluation_package("confluent_kafka")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "router.evaluation.embedded"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=_PACKAGE_ROOT,
            start_new_session=True,
        )
        address = _first_line(self._process, self._deadline_seconds)
        if not address:
            self.stop()
            message = "the evaluation broker did not start"
            raise ConfigurationError(message)
        return address

    def stop(self) -> None:
        """Close the process's standard input, wait for it to end, and kill it if it takes long."""
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(self._deadline_seconds)
            except subprocess.TimeoutExpired:
                process.kill()

    def __enter__(self) -> str:
        """Start, and return the bootstrap address."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


class EvaluationDatabase:
    """A PostgreSQL server on a data directory, reachable through a Unix socket only.

    Its data persists until the next start. A server left running by a killed run is reused; a
    `postmaster.pid` without such a server is removed, and so is what a first start left that was
    killed before the server had run. As root, the server runs as the system
    user `embedded_postgres`, and the directories above the data and above the PostgreSQL
    programs are made readable for it.
    """

    def __init__(self, data_dir: Path, deadline_seconds: float = 60.0) -> None:
        """Use `data_dir/postgres`; `deadline_seconds` limits a recovery at the start."""
        self._pgdata = data_dir.expanduser().resolve() / "postgres"
        # Exists until the first start has succeeded: what a killed one leaves has to be removed.
        self._unfinished = self._pgdata.with_name("postgres.unfinished")
        self._deadline_seconds = deadline_seconds
        self._server: Any = None

    def start(self) -> str:
        """Start the server, make the database if it is missing, and return its SQLAlchemy URL."""
        embedded_postgres = _evaluation_package("embedded_postgres")
        # Problems are in the server's log, whose path is in the error raised.
        logging.getLogger("embedded_postgres").setLevel(logging.CRITICAL)
        self._pgdata.parent.mkdir(parents=True, exist_ok=True)
        self._begin_again_if_unfinished()
        _forget_dead_server(self._pgdata)
        _forget_dead_handles(self._pgdata / ".handle_pids.json")
        self._server = _started_server(embedded_postgres, self._pgdata, self._deadline_seconds)
        self._unfinished.unlink(missing_ok=True)
        self._create_database(embedded_postgres)
        return self.url()

    def url(self, database: str = DATABASE_NAME) -> str:
        """Return the SQLAlchemy URL of one of the server's databases."""
        server = self._server.get_postmaster_info()
        address = {"host": str(server.socket_dir), "port": str(server.port)}
        url = URL.create("postgresql+asyncpg", "postgres", database=database, query=address)
        return url.render_as_string(hide_password=False)

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return int(self._server.get_pid())

    def stop(self) -> None:
        """Stop the server once its running transactions are rolled back; the data stays."""
        server, self._server = self._server, None
        if server is None:
            return
        with contextlib.suppress(_evaluation_package("psutil").NoSuchProcess):
            server.cleanup()

    def __enter__(self) -> str:
        """Start, and return the database's URL."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def _begin_again_if_unfinished(self) -> None:
        """Remove what a first start left that was killed before the server had run."""
        if self._unfinished.exists() and self._pgdata.exists():
            shutil.rmtree(self._pgdata)
        # A folder that has something else in it is never removed.
        if not self._pgdata.exists() or not any(self._pgdata.iterdir()):
            self._unfinished.touch()

    def _create_database(self, programs: ModuleType) -> None:
        server = self._server.get_postmaster_info()
        address = ["-h", str(server.socket_dir), "-p", str(server.port), "-U", "postgres"]
        known = "SELECT datname FROM pg_database"
        if DATABASE_NAME not in programs.psql(["-XAt", *address, "-c", known]).split():
            programs.createdb([*address, DATABASE_NAME])


def _evaluation_package(name: str) -> ModuleType:
    try:
        with warnings.catch_warnings():
            # Without XDG_RUNTIME_DIR, platformdirs warns that it uses another folder.
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ModuleNotFoundError as missing:
        message = f"install payrouter[evaluation] for this command: {missing.name} is missing"
        raise ConfigurationError(message) from missing


def _first_line(process: subprocess.Popen[bytes], deadline_seconds: float) -> str:
    """Read the first line that a process writes; empty if it ends or the deadline passes first."""
    if process.stdout is None:
        return ""
    readable, _, _ = select.select([process.stdout], [], [], deadline_seconds)
    return process.stdout.readline().decode().strip() if readable else ""


def _started_server(embedded_postgres: ModuleType, pgdata: Path, deadline_seconds: float) -> Any:  # noqa: ANN401 - untyped package
    """Return the server, waiting while it recovers from a crash or a killed one still ends."""
    deadline = time.monotonic() + deadline_seconds
    refusals = 0
    while True:
        try:
            return embedded_postgres.get_server(pgdata)
        except (AssertionError, subprocess.SubprocessError) as reason:
            # The package stores the half-started server and would return it next time.
            embedded_postgres.PostgresServer._instances.pop(pgdata, None)  # noqa: SLF001
            refusals += isinstance(reason, subprocess.CalledProcessError)
            if refusals == _REFUSALS or time.monotonic() > deadline:
                message = f"the embedded PostgreSQL did not start: see {pgdata / 'log'}"
                raise ConfigurationError(message) from reason
            time.sleep(_SETTLE_SECONDS)


def _forget_dead_server(pgdata: Path) -> None:
    """Remove a `postmaster.pid` whose process has ended or is not a server of this directory."""
    pid_file = pgdata / "postmaster.pid"
    if not pid_file.exists():
        return
    psutil = _evaluation_package("psutil")
    first, *_ = [*pid_file.read_text(errors="replace").splitlines(), ""]
    try:
        command = psutil.Process(int(first)).cmdline()
    except (ValueError, psutil.Error):
        command = []
    if str(pgdata) not in command:
        pid_file.unlink()


def _forget_dead_handles(path: Path) -> None:
    """Remove killed processes from the list of users: the server stops only with the last one."""
    if not path.exists():
        return
    psutil = _evaluation_package("psutil")
    try:
        alive = [pid for pid in json.loads(path.read_text()) if psutil.pid_exists(pid)]
    except (ValueError, TypeError):
        alive = []
    path.write_text(json.dumps(alive))


def _serve_broker() -> None:
    """Run the mock cluster until standard input ends; the main function of its process."""
    confluent_kafka = _evaluation_package("confluent_kafka")
    # The level silences librdkafka's notice that a mock cluster is in use.
    cluster = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    sys.stdout.write(f"{broker.host}:{broker.port}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()


if __name__ == "__main__":
    _serve_broker()
