"""What a trace shows to people who may see some accounts only."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from consumers.runtime.trace.answer import TraceAnswer, allowed_answers
from consumers.runtime.trace.gather import TraceQuestion
from consumers.runtime.trace.held import HeldRecord, ReceivedEvent
from consumers.runtime.trail import TrailStep
from tests.parts.contract.events import event

_AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_OURS, _THEIRS = UUID(int=1), UUID(int=2)
_EU = frozenset({"shop-eu"})


def _held(number: int, event_id: UUID | None, account: str | None) -> HeldRecord:
    found = None if account is None else event(id=event_id or UUID(int=9), account=account)
    return HeldRecord(
        id=number,
        state="dead",
        topic="payment",
        partition=0,
        offset=number,
        reason="exhausted",
        error="ValueError",
        attempts=1,
        first_failed_at=_AT,
        due_at=_AT,
        ended_at=None,
        outcome=None,
        event_id=event_id,
        event=found,
    )


_BOOKS = TraceAnswer(
    [
        TrailStep(_AT, "recorded", _OURS, ("shop-eu", "A-1")),
        TrailStep(_AT, "delivered", _OURS),
        TrailStep(_AT, "recorded", _THEIRS, ("shop-us", "A-1")),
        TrailStep(_AT, "delivered", _THEIRS),
        TrailStep(_AT, "message sent", account="shop-us"),
        TrailStep(_AT, "without an account"),
    ],
    held=[_held(1, _OURS, "shop-eu"), _held(2, _THEIRS, "shop-us"), _held(3, None, None)],
)
_STOCK = TraceAnswer(
    received=[ReceivedEvent(each, _AT, "payment", 0, 7) for each in (_OURS, _THEIRS)]
)


def test_only_what_is_known_to_be_of_an_allowed_account_remains() -> None:
    found = allowed_answers({"ledger": _BOOKS, "inventory": _STOCK}, _EU)

    steps = [(each.what, each.event_id) for each in found["ledger"].steps]
    assert steps == [("recorded", _OURS), ("delivered", _OURS)]
    assert [each.id for each in found["ledger"].held] == [1]
    # The inventory stores the event, and the ledger its account.
    assert [each.event_id for each in found["inventory"].received] == [_OURS]


def test_an_undecodable_record_of_an_allowed_event_remains() -> None:
    undecodable = replace(_held(4, _OURS, None), event=None)

    found = allowed_answers({"ledger": replace(_BOOKS, held=[undecodable])}, _EU)

    assert [each.id for each in found["ledger"].held] == [4]


def test_no_account_shows_nothing_and_all_accounts_show_everything() -> None:
    answers = {"ledger": _BOOKS, "inventory": _STOCK}

    nothing = allowed_answers(answers, frozenset())

    assert not any(each.steps or each.held or each.received for each in nothing.values())
    assert allowed_answers(answers, None) == answers


def test_a_stored_delivery_is_covered_by_permission_and_by_choice() -> None:
    question = TraceQuestion("A-1", allowed=_EU)

    assert question.covers("shop-eu")
    assert not question.covers("shop-us")
    assert not question.covers(None)
    assert TraceQuestion("A-1").covers("shop-us")
    assert not TraceQuestion("A-1", account="shop-eu").covers("shop-us")
