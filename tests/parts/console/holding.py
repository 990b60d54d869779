"""Records that the consumers of the shop hold back: a parked one, a dead one, a refused one.

The database refuses what the ledger stores about two payments, like an unforeseen fault.
"""

from collections.abc import Callable
from typing import Final

from tests.parts.console import shop
from tests.parts.monitoring.database import execute, value
from tests.parts.waiting import until

PARKED: Final = "B-701"
DEAD: Final = "B-702"
CONSUMER: Final = "ledger"
PUBLISHER: Final = "notifications"

_FUNCTION: Final = f"""
CREATE FUNCTION {CONSUMER}.refuse_some() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.reference IN ('{PARKED}', '{DEAD}') THEN RAISE EXCEPTION 'an unforeseen error'; END IF;
  RETURN NEW;
END $$
"""
_TRIGGER: Final = f"""
CREATE TRIGGER refuse_some BEFORE INSERT OR UPDATE ON {CONSUMER}.position
FOR EACH ROW EXECUTE FUNCTION {CONSUMER}.refuse_some()
"""
_LATER: Final = f"""
UPDATE {CONSUMER}.held SET due_at = now() + interval '1 hour' WHERE state = 'parked'
"""
_EXHAUSTED: Final = f"""
UPDATE {CONSUMER}.held SET state = 'dead', reason = 'exhausted' WHERE id = (
  SELECT max(id) FROM {CONSUMER}.held WHERE state = 'parked')
"""
"""As the runtime leaves a record after its last try, days later."""
_REFUSED: Final = f"""
INSERT INTO {PUBLISHER}.outbox (topic, key, value, headers, refused)
VALUES ('payment.{PUBLISHER}.dlq', 'shop-us|junk', 'junk', '[]', 'MessageSizeTooLargeError')
"""
"""As the relay leaves a record that the broker refused; the evaluation broker refuses none."""


def hold_back(database_url: str, port: int) -> None:
    """Deliver two payments that the ledger cannot store, and leave a refused record."""
    execute(database_url, _FUNCTION, _TRIGGER)
    _park(database_url, port, PARKED, 1)
    _park(database_url, port, DEAD, 2)
    execute(database_url, _EXHAUSTED, _REFUSED)


def _park(database_url: str, port: int, order: str, parked: int) -> None:
    """Deliver a payment; wait until so many records are parked, and that none is retried soon."""
    assert shop.pay(port, order, "1", endpoint="atm-us") == 200
    query = f"SELECT count(*) FROM {CONSUMER}.held WHERE state = 'parked'"
    until(lambda: bool(value(database_url, query) == parked), order)
    execute(database_url, _LATER)


def mend(execute: Callable[..., None]) -> None:
    """Remove the fault: the database takes the payments now."""
    execute(f"DROP TRIGGER IF EXISTS refuse_some ON {CONSUMER}.position")
