"""Holds back records, as a slow broker does."""

import asyncio
from collections.abc import Sequence

from router.contract.wire import OutgoingRecord
from router.edge.publishing.submission import Done, Submit


def held_back(submit: Submit, let_go: asyncio.Event, held: asyncio.Event | None = None) -> Submit:
    """Return a `submit` that waits for `let_go`; sets `held` when it gets records."""
    waiting: set[asyncio.Task[None]] = set()

    async def wait(records: Sequence[OutgoingRecord], done: Done, deadline: float | None) -> None:
        await let_go.wait()
        submit(records, done, deadline)

    def hold(records: Sequence[OutgoingRecord], done: Done, deadline: float | None) -> None:
        if held is not None:
            held.set()
        task = asyncio.get_running_loop().create_task(wait(records, done, deadline))
        waiting.add(task)
        task.add_done_callback(waiting.discard)

    return hold
