"""Fills the stores of the three consumers with a million events, in about two minutes of SQL.

Rows are made by the server itself, without triggers; their amounts, days and balances agree, so
that the books balance. Ids are digests of numbers.
"""

from typing import Final

from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from consumers.inventory.service import SERVICE as INVENTORY
from consumers.ledger.service import SERVICE as LEDGER
from consumers.notifications.service import SERVICE as NOTIFICATIONS
from consumers.runtime.store.migrate import upgrade
from tests.benchmarks.running.database import connected

ACCOUNTS: Final = 20
"""Merchants; the first has half of all payments, the last a few hundred."""

_ID: Final = "md5('{}' || n)::uuid"
_MERCHANT: Final = (
    "'shop-' || CASE WHEN n % 2 = 0 THEN 0 WHEN n % 4000 = 1 THEN 19 ELSE 1 + n % 18 END"
)
_MOMENT: Final = "now() - (:rows - n) * interval '365 days' / :rows"

_LEDGER: Final = (
    f"""
INSERT INTO ledger.account (id, name, account, provider, purpose, network)
SELECT md5(merchant || purpose || network)::uuid,
    merchant || ':resmic:' || purpose || CASE purpose WHEN 'wallet' THEN ':' || network ELSE '' END,
    merchant, 'resmic', purpose, network
FROM (SELECT 'shop-' || n AS merchant FROM generate_series(0, {ACCOUNTS - 1}) AS n) AS merchants,
    unnest(ARRAY['wallet', 'payments', 'fees']) AS purpose,
    unnest(ARRAY['Ethereum', 'TRON']) AS network
""",
    f"""
INSERT INTO ledger.event (event_id, type, account, provider, reference, provider_reference, amount,
    currency, endpoint, scheme, network, test, received_at, outcome, digest, position_id)
SELECT {_ID.format("e")}, CASE WHEN n % 50 = 0 THEN 'payment.refunded' ELSE 'payment.confirmed' END,
    {_MERCHANT}, 'resmic', 'A-' || n, 'P-' || n, 100, 'USDT', 'shop', 'hmac',
    CASE n % 3 WHEN 0 THEN 'TRON' ELSE 'Ethereum' END, false, {_MOMENT}, 'applied', md5('d' || n),
    {_ID.format("p")}
FROM generate_series(1, :rows) AS n
""",
    f"""
INSERT INTO ledger.transaction (id, event_id, posted_at, moment, day, description)
OVERRIDING SYSTEM VALUE
SELECT n, {_ID.format("e")}, at, at, (at AT TIME ZONE 'UTC')::date
    - CASE WHEN n % 5000 = 0 THEN 100 ELSE 0 END, 'payment'
FROM (SELECT n, {_MOMENT} AS at FROM generate_series(1, :rows) AS n) AS numbered
""",
    f"""
INSERT INTO ledger.posting (transaction_id, line, account_id, currency, amount)
SELECT n, line, md5({_MERCHANT} || purpose || CASE n % 3 WHEN 0 THEN 'TRON' ELSE 'Ethereum' END)
    ::uuid, CASE WHEN n % 1000 = 0 THEN 'EUR' ELSE 'USDT' END, amount
FROM generate_series(1, :rows) AS n,
    (VALUES (1, 'wallet', 99.5), (2, 'fees', 0.5), (3, 'payments', -100))
        AS lines (line, purpose, amount)
""",
    """
INSERT INTO ledger.balance (account_id, currency, day, shard, amount, postings)
SELECT account_id, currency, day, transaction_id % 16, sum(amount), count(*)
FROM ledger.posting JOIN ledger.transaction ON transaction.id = transaction_id GROUP BY 1, 2, 3, 4
""",
    """
INSERT INTO ledger.journal_total (day, shard, transactions, postings)
SELECT day, id % 16, count(*), 3 * count(*) FROM ledger.transaction GROUP BY 1, 2
""",
    f"""
INSERT INTO ledger.position (id, account, provider, family, provider_reference, reference, status,
    cases, updated_at)
SELECT {_ID.format("p")}, {_MERCHANT}, 'resmic', 'payment', 'P-' || n, 'A-' || n, 'confirmed',
    CASE WHEN n % 100 = 0 THEN jsonb_build_object('wrong-currency', jsonb_build_object(
        'digest', md5('c' || n), 'since', {_MOMENT}, 'facts', '{{}}'::jsonb)) END, {_MOMENT}
FROM generate_series(1, :rows) AS n
""",
)

