"""A transfer that cannot be right is refused with its reason, and changes nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.parts.ledger.asked import ask, asked, run, set_up
from tests.parts.ledger.bookkeeping import applied
from tests.parts.ledger.told import told
from tests.parts.ledger.transferring import (
    BANK,
    EXCHANGE,
    OVERPAID,
    PAYMENTS,
    SUSPENSE,
    WALLET,
    refused,
)

OTHER = told("payment.confirmed", "5", payment="P-9", account="shop-us")
MOVE = (PAYMENTS, SUSPENSE, "20", "USDT")


@pytest.fixture
def overpaid(ledger_url: str) -> str:
    """Return the URL of a ledger of two merchants, one with 20 USDT in suspense."""
    set_up(ledger_url, [OVERPAID, OTHER])
    return ledger_url


def nothing_changed(url: str) -> None:
    verdict = asked(url, "verify")
    assert (verdict["good"], verdict["transfers"], verdict["transactions"]) == (True, 0, 2)


@pytest.mark.parametrize(
    ("amount", "why"),
    [
        ("0", "must be above zero"),
        ("0.000000000000000000000", "must be above zero"),
        ("NaN", "must be finite"),
        ("Infinity", "must be finite"),
        ("1e400", "at most 20 integer digits"),
        ("100000000000000000000", "at most 20 integer digits"),
        ("0.0000000000000000001", "at most 18 decimals"),
        ("1_000", "must consist of decimal digits"),
        ("1,5", "must consist of decimal digits"),
        ("٣", "must consist of decimal digits"),
        ("twenty", "must consist of decimal digits"),
        ("", "must not be empty"),
        ("9" * 5000, "at most 512"),
    ],
    ids=lambda value: str(value)[:24].replace(" ", "-") or "empty",
)
def test_an_invalid_amount_is_wrong_usage(overpaid: str, amount: str, why: str) -> None:
    result = refused(overpaid, PAYMENTS, SUSPENSE, amount, "USDT")
    assert result.exit_code == 2
    assert result.stderr.startswith("payrouter: AMOUNT: ")
    assert why in result.stderr
    nothing_changed(overpaid)


def test_a_negative_amount_is_wrong_usage_however_it_is_passed(overpaid: str) -> None:
    bare = refused(overpaid, PAYMENTS, SUSPENSE, "-20", "USDT")
    assert (bare.exit_code, "no such option" in bare.stderr.lower()) == (2, True)
    words = ("--reason", "x", "--yes", "--", PAYMENTS, SUSPENSE, "-20", "USDT")
    escaped = ask(overpaid, "transfer", *words)
    assert escaped.exit_code == 2
    assert "AMOUNT: an amount must not be negative" in escaped.stderr
    nothing_changed(overpaid)


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--reason", "", "--reason: must not be empty"),
        ("--reason", " \t\n", "--reason: must not be empty"),
        ("--reason", "a\nb", "--reason: must be text without control characters"),
        ("--reason", "a\x00b", "--reason: must be text without control characters"),
        ("--reason", "\udcff", "--reason: must be text without control characters"),
        ("--reason", "x" * 513, "--reason: 513 characters; at most 512"),
        ("--reference", "", "--reference: must not be empty"),
        ("--reference", "a\x1b[31m", "--reference: must be text without control characters"),
        ("--at", "yesterday", "is not a time; use 2026-11-22 or 2026-11-22T10:00:00Z"),
        ("--at", "2026-13-01", "is not a time"),
        ("--undo", "3f9a1c02", "--undo takes back a whole transfer"),
    ],
    ids=lambda value: ascii(value)[1:-1][:16].replace(" ", "-") or "empty",
)
def test_invalid_text_is_wrong_usage(overpaid: str, option: str, value: str, why: str) -> None:
    reason = () if option == "--reason" else ("--reason", "x")
    result = ask(overpaid, "transfer", *MOVE, *reason, option, value, "--yes")
    assert (result.exit_code, result.stdout) == (2, "")
    assert why in result.stderr
    nothing_changed(overpaid)


@pytest.mark.parametrize("number", range(4))
def test_a_missing_argument_is_wrong_usage(overpaid: str, number: int) -> None:
    result = refused(overpaid, *MOVE[:number])
    assert result.exit_code == 2
    assert ", ".join(("FROM", "TO", "AMOUNT", "CURRENCY")[number:]) in result.stderr


def test_a_reason_is_required(overpaid: str) -> None:
    result = ask(overpaid, "transfer", *MOVE, "--yes")
    assert result.exit_code == 2
    assert "--reason" in result.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((PAYMENTS, PAYMENTS, "1", "USDT"), f"FROM and TO are the same account, {PAYMENTS}"),
        (
            (f"{PAYMENTS}@Ethereum", PAYMENTS, "1", "USDT"),
            f"FROM and TO are the same account, {PAYMENTS}",
        ),
        (
            (WALLET, "shop-us:blockatm:wallet:Ethereum", "1", "USDT"),
            "FROM and TO belong to two merchants, shop-eu and shop-us",
        ),
        (
            (WALLET, "shop-us:blockatm:bank", "1", "USDT"),
            "FROM and TO belong to two merchants, shop-eu and shop-us",
        ),
        (
            ("shop-eu:blockatm:suspence", PAYMENTS, "1", "USDT"),
            f"there is no account shop-eu:blockatm:suspence; did you mean {SUSPENSE}",
        ),
        ((WALLET, "shop-eu:blokatm:bank", "1", "USDT"), f"did you mean {BANK}"),
        ((WALLET, "shop-eu:blockatm:refunds", "1", "USDT"), "there is no account"),
        ((WALLET, "shop-eu:blockatm:wallet:TRON", "1", "USDT"), "there is no account"),
        ((WALLET, "shop-eu:blockatm:bank:x", "1", "USDT"), "there is no account"),
        ((WALLET, "bank", "1", "USDT"), "there is no account bank"),
        ((f"{WALLET}@", BANK, "1", "USDT"), "there is no account"),
        ((WALLET, BANK, "1", "usdt"), f"{WALLET} has no usdt, only USDT"),
        ((WALLET, BANK, "1", "EUR"), f"{WALLET} has no EUR, only USDT"),
        (("'; DROP TABLE ledger.transfer; --", BANK, "1", "USDT"), "there is no account '; DROP"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(value[:2])[-60:],
)
def test_accounts_and_currency_must_fit(overpaid: str, words: tuple[str, ...], why: str) -> None:
    result = refused(overpaid, *words)
    assert result.exit_code == 1
    assert why in result.stderr
    assert len(result.stderr.splitlines()) == 1
    nothing_changed(overpaid)


def test_a_currency_of_exchange_may_be_new(overpaid: str) -> None:
    result = ask(overpaid, "transfer", EXCHANGE, BANK, "1", "EUR", "--reason", "sold")
    assert result.exit_code == 0
    assert f"{EXCHANGE} is new" in result.stdout


@pytest.mark.parametrize(
    ("hours", "why"), [(1, "is in the future"), (-401 * 24, "is more than 400 days ago")]
)
def test_an_implausible_moment_is_refused(overpaid: str, hours: int, why: str) -> None:
    moment = datetime.now(UTC) + timedelta(hours=hours)
    result = refused(overpaid, *MOVE, "--at", moment.isoformat())
    assert result.exit_code == 1
    assert why in result.stderr
    nothing_changed(overpaid)


@pytest.mark.parametrize(
    ("prefix", "why"),
    [
        ("3f9a1c02", "there is no transfer 3f9a1c02"),
        ("%%%%%%", "there is no transfer"),
        ("______", "there is no transfer"),
        ("3f9", "3f9 is too short"),
    ],
)
def test_an_unknown_transfer_cannot_be_undone(overpaid: str, prefix: str, why: str) -> None:
    ask(overpaid, "transfer", *MOVE, "--reason", "x", "--yes")
    result = refused(overpaid, "--undo", prefix)
    assert result.exit_code == 1
    assert why in result.stderr
    assert asked(overpaid, "verify")["transfers"] == 1


def test_empty_books_have_no_accounts(ledger_url: str) -> None:
    result = refused(ledger_url, *MOVE)
    assert "the books have no accounts yet" in result.stderr


def test_a_database_that_is_read_only_is_reported_and_unchanged(overpaid: str) -> None:
    run(
        overpaid,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET"
        " default_transaction_read_only = on', current_database()); END $$",
    )
    result = refused(overpaid, *MOVE)
    assert result.exit_code == 1
    assert "read-only transaction" in result.stderr
    assert "payrouter trace" in result.stderr
    nothing_changed(overpaid)


async def refusal(ledger: AsyncEngine, values: str) -> str:
    """Insert a transfer past the command and return PostgreSQL's error."""
    await applied(ledger, OVERPAID)
    columns = "id, who, reason, at, from_account, to_account, amount, currency"
    known = "SELECT min(id::text)::uuid AS first, max(id::text)::uuid AS last FROM ledger.account"
    query = f"INSERT INTO ledger.transfer ({columns}) SELECT {values} FROM ({known}) AS accounts"
    with pytest.raises(DBAPIError) as found:
        async with ledger.begin() as transaction:
            await transaction.execute(text(query))
    return str(found.value.orig)


