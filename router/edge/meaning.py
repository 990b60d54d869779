"""The meaning of a verified delivery: events, or the reason for its quarantine."""

from collections.abc import Sequence

from router.contract.event import Event
from router.contract.identity import gateway_name
from router.delivery import VerifiedDelivery
from router.errors import (
    IgnoredEvent,
    NotOurs,
    NotUnderstood,
    ProviderFailed,
    Reason,
    RefusedDelivery,
    Unreadable,
)
from router.providers import Provider


def meaning(provider: Provider, verified: VerifiedDelivery) -> Sequence[Event]:
    """Return the events, or raise NotUnderstood or IgnoredEvent: none verified is refused.

    Events that cannot be published are left out, of those that the error has as well.

    A body with a content encoding is not decoded, since no gateway documents
    one: the signed bytes are stored unchanged.
    """
    for value in verified.codings:
        detail = f"content-encoding: expected none, got {value[:_SHOWN]!a}"
        raise Unreadable(Reason.CONTENT_TYPE, detail)
    try:
        events = provider.normalize(verified)
    except RefusedDelivery as problem:
        if problem.resend:
            raise
        # Refusing after verification would lose what the gateway sent.
        raise NotOurs(problem.reason, problem.detail) from problem
    except NotUnderstood as problem:
        problem.events = _good(problem.events)
        raise
    except IgnoredEvent:
        raise
    except Exception as error:
        raise ProviderFailed(Reason.INTERNAL, type(error).__name__) from error
    return _publishable(events)


_SHOWN = 40


def _publishable(events: Sequence[Event]) -> Sequence[Event]:
    problems = [problem for problem in map(_problem_of, events) if problem is not None]
    if problems:
        raise NotUnderstood(*problems[0], _good(events))
    return events


def _good(events: Sequence[Event]) -> Sequence[Event]:
    return tuple(event for event in events if _problem_of(event) is None)


def _problem_of(event: Event) -> tuple[Reason, str] | None:
    """Return why an event of any provider cannot be published.

    With an order's reference alone, an event about money could be about either of two payments
    of the order, and no later event could tell.
    """
    if event.provider_reference is None and event.about_money:
        return Reason.FIELD_MISSING, "provider_reference: required in an event about money"
    try:
        gateway_name(event.provider)
    except ValueError as error:
        return Reason.FIELD_MALFORMED, f"provider: {error}"
    return None
