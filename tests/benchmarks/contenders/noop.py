"""An application that reads the body and answers 200, on the server of the edge.

The server has the edge's settings: no access log and no headers of its own. It runs on the edge's
event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from router.telemetry.management import listen, serving
from router.terminal.processes import loop_factory
from tests.benchmarks.contenders.options import read_options


def main() -> None:
    """Serve until the process is killed."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(read_options().port))


async def _serve(port: int) -> None:
    async with serving(_answer, listen("127.0.0.1", port), lifespan="off", ws="none"):
        await asyncio.Event().wait()


async def _answer(
    _scope: Any,  # noqa: ANN401 - ASGI
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"OK"})


if __name__ == "__main__":
    main()
