"""Findings in one consumer's database, reduced to some accounts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from consumers.runtime.apply.brake import Brake
from consumers.runtime.casebook.stored_case import StoredCase
from consumers.runtime.trace.held import HeldRecord, ReceivedEvent
from consumers.runtime.trail import TrailStep


@dataclass(frozen=True)
class TraceAnswer:
    """Findings in one consumer's database."""

    steps: Sequence[TrailStep] = ()
    received: Sequence[ReceivedEvent] = ()
    held: Sequence[HeldRecord] = ()
    brakes: Mapping[str, Brake] = field(default_factory=dict)
    """Active brakes, by topic."""
    cases: Sequence[StoredCase] = ()
    """Cases of what was found, the closed ones included."""

    @property
    def decided(self) -> frozenset[int]:
        """Numbers of the held records whose case an operator has closed."""
        return frozenset(each.held for each in self.cases if each.closed and each.held is not None)


def of_account(answer: TraceAnswer, account: str | None) -> TraceAnswer:
    """Remove findings that are known to belong to another account; None is every account."""
    if account is None:
        return answer
    others = {
        step.event_id
        for step in answer.steps
        if step.event_id is not None and _account(step) not in {None, account}
    }
    return replace(
        answer,
        steps=[
            step
            for step in answer.steps
            if step.event_id not in others and _account(step) in {None, account}
        ],
        received=[each for each in answer.received if each.event_id not in others],
        held=[each for each in answer.held if each.event is None or each.event.account == account],
    )


def allowed_answers(
    answers: Mapping[str, TraceAnswer], allowed: frozenset[str] | None
) -> dict[str, TraceAnswer]:
    """Keep what is known to belong to one of the accounts, by itself or by its event.

    None is every account.
    """
    if allowed is None:
        return dict(answers)
    own = {each for answer in answers.values() for each in _own(answer, allowed)}
    return {name: _permitted(answer, allowed, own) for name, answer in answers.items()}


def _own(answer: TraceAnswer, allowed: frozenset[str]) -> Iterable[UUID]:
    for step in answer.steps:
        if step.event_id is not None and _account(step) in allowed:
            yield step.event_id
    for record in answer.held:
        if record.event is not None and record.event.account in allowed:
            yield record.event.id


def _permitted(answer: TraceAnswer, allowed: frozenset[str], own: set[UUID]) -> TraceAnswer:
    def mine(account: str | None, event_id: UUID | None) -> bool:
        return account in allowed if account is not None else event_id in own

    return replace(
        answer,
        steps=[each for each in answer.steps if mine(_account(each), each.event_id)],
        received=[each for each in answer.received if each.event_id in own],
        held=[
            each
            for each in answer.held
            if mine(None if each.event is None else each.event.account, each.event_id)
        ],
    )


def _account(step: TrailStep) -> str | None:
    if step.order is not None:
        return step.order[0]
    return step.account or step.facts.get("account")
