"""Faults of the edge's front, brought about for real: strangers that crowd it, old certificates."""

import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from router.evaluation.send import simulate
from tests.parts.edge.blockatm_requests import webhook
from tests.parts.edge.certificates import write_pair
from tests.parts.monitoring.faults import SHOP, again_and_again, paid
from tests.parts.monitoring.gateways import Gateways
from tests.parts.monitoring.system import MOST_UNPROVED, System
from tests.parts.providers.blockatm_deliveries import PAYMENT, body_of

STRANGER: Final = "127.0.0.2"
"""Another source than the gateways of the run, which are 127.0.0.1."""

_AT_ONCE: Final = 8
_EVERY_SECONDS: Final = 0.1
_CONNECT_SECONDS: Final = 5.0


@contextlib.contextmanager
def crowd(system: System) -> Iterator[None]:
    """Open more connections from one source than strangers may, each with half a head."""
    held: deque[socket.socket] = deque()

    def open_more() -> None:
        for _ in range(_AT_ONCE):
            with contextlib.suppress(OSError):
                held.append(_half_a_request(system.ports["webhooks"]))
        while len(held) > 2 * MOST_UNPROVED:
            held.popleft().close()

    try:
        with again_and_again(open_more, _EVERY_SECONDS):
            yield
    finally:
        for connection in held:
            connection.close()


def _half_a_request(port: int) -> socket.socket:
    where = ("127.0.0.1", port)
    connection = socket.create_connection(where, _CONNECT_SECONDS, source_address=(STRANGER, 0))
    connection.sendall(b"POST /webhooks/blockatm HTTP/1.1\r\nHost: pay.example.com\r\n")
    return connection


def unreadable_fact(gateways: Gateways) -> None:
    """Send a genuine payment whose time cannot be parsed."""
    endpoint = gateways.endpoints[SHOP]
    body = body_of(PAYMENT, orderNo="UNREAD-1", id=2, blockTime="soon")
    made = webhook(body, time=str(int(time.time() * 1000)), secret=endpoint.keys[0].secret)
    genuine = simulate(endpoint, paid("UNREAD-1"))
    assert gateways.post(replace(genuine, headers=made.headers, body=made.body)) == 200


def certificate_variables(folder: Path) -> dict[str, str]:
    """Return the variables with which an edge ends TLS by the pair in a folder."""
    return {
        "PAYROUTER_EDGE__TLS_CERTIFICATE": str(folder / "edge.crt"),
        "PAYROUTER_EDGE__TLS_KEY": str(folder / "edge.key"),
    }


def write_certificate(folder: Path, lasts: timedelta) -> None:
    """Put a pair into the folder that expires so much later, in the place of the former one."""
    drafts = folder / "draft.crt", folder / "draft.key"
    write_pair(*drafts, "payrouter", lasts)
    for draft in drafts:
        draft.replace(draft.with_stem("edge"))
