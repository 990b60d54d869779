"""Reads the inventory's outcomes: which orders are paid, and which are not any more."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import ValidationError

from router.contract.outcome import OutcomeEvent
from router.contract.wire import (
    Headers,
    UndecodableRecord,
    check_schema_version,
    first_problem,
    read_payload,
)

OUTCOMES = "inventory.outcome"
"""The topic of the inventory's outcomes, without the prefix."""

COMMITTED = "committed"
RETURNED = "returned"

_FINGERPRINT_VERSION = "1"


@dataclass(frozen=True)
class OrderOutcome:
    """An outcome of the inventory for an order; `status` is the part of its type after the dot."""

    id: UUID
    account: str
    reference: str | None
    status: str
    at: datetime

    @property
    def fingerprint(self) -> str:
        """The facts that a repeated outcome must have: version, status, account, reference."""
        facts = [_FINGERPRINT_VERSION, self.status, self.account, self.reference]
        return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def read_outcome(value: bytes | None, headers: Headers) -> OrderOutcome:
    """Read a record of the inventory's outcomes.

    Raises UnknownMajorVersion if the schema header names a later major version, and
    UndecodableRecord for any other record that is not an outcome.
    """
    check_schema_version(headers, "outcome")
    try:
        outcome = OutcomeEvent.model_validate_json(read_payload(value))
    except ValidationError as error:
        raise UndecodableRecord(first_problem(error)) from None
    status = outcome.type.partition(".")[2]
    return OrderOutcome(outcome.id, outcome.account, outcome.reference, status, outcome.at)
