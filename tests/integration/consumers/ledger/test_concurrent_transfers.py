"""Transfers while instances run, two at once, and of a process that is killed."""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.ledger.handler import handle
from consumers.ledger.reading.verify import verify
from consumers.ledger.transfers.acting import post_requested
from consumers.ledger.transfers.request import Movement, TransferRequest
from router.terminal.exits import CommandError
from tests.parts.ledger.asked import ask, settings
from tests.parts.ledger.bookkeeping import applied, balances
from tests.parts.ledger.told import told
from tests.parts.ledger.transferring import (
    BANK,
    OVERPAID,
    PAYMENTS,
    SUSPENSE,
    WALLET,
    transfer,
)
from tests.parts.waiting import eventually

INSTANCES = 3
BATCHES = 8
TRANSFERS = 12

WAITING = text(
    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
    " WHERE NOT granted AND datname = current_database()"
)


async def instance(url: str, number: int) -> None:
    """Apply batches of payments like a running consumer."""
    engine = create_async_engine(url, poolclass=NullPool)
    for batch in range(BATCHES):
        payments = [f"P-{number}-{batch}-{each}" for each in range(5)]
        async with engine.begin() as transaction:
            await handle(transaction, [told("payment.confirmed", "1", payment=p) for p in payments])


def moved(url: str) -> int:
    """Post transfers by the command, one after the other; return how many succeeded."""
    words = (WALLET, BANK, "1", "USDT", "--reason", "settled", "--yes")
    return sum(ask(url, "transfer", *words).exit_code == 0 for _ in range(TRANSFERS))


async def test_transfers_while_three_instances_run_change_nothing_but_their_accounts(
    ledger: AsyncEngine, ledger_url: str
) -> None:
    await applied(ledger, told("payment.confirmed", "100"))
    _, _, _, *numbers = await asyncio.gather(
        *(instance(ledger_url, number) for number in range(INSTANCES)),
        asyncio.to_thread(moved, ledger_url),
    )
    assert numbers == [TRANSFERS]
    paid = 100 + INSTANCES * BATCHES * 5
    assert await balances(ledger) == {
        "payments USDT": -paid,
        "wallet:Ethereum USDT": paid - TRANSFERS,
        "bank USDT": TRANSFERS,
    }
    async with ledger.connect() as connection:
        assert (await verify(connection)).faults == []


async def test_a_transfer_does_not_wait_for_instances_in_the_middle_of_a_batch(
    ledger: AsyncEngine, ledger_url: str
) -> None:
    await applied(ledger, told("payment.confirmed", "100"))
    async with ledger.begin() as busy:
        await handle(busy, [told("payment.confirmed", "1", payment="P-2")])
        # It would run into its lock_timeout if it waited for the open transaction.
        found = await asyncio.to_thread(transfer, ledger_url, WALLET, BANK, "1", "USDT")
        assert found["done"]
    assert (await balances(ledger))["wallet:Ethereum USDT"] == 100


async def test_two_equal_transfers_at_once_are_two(ledger: AsyncEngine, ledger_url: str) -> None:
    await applied(ledger, OVERPAID)
    request = TransferRequest(Movement(WALLET, BANK, Decimal(50), "USDT"), "settled")
    async with ledger.begin() as holder, ledger.connect() as watching:
        await holder.execute(text("LOCK TABLE ledger.transfer IN SHARE MODE"))
        tasks = [
            asyncio.create_task(post_requested(settings(ledger_url), request)) for _ in range(2)
        ]
        await blocked(watching, 2)
        await holder.commit()
        await asyncio.gather(*tasks)
    assert (await balances(ledger))["bank USDT"] == 100
    async with ledger.connect() as connection:
        assert (await verify(connection)).faults == []


async def blocked(connection: AsyncConnection, number: int) -> None:
    async def waits() -> bool:
        return bool(await connection.scalar(WAITING) == number)

    await eventually(waits, f"{number} blocked transactions", seconds=20, pause=0.01)


async def test_of_two_undoings_at_once_one_is_refused(ledger: AsyncEngine, ledger_url: str) -> None:
    await applied(ledger, OVERPAID)
    words = (PAYMENTS, SUSPENSE, "20", "USDT")
    first = (await asyncio.to_thread(transfer, ledger_url, *words))["transfer"]
    request = TransferRequest(first, "a mistake")
    async with ledger.begin() as holder, ledger.connect() as watching:
        # Both have seen that it is not undone yet, before either can write.
        await holder.execute(text("LOCK TABLE ledger.transfer IN SHARE MODE"))
        tasks = [
            asyncio.create_task(post_requested(settings(ledger_url), request)) for _ in range(2)
        ]
        await blocked(watching, 2)
        await holder.commit()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    (late,) = [each for each in results if isinstance(each, BaseException)]
    assert isinstance(late, CommandError)
    assert str(late) == f"{first} was undone by someone else just now"
    assert (await balances(ledger))["suspense USDT"] == -20
    async with ledger.connect() as connection:
        verdict = await verify(connection)
    assert (verdict.faults, verdict.transfers) == ([], 2)


async def test_a_process_killed_before_its_commit_posts_nothing(
    ledger: AsyncEngine, ledger_url: str, tmp_path: Path
) -> None:
    await applied(ledger, OVERPAID)
    (tmp_path / "payrouter.toml").write_text(f'[database]\nurl = "{ledger_url}"\n')
    words = ("transfer", PAYMENTS, SUSPENSE, "20", "USDT", "--reason", "tip", "--yes")
    command = [sys.executable, "-m", "consumers", "ledger", *words]
    async with ledger.begin() as holder, ledger.connect() as watching:
        await holder.execute(text("LOCK TABLE ledger.balance IN SHARE MODE"))
        process = await asyncio.create_subprocess_exec(*command, cwd=tmp_path)
        try:
            # Its postings are written; it waits to count them up.
            await blocked(watching, 1)
        finally:
            process.kill()
            await process.wait()
        await holder.rollback()

    async def ended() -> bool:
        query = text("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE :name")
        async with ledger.connect() as connection:
            return bool(await connection.scalar(query, {"name": "payrouter.%"}) == 0)

    await eventually(ended, "the killed process's session", seconds=20, pause=0.05)
    assert (await balances(ledger))["suspense USDT"] == -20
    async with ledger.connect() as connection:
        verdict = await verify(connection)
    assert (verdict.faults, verdict.transfers) == ([], 0)
    assert (await asyncio.to_thread(transfer, ledger_url, *words[1:5]))["done"]
