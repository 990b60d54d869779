"""`python -m tests.parts.whole_chaos.without GUARD COMMAND`: payrouter without one of its guards.

It shows that a run fails without this guard. Nothing in payrouter can be switched off like this.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from unittest.mock import patch

from consumers.cli import main
from consumers.runtime.apply import stored_books
from consumers.runtime.apply.offsets import Claims
from consumers.runtime.plain import batches
from consumers.runtime.records import Decoded
from router.contract.wire import OutgoingRecord
from router.edge.publishing.publish import KafkaPublisher
from router.edge.publishing.submission import Done


def acknowledgement() -> None:
    """Make an edge answer before the broker has acknowledged."""
    real = KafkaPublisher.submit

    def submit(
        self: KafkaPublisher,
        records: Sequence[OutgoingRecord],
        done: Done,
        deadline: float | None = None,
    ) -> object:
        submitted = real(self, records, lambda _: None, deadline)
        _soon(partial(done, None))
        return submitted

    patch.object(KafkaPublisher, "submit", submit).start()


def _soon(call: Callable[[], object]) -> None:
    asyncio.get_running_loop().call_soon(call)


def claims() -> None:
    """Make every event count as new."""

    async def claim_all(_: object, __: object, arrived: Sequence[Decoded]) -> Claims:
        return Claims(frozenset(range(len(arrived))), {})

    async def claim(_: object, __: object, batch: Sequence[Any]) -> Sequence[int]:
        return range(len(batch))

    patch.object(stored_books, "claim_events", claim_all).start()
    patch.object(batches, "claim", claim).start()


GUARDS: Final[Mapping[str, Callable[[], None]]] = {
    "acknowledgement": acknowledgement,
    "claims": claims,
}
"""What can be left out, each by what leaves it out."""


if __name__ == "__main__":
    _, guard, *words = sys.argv
    GUARDS[guard]()
    sys.argv = ["payrouter", *words]
    main()