@pytest.mark.parametrize(
    ("reason", "accounts", "amount", "constraint"),
    [
        ("''", "first, last", "1", "transfer_has_reason"),
        ("'x'", "first, first", "1", "transfer_between_two"),
        *(
            ("'x'", "first, last", f"'{amount}'::numeric", "transfer_amount")
            for amount in ("0", "-1", "NaN", "Infinity", "1e20", "1e-19")
        ),
    ],
)
async def test_the_database_refuses_an_impossible_transfer(
    ledger: AsyncEngine, reason: str, accounts: str, amount: str, constraint: str
) -> None:
    values = f"gen_random_uuid(), 'me', {reason}, now(), {accounts}, {amount}, 'USDT'"
    assert constraint in await refusal(ledger, values)


CAUSES = {
    "none": "NULL, NULL",
    "both": "(SELECT event_id FROM ledger.event LIMIT 1), (SELECT id FROM ledger.transfer LIMIT 1)",
}


@pytest.mark.parametrize("causes", CAUSES)
async def test_a_transaction_has_one_cause(moved: AsyncEngine, causes: str) -> None:
    query = (
        "INSERT INTO ledger.transaction (event_id, transfer_id, description, moment, day)"
        f" VALUES ({CAUSES[causes]}, '', now(), current_date)"
    )
    with pytest.raises(DBAPIError, match="transaction_has_one_cause"):
        async with moved.begin() as transaction:
            await transaction.execute(text(query))


