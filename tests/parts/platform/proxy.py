"""HAProxy in front of the edges: forwards webhooks, and only to edges that are ready."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.parts.leash import Leash
from tests.parts.ports import free_port
from tests.parts.waiting import until

_CONFIGURATION: Final = """\
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option forwardfor

frontend webhooks
    bind 127.0.0.1:{port}
    http-request deny deny_status 404 unless {{ path_beg /webhooks/ }}
    default_backend edges

backend edges
    balance roundrobin
    option httpchk GET /readyz
"""


def missing() -> str | None:
    """Return why HAProxy cannot run here, or None if it can."""
    return None if _program() else "no haproxy (Debian: apt install haproxy)"


def _program() -> str | None:
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")


@contextlib.contextmanager
def proxy(folder: Path, edges: Sequence[tuple[int, int]]) -> Iterator[str]:
    """Run one and give its URL; `edges` are pairs of ports, of webhooks and management."""
    port = free_port()
    servers = "".join(
        f"    server edge-{number} 127.0.0.1:{webhooks} check port {management} inter 1s\n"
        for number, (webhooks, management) in enumerate(edges)
    )
    file = folder / "haproxy.cfg"
    file.write_text(_CONFIGURATION.format(port=port) + servers)
    with (folder / "haproxy.log").open("wb") as log:
        command = [_program() or "haproxy", "-db", "-f", str(file)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    leash = Leash(process.pid)
    try:
        until(lambda: _listens(port), "HAProxy listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
        leash.release()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
