"""What a statement would change: postings and cases. Pure."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from consumers.ledger.facts.position import Position, absorb
from consumers.ledger.facts.stored import facts_json, fold_json
from consumers.ledger.postings import NOTHING, AmountsByPlace, Assessment, assess, difference
from consumers.ledger.recording.pending import PendingStatement
from consumers.ledger.recording.statement import StatedTransfer
from consumers.runtime.cases.finding import Finding
from router.contract.amounts import value_text
from router.contract.event import Event

_DIGITS = 12


@dataclass(frozen=True)
class Preview:
    """What is known of a payment or payout, and what the statement would change.

    `known` are the amounts of the same transfer or total, by who stated them. `remaining` are cases
    that stay open, with other facts or the same.
    """

    known: Sequence[str]
    amounts: AmountsByPlace
    lines: AmountsByPlace
    opened: Sequence[Finding]
    closed: Sequence[Finding]
    remaining: Sequence[Finding]


def preview_of(position: Position, event: Event, transfer: StatedTransfer) -> Preview:
    """Return what an event of a statement would change, given the position that it is about.

    `transfer` is what the statement is about.
    """
    before = _assessed(position)
    after = assess(absorb(position, event))
    kinds = {each.kind for each in before.findings}, {each.kind for each in after.findings}
    return Preview(
        known=_known(position, transfer),
        amounts=before.amounts,
        lines=difference(before.amounts, after.amounts),
        opened=[each for each in after.findings if each.kind not in kinds[0]],
        closed=[each for each in before.findings if each.kind not in kinds[1]],
        remaining=[each for each in after.findings if each.kind in kinds[0]],
    )


def version_of(position: Position, pending: Sequence[PendingStatement]) -> str:
    """Return the digest of what is known: 12 hexadecimal digits.

    It covers the transfers in `position.movements`, and statements that are not applied yet.
    """
    known = [
        str(position.id),
        *(position.reference, position.status, int(position.rank)),
        facts_json(position),
        sorted((*key, fold_json(fold)) for key, fold in position.movements.items()),
        sorted(str(each.event_id) for each in pending),
    ]
    text = json.dumps(known, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _assessed(position: Position) -> Assessment:
    return NOTHING if position.status is None else assess(position)


def _known(position: Position, transfer: StatedTransfer) -> Sequence[str]:
    gateway = transfer.gateway_amounts(position).by_currency
    known = [f"gateway {_money(amount, currency)}" for currency, amount in gateway.items()]
    stated = transfer.fold(position).slot(transfer.side).stated
    if stated is not None:
        known.append(f"operator {_money(stated.amount, stated.currency)}")
    return known


def _money(amount: Decimal, currency: str) -> str:
    return f"{value_text(amount)} {currency}"
