"""Claimed amounts wait to be seen on chain, unless the endpoint's claims count."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.ledger.handler import handle
from consumers.ledger.reading.claims import claims_not_seen
from router.contract.event import Event
from tests.parts.ledger.told import told

CLAIM = told("payment.confirmed", "30", amount_claimed=True)
SEEN = told("payment.confirmed", "30")
FEE = told("payment.confirmed", fee="1", fee_currency="USDT")
TRUSTED = frozenset({CLAIM.endpoint})
NOBODY: frozenset[str] = frozenset()


async def waiting(ledger: AsyncEngine, *batches: Sequence[Event], counted: frozenset[str]) -> int:
    for events in batches:
        async with ledger.begin() as transaction:
            await handle(transaction, events, counted=counted)
    async with ledger.connect() as connection:
        return len((await connection.execute(claims_not_seen())).all())


async def test_a_claim_waits_until_it_is_seen(ledger: AsyncEngine) -> None:
    assert await waiting(ledger, [CLAIM], counted=NOBODY) == 1
    assert await waiting(ledger, [FEE], counted=NOBODY) == 1
    assert await waiting(ledger, [SEEN], counted=NOBODY) == 0


async def test_a_claim_of_a_trusted_endpoint_does_not_wait(ledger: AsyncEngine) -> None:
    assert await waiting(ledger, [CLAIM], [FEE], counted=TRUSTED) == 0


async def test_one_untrusted_claim_of_a_payment_waits(ledger: AsyncEngine) -> None:
    other = told("payment.confirmed", "40", amount_claimed=True, endpoint="another")
    assert await waiting(ledger, [CLAIM, other], counted=TRUSTED) == 1
