"""A real PgBouncer of the test's own, in front of the PostgreSQL of the tests."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url

from tests.parts.folders import server_folder
from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.waiting import until


def missing() -> str | None:
    """Return why PgBouncer cannot run here, or None if it can."""
    absent = _program() is None
    return "no pgbouncer (Debian: apt install pgbouncer)" if absent else None


@dataclass(frozen=True)
class Pooler:
    """A running PgBouncer."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def url_of(self, url: str) -> str:
        """Return the URL of the same database and user through the pooler."""
        through = make_url(url).set(host="127.0.0.1", port=self.port)
        return through.set(query={}).render_as_string(hide_password=False)


@contextlib.contextmanager
def pooler_of(url: str, users: Collection[str] = (), **settings: str) -> Iterator[Pooler]:
    """Run a PgBouncer in transaction mode for every database of the server at `url`.

    `settings` are PgBouncer's own. Clients sign in without a password, as at the tests' server, as
    these users, or as any that becomes the user of `url`.
    """
    program = _program()
    assert program is not None, missing()
    folder = server_folder("pgbouncer")
    folder.chmod(0o755)
    port, log = free_port(), folder / "log"
    listed = folder / "users"
    listed.write_text("".join(f'"{name}" ""\n' for name in users), encoding="utf-8")
    known = {"auth_type": "trust", "auth_file": str(listed)} if users else {"auth_type": "any"}
    (folder / "ini").write_text(
        _configuration(make_url(url), port, {**known, **settings}), encoding="utf-8"
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *_as_user(make_url(url)), str(folder / "ini")], stderr=output
        )
    leash = Leash(process.pid)
    try:
        until(lambda: _listens(port), f"PgBouncer listens: {log}")
        yield Pooler(port, log, process)
    finally:
        process.terminate()
        process.wait(30)
        leash.release()
        shutil.rmtree(folder, ignore_errors=True)


def _program() -> str | None:
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _configuration(url: URL, port: int, settings: dict[str, str]) -> str:
    host, server_port = _address(url)
    password = f" password={url.password}" if url.password else ""
    user = f" user={url.username}{password}" if settings["auth_type"] == "any" else ""
    own = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "pool_mode": "transaction",
        **settings,
    }
    lines = "\n".join(f"{name} = {value}" for name, value in own.items())
    return f"[databases]\n* = host={host} port={server_port}{user}\n[pgbouncer]\n{lines}\n"


def _address(url: URL) -> tuple[str, str]:
    host = url.host or url.query.get("host", "localhost")
    return str(host), str(url.port or url.query.get("port", "5432"))


def _as_user(url: URL) -> list[str]:
    """Return the option for another user, which PgBouncer requires of root."""
    if os.getuid() != 0:
        return []
    host, _ = _address(url)
    owner = Path(host).stat().st_uid if host.startswith("/") else pwd.getpwnam("nobody").pw_uid
    return ["--user", pwd.getpwuid(owner or pwd.getpwnam("nobody").pw_uid).pw_name]


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
