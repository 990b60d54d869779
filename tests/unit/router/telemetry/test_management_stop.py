"""The management port never keeps a process from stopping."""

import asyncio
import socket
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge

from router.telemetry.management import Health, listen, management_app, serving
from tests.parts.edge.open_door import on_each_loop, run


def _healthy() -> Health:
    return Health(good=True, detail="fine")


@on_each_loop
def test_scraper_that_reads_nothing_does_not_delay_the_stop(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("large", "A large answer", ["label"], registry=registry)
    for number in range(1500):
        # More than the kernel buffers.
        gauge.labels("x" * 8000 + str(number)).set(1)
    app = management_app(_healthy, _healthy, registry)

    async def test() -> None:
        listener = listen("127.0.0.1", 0)
        with socket.socket() as quiet:
            async with asyncio.timeout(30), serving(app, listener, lifespan="off") as server:
                quiet.connect(listener.getsockname())
                quiet.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                quiet.settimeout(0)
                # The first bytes of the answer: the rest is not read.
                await asyncio.get_running_loop().sock_recv(quiet, 12)
            assert server.server_state.connections

    run(loop, test())