async def test_a_transfer_has_one_transaction(moved: AsyncEngine) -> None:
    query = (
        "INSERT INTO ledger.transaction (transfer_id, description, moment, day)"
        " SELECT id, '', now(), current_date FROM ledger.transfer"
    )
    with pytest.raises(DBAPIError, match="transaction_transfer"):
        async with moved.begin() as transaction:
            await transaction.execute(text(query))


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize(
    ("change", "operation"),
    [
        ("UPDATE ledger.transfer SET reason = 'other'", "UPDATE"),
        ("DELETE FROM ledger.transfer", "DELETE"),
        ("TRUNCATE ledger.transfer CASCADE", "TRUNCATE"),
    ],
)
async def test_a_transfer_cannot_be_changed(
    moved: AsyncEngine, change: str, operation: str, role: str
) -> None:
    async with moved.connect() as connection:
        await connection.execute(text(f"SET session_replication_role = {role}"))
        with pytest.raises(DBAPIError, match=f"is append-only: {operation} refused"):
            await connection.execute(text(change))


@pytest.fixture
async def moved(ledger: AsyncEngine) -> AsyncEngine:
    """Return the engine of a ledger with one event and one transfer."""
    await applied(ledger, OVERPAID)
    columns = "id, who, reason, at, from_account, to_account, amount, currency"
    async with ledger.begin() as transaction:
        await transaction.execute(
            text(
                f"INSERT INTO ledger.transfer ({columns}) SELECT gen_random_uuid(), 'me', 'x',"
                " now(), min(id::text)::uuid, max(id::text)::uuid, 1, 'USDT' FROM ledger.account"
            )
        )
        await transaction.execute(
            text(
                "INSERT INTO ledger.transaction (transfer_id, description, moment, day)"
                " SELECT id, '', at, current_date FROM ledger.transfer"
            )
        )
    return ledger
