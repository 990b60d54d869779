"""PostgreSQL with a standby that has every commit: it is promoted when its primary is killed."""

import asyncio
import contextlib
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from tests.parts.databases import psutil
from tests.parts.folders import server_folder
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.tls_postgres import USER, give, programs, run_as_user, system_user
from tests.parts.waiting import until

ROLE: Final = "payrouter"
DATABASE: Final = "payrouter"
_ADMITTED: Final = (
    f"host all {USER} 127.0.0.1/32 trust\n"
    f"host replication {USER} 127.0.0.1/32 trust\n"
    "host all all 127.0.0.1/32 scram-sha-256\n"
)
_END_SECONDS: Final = 60.0
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # In its folder, which is removed: a killed server leaves segments of /dev/shm behind.
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "150",
    "wal_retrieve_retry_interval": "200ms",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "max_wal_size": "256MB",
}
_SYNCHRONOUS: Final = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
_STREAMING: Final = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


@dataclass
class PostgresServer:
    """One server on its own folder and port."""

    programs: Path
    data: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    _leash: Leash | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        options = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        program = str(self.programs / "postgres")
        command = [program, "-D", str(self.data), f"-p{self.port}", *options]
        with self.data.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, user=system_user())
        self._leash = Leash(self.process.pid, "QUIT")
        until(lambda: self.ask("SELECT 1"), f"PostgreSQL: {self.data.with_suffix('.log')}")

    def stop(self) -> None:
        """Stop it in order, without waiting for its clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill all of its processes at once, as a power cut would."""
        for each in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze all of its processes."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue them."""
        self._signal_all(signal.SIGCONT)

    def ask(self, statement: str, database: str = "postgres") -> Any:  # noqa: ANN401 - a value
        """Return the first value of a statement as administrator; None without a connection."""
        return asyncio.run(_asked(self.port, database, statement))

    def _signal_all(self, number: signal.Signals) -> None:
        for each in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def _processes(self) -> Sequence[Any]:
        if self.process is None or self.process.poll() is not None:
            return []
        first = psutil.Process(self.process.pid)
        # The first one first: it makes the others.
        return [first, *first.children(recursive=True)]

    def _end(self, number: signal.Signals) -> None:
        if self.process is None or self._leash is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._leash.release()
        self.process = None


async def _asked(port: int, database: str, statement: str) -> Any:  # noqa: ANN401 - a value
    try:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=port, user=USER, database=database, timeout=5, ssl=False
        )
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return None
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


@dataclass
class Takeover:
    """Two servers, of which one is the primary; the other one has what it has committed."""

    folder: Path
    servers: list[PostgresServer]
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def primary(self) -> PostgresServer:
        """The server that takes writes."""
        return self.servers[0]

    @property
    def standby(self) -> PostgresServer:
        """The other server."""
        return self.servers[1]

    @property
    def url(self) -> str:
        """The URL for consumers: it names both servers, and leads to the primary."""
        hosts = "&".join(f"host=127.0.0.1:{port}" for port in sorted(s.port for s in self.servers))
        login = f"{ROLE}:{self.password}"
        return f"postgresql+asyncpg://{login}@/{DATABASE}?{hosts}&target_session_attrs=primary"

    def begin(self) -> None:
        """Make the primary with role and database, and its standby."""
        data = self.primary.data
        data.mkdir()
        give(data, 0o700)
        run_as_user(
            *(self.primary.programs / "initdb", "-D", data, "-A", "trust", "-U", USER, "--no-sync")
        )
        (data / "pg_hba.conf").write_text(_ADMITTED, encoding="utf-8")
        self.primary.start()
        self.primary.ask(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self.password}'")
        self.primary.ask(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
        self.follow()

    def follow(self) -> None:
        """Make a new standby from the primary; from then on each commit waits for it."""
        standby = self.standby
        shutil.rmtree(standby.data, ignore_errors=True)
        standby.data.mkdir()
        give(standby.data, 0o700)
        run_as_user(
            *(standby.programs / "pg_basebackup", "-D", standby.data, "-R", "-c", "fast"),
            *("-h", "127.0.0.1", "-p", str(self.primary.port), "-U", USER, "--no-sync"),
        )
        standby.start()
        until(lambda: self.primary.ask(_STREAMING), "a standby that streams")
        self._wait_for("*")
        self.in_step()

    def in_step(self) -> None:
        """Wait until each commit waits for the standby."""
        until(lambda: self.primary.ask(_SYNCHRONOUS), "a standby that is synchronous")

    def take_over(self) -> None:
        """Kill the primary, promote the standby; its new standby is made by `follow`."""
        self.in_step()
        self.primary.kill()
        self.servers.reverse()
        self.primary.ask("SELECT pg_promote()")
        self._wait_for("")

    def change_password(self) -> None:
        """Give the role a new password; who signs in from now on needs it."""
        password = secrets.token_hex(16)
        self.primary.ask(f"ALTER ROLE {ROLE} PASSWORD '{password}'")
        self.password = password

    def cut_off(self) -> None:
        """End all sessions of the role: the next ones sign in again."""
        own = f"FROM pg_stat_activity WHERE usename = '{ROLE}'"
        self.primary.ask(f"SELECT count(pg_terminate_backend(pid)) {own}")

    def _wait_for(self, standbys: str) -> None:
        # The copy of a primary has its setting, and a promoted one has no standby yet.
        self.primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{standbys}'")
        self.primary.ask("SELECT pg_reload_conf()")

    def destroy(self) -> None:
        """Stop both and remove their data."""
        for each in reversed(self.servers):
            each.resume()
            each.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def postgres_with_standby() -> Iterator[Takeover]:
    """Run both while the block does."""
    found = programs()
    assert found is not None, "no PostgreSQL (Debian: apt install postgresql)"
    folder = server_folder("chaos")
    folder.chmod(0o755)
    servers = [PostgresServer(found, folder / name, free_port()) for name in ("first", "second")]
    made = Takeover(folder, servers)
    try:
        made.begin()
        yield made
    finally:
        made.destroy()
