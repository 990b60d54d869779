"""Debian's PostgreSQL with TLS, which the server of the other tests is built without."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from tests.parts.databases import execute
from tests.parts.edge.certificates import write_pair
from tests.parts.folders import server_folder
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.waiting import until

USER: Final = "postgres"
"""User of the system, because PostgreSQL refuses to run as root, and of the database."""

_BY_CERTIFICATE: Final = "localhost"
"""A role that signs in by a certificate with its name."""

_ADMITTED: Final = (
    f"host all {USER} 127.0.0.1/32 trust\n"
    f"hostssl all {_BY_CERTIFICATE} 127.0.0.1/32 cert\n"
    "hostssl all all 127.0.0.1/32 scram-sha-256\n"
)


def programs() -> Path | None:
    """Return the folder of the newest PostgreSQL that Debian installed, None if there is none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: int(each.parent.name)
    )
    return found[-1] if found else None


@dataclass(frozen=True)
class TlsPostgres:
    """A running PostgreSQL whose certificate is for `localhost`."""

    port: int
    folder: Path

    @property
    def certificate(self) -> Path:
        """The server's certificate, which signs itself."""
        return self.folder / "server.crt"

    @property
    def key(self) -> Path:
        """The server's key."""
        return self.folder / "server.key"

    def url(self, query: str, user: str = USER, host: str = "localhost") -> str:
        """Return a URL with a query; `user` may contain a password."""
        return f"postgresql+asyncpg://{user}@{host}:{self.port}/postgres?{query}"

    def present(self, lasts: timedelta) -> None:
        """Present a new certificate, which ends after this time."""
        write_pair(self.certificate, self.key, "database", lasts)
        give(self.key, 0o600)
        execute(self.url("ssl=disable", host="127.0.0.1"), "SELECT pg_reload_conf()")


@contextlib.contextmanager
def tls_postgres(found: Path) -> Iterator[TlsPostgres]:
    """Run a PostgreSQL with TLS, and remove it with its data afterwards."""
    folder, port = server_folder("tls"), free_port()
    server = TlsPostgres(port, folder)
    folder.chmod(0o755)
    data = folder / "data"
    data.mkdir()
    give(data, 0o700)
    write_pair(server.certificate, server.key, "database")
    give(server.key, 0o600)
    run_as_user(found / "initdb", "-D", str(data), "-A", "trust", "-U", USER, "--no-sync")
    (data / "pg_hba.conf").write_text(_ADMITTED, encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [found / "postgres", "-D", data, *_options(server)], stderr=log, user=system_user()
        )
    leash = Leash(process.pid, "QUIT")
    try:
        until(lambda: _listens(port), f"PostgreSQL listens: {folder / 'log'}")
        yield server
    finally:
        process.terminate()
        process.wait(30)
        leash.release()
        shutil.rmtree(folder, ignore_errors=True)


def _options(server: TlsPostgres) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(server.port),
        "unix_socket_directories": "",
        "fsync": "off",
        "ssl": "on",
        "ssl_cert_file": str(server.certificate),
        "ssl_key_file": str(server.key),
        "ssl_ca_file": str(server.certificate),
    }
    return [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]


def system_user() -> str | None:
    """Return the user of the system that runs it; None for the own one."""
    return USER if os.getuid() == 0 else None


def give(path: Path, mode: int) -> None:
    """Set the mode of a file or folder, and give it to the user that runs PostgreSQL."""
    path.chmod(mode)
    if os.getuid() == 0:
        shutil.chown(path, USER, USER)


def run_as_user(*command: str | Path) -> None:
    """Run one of its programs to its end, as the user that runs PostgreSQL."""
    subprocess.run(command, check=True, capture_output=True, user=system_user())


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
