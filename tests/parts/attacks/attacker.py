"""Runs one attack in a process, for a bounded time.

`python -m tests.parts.attacks.attacker ORDER`.
"""

import asyncio
import contextlib
import os

from tests.parts.attacks.catalogue import Attack, catalogue
from tests.parts.attacks.child import Order, Work, serve
from tests.parts.attacks.target import Target


def prepare(order: Order) -> Work:
    """Give way to the genuine traffic, which shares the core on a small machine."""
    os.nice(10)
    attack = catalogue()[order["name"]]
    target = Target(order["port"], order["management_port"], attack.sources)
    return lambda: _run(attack, target, order["seconds"])


async def _run(attack: Attack, target: Target, seconds: float) -> object:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await attack.run(target)
    return dict(target.counts)


if __name__ == "__main__":
    serve(prepare)