_INVENTORY: Final = (
    f"""
INSERT INTO inventory.stock (id, account, sku, on_hand)
SELECT md5('s' || n)::uuid, 'shop-' || n % {ACCOUNTS}, 'tea-' || n, 1000000
FROM generate_series(1, 20000) AS n
""",
    f"""
INSERT INTO inventory.orders (id, account, reference, status, total, currency, placed_at,
    updated_at)
SELECT {_ID.format("o")}, {_MERCHANT}, 'A-' || n, CASE WHEN n % 20 = 0 THEN 'lapsed'
    WHEN n % 5000 = 1 THEN 'short' ELSE 'committed' END, 100, 'USDT', {_MOMENT}, {_MOMENT}
FROM generate_series(1, :rows) AS n
""",
    f"""
INSERT INTO inventory.line (order_id, stock_id, quantity, reserved, committed, oversold)
SELECT {_ID.format("o")}, md5('s' || 1 + n % 20000)::uuid, 1, 0, 1, 0
FROM generate_series(1, :rows) AS n
""",
    f"""
INSERT INTO inventory.payment (id, account, provider, provider_reference, reference, status, amount,
    currency, has_money, order_id, created_at, updated_at)
SELECT {_ID.format("p")}, {_MERCHANT}, 'resmic', 'P-' || n, 'A-' || n, 'confirmed', 100, 'USDT',
    true, CASE WHEN n % 500 = 0 THEN NULL ELSE {_ID.format("o")} END, {_MOMENT}, {_MOMENT}
FROM generate_series(1, :rows) AS n
""",
)

_NOTIFICATIONS: Final = (
    f"""
INSERT INTO notifications.change (event_id, type, account, provider, reference, provider_reference,
    outcome, facts, applied_at)
SELECT {_ID.format("e")}, 'payment.confirmed', {_MERCHANT}, 'resmic', 'A-' || n, 'P-' || n,
    'applied', '{{"order": "A-' || n || '", "amount": "100"}}', {_MOMENT}
FROM generate_series(1, :rows) AS n
""",
    f"""
INSERT INTO notifications.message (id, event_id, channel, recipient, kind, address, state, attempts,
    created_at, sent_at, failed_at)
SELECT {_ID.format("m")}, {_ID.format("e")}, 'mail', 'customer', 'payment.confirmed',
    'customer-' || n || '@example.com', CASE WHEN n % 1000 = 0 THEN 'failed' ELSE 'sent' END, 1,
    {_MOMENT}, {_MOMENT}, CASE WHEN n % 1000 = 0 THEN {_MOMENT} END
FROM generate_series(1, :rows) AS n
""",
)

_OF_EACH: Final = (
    f"""
INSERT INTO {{schema}}.seen_event (event_id, fingerprint, topic, partition, "offset", seen_at)
SELECT {_ID.format("e")}, md5('f' || n), 'payment', n % 4, n, {_MOMENT}
FROM generate_series(1, :rows) AS n
""",
    f"""
INSERT INTO {{schema}}.held (cluster_id, topic, partition, "offset", timestamp, crc, lane, value,
    headers, event_id, state, reason, error, attempts, first_failed_at, last_failed_at, due_at)
SELECT 'cluster', 'payment', n % 4, n, 0, n, decode(md5('l' || n), 'hex'), 'value', '[]',
    {_ID.format("e")}, CASE WHEN n > 6000 THEN 'done' WHEN n % 2 = 0 THEN 'dead' ELSE 'parked' END,
    'failed', 'no such order', 3, {_MOMENT}, {_MOMENT}, now() + interval '1 hour'
FROM generate_series(1, :rows / 10) AS n
""",
    f"""
INSERT INTO {{schema}}.operation (at, who, what, detail)
SELECT {_MOMENT}, 'ann@desk', 'parked retry', '1 records: ' || n
FROM generate_series(1, :rows / 10) AS n
""",
)

_SERVICES: Final = (
    (LEDGER, _LEDGER),
    (INVENTORY, _INVENTORY),
    (NOTIFICATIONS, _NOTIFICATIONS),
)


async def fill(url: str, rows: int) -> None:
    """Create the tables of the consumers in a database, and this number of events in each."""
    engine = create_async_engine(url, poolclass=NullPool)
    for service, _ in _SERVICES:
        await upgrade(engine, service)
    await engine.dispose()
    async with connected(url) as connection:
        # Neither triggers nor foreign keys: the rows fit.
        await connection.execute("SET session_replication_role = replica")
        for service, own in _SERVICES:
            shared = [each.format(schema=service.schema) for each in _OF_EACH]
            for statement in (*own, *shared):
                await connection.execute(statement.replace(":rows", str(rows)))
        await connection.execute("VACUUM ANALYZE")
