"""The worked examples of docs/ledger.md: events in, postings out, as they are written there.

An example is a heading, a block of events, and a table of what they post, or
the words "Nothing is posted."
"""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from consumers.ledger.facts.position import new_position
from consumers.ledger.handler import plan_batch
from consumers.ledger.writing.positions import KeptPosition
from router.contract.amounts import amount_text
from router.contract.event import Event
from tests.parts.ledger.told import MOMENT, recorded, told
from tests.parts.source import ROOT

PAGE = ROOT / "docs" / "ledger.md"

_EXAMPLE = re.compile(
    r"^### ([^\n]+)\n(.*?)```events\n(.*?)```\n\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL
)

_TRANSFERS = re.compile(
    r"^## Transfers\n.*?```events\n(.*?)```\n.*?```transfers\n(.*?)```\n\n(.*?)\n\n",
    re.MULTILINE | re.DOTALL,
)

Row = tuple[str, str, str, str, str]
"""Number of the event, ledger account, network, currency, amount."""


@dataclass(frozen=True)
class Example:
    """One example of the page."""

    name: str
    events: Sequence[Event]
    rows: Sequence[Row]


def examples() -> dict[str, Example]:
    """Read the page."""
    found = _EXAMPLE.findall(PAGE.read_text(encoding="utf-8"))
    return {
        name: Example(name, parse_events(events.splitlines()), _rows(rows))
        for name, _, events, rows in found
    }


@dataclass(frozen=True)
class TransferExample:
    """The example of transfers: the events before it, the arguments of each, and the rows.

    A row has the number of the transfer, account, network, currency, amount, and balance after it.
    """

    events: Sequence[Event]
    transfers: Sequence[Sequence[str]]
    rows: Sequence[Sequence[str]]


def transfer_example() -> TransferExample:
    """Read the example of transfers of the page."""
    found = _TRANSFERS.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    events, transfers, table = found.groups()
    arguments = [shlex.split(line) for line in transfers.splitlines()]
    return TransferExample(parse_events(events.splitlines()), arguments, _cells(table))


def parse_events(lines: Iterable[str]) -> Sequence[Event]:
    """Read `payment.confirmed amount=100 currency=USDT`, an event per line, a minute apart."""
    return [
        _event(line, MOMENT + number * timedelta(minutes=1)) for number, line in enumerate(lines)
    ]


def posted_rows(events: Sequence[Event]) -> list[Row]:
    """Return the postings of events, without a database."""
    new = {new_position(event).id: new_position(event) for event in reversed(events)}
    before = {key: KeptPosition(each, claimed=False, cases=None) for key, each in new.items()}
    plan = plan_batch(before, [(new_position(event).id, event) for event in events])
    return [
        (
            str(number),
            place.account.name,
            place.account.network or "",
            place.currency,
            amount_text(amount),
        )
        for number, entry in enumerate(plan.entries, start=1)
        for place, amount in entry.lines.items()
    ]


def of_account(event: Event, account: str, event_id: UUID) -> Event:
    """Return the event for another merchant, with another id."""
    return event.model_copy(update={"account": account, "id": event_id})


def _event(line: str, moment: datetime) -> Event:
    is_recorded = line.startswith("operator ")
    kind, *words = line.removeprefix("operator ").split()
    facts: dict[str, Any] = dict(word.split("=", 1) for word in words)
    if "amount_claimed" in facts:
        facts["amount_claimed"] = facts["amount_claimed"] == "true"
    known: dict[str, Any] = {"network": None, "reference": "A-1", "received_at": moment}
    known["currency"] = None
    make = recorded if is_recorded else told
    return make(kind, facts.pop("amount", None), **{**known, **facts})


def _rows(text: str) -> Sequence[Row]:
    if text.startswith("Nothing is posted."):
        return []
    return [(a, b, c, d, e) for a, b, c, d, e in _cells(text)]


def _cells(text: str) -> Sequence[Sequence[str]]:
    """Return the cells of a table, without its head."""
    _, *rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [tuple(cell.strip() for cell in row.strip("|").split("|")) for row in rows]
