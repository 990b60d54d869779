"""The meaning of a verified delivery: events, or the reason for its quarantine."""

from collections.abc import Sequence

from router.contract.event import Event
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

    A body with a content encoding is not decoded, since no gateway documents
    one: the signed bytes are stored unchanged.
    """
    for value in verified.codings:
        detail = f"content-encoding: expected none, got {value[:_SHOWN]!a}"
        raise Unreadable(Reason.CONTENT_TYPE, detail)
    try:
        return provider.normalize(verified)
    except RefusedDelivery as problem:
        if problem.resend:
            raise
        # Refusing after verification would lose what the gateway sent.
        raise NotOurs(problem.reason, problem.detail) from problem
    except (NotUnderstood, IgnoredEvent):
        raise
    except Exception as error:
        raise ProviderFailed(Reason.INTERNAL, type(error).__name__) from error


_SHOWN = 40
