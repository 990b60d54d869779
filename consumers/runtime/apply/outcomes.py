"""Publishes outcome events to the platform, in the transaction of the effect."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from consumers.runtime.apply.outbox import Outgoing, put
from consumers.runtime.store.tables import RuntimeTables
from router.contract.outcome import OutcomeEvent, OutcomeFacts
from router.contract.wire import encode_outcome


async def publish_outcomes(
    transaction: AsyncConnection,
    schema: str,
    topic: str,
    outcomes: Sequence[OutcomeEvent | OutcomeFacts],
) -> None:
    """Publish outcomes on `topic` once the transaction commits, through the outbox of `schema`."""
    records = [encode_outcome(each, topic) for each in outcomes]
    outgoing = [Outgoing(each.topic, each.key, each.value, each.headers) for each in records]
    await put(transaction, RuntimeTables.of(schema), outgoing)
