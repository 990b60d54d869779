"""Errors of the edge. Each class has its HTTP status and whether the sender must send again.

The reasons are a closed list: they are label values of a metric and words that
an operator searches the log for. Messages never contain a secret, a signature
or a body.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from router.contract.event import Event
from router.delivery import VerifiedDelivery


class Reason(StrEnum):
    """Why a delivery did not become an event."""

    # the signature
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_DUPLICATED = "signature_duplicated"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_WRONG = "signature_wrong"
    TIME_MISSING = "time_missing"
    TIME_DUPLICATED = "time_duplicated"
    TIME_MALFORMED = "time_malformed"
    ID_MISSING = "id_missing"
    ID_DUPLICATED = "id_duplicated"
    ID_MALFORMED = "id_malformed"
    # signed, but about another merchant's money
    NOT_OURS = "not_ours"
    # signed, but outside the time window
    STALE = "stale"
    FUTURE = "future"
    # signed, but not readable
    NOT_PARSEABLE = "not_parseable"
    CONTENT_TYPE = "content_type"
    EVENT_HEADER_CONTRADICTS = "event_header_contradicts"
    # signed and readable, but not understood
    UNKNOWN_EVENT = "unknown_event"
    UNKNOWN_STATUS = "unknown_status"
    FIELD_MISSING = "field_missing"
    FIELD_MALFORMED = "field_malformed"
    AMOUNT_UNREPRESENTABLE = "amount_unrepresentable"
    AMBIGUOUS = "ambiguous"
    # signed, readable and understood, but not money of this endpoint's mode
    TEST_MONEY = "test_money"
    LIVE_MONEY = "live_money"
    # before the signature is checked
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    ADDRESS = "address"
    METHOD = "method"
    BODY_TOO_LARGE = "body_too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    BODY_INCOMPLETE = "body_incomplete"
    # at fault: the edge or its broker
    OVERLOADED = "overloaded"
    NOT_DURABLE = "not_durable"
    INTERNAL = "internal"


class RefusedDelivery(Exception):  # noqa: N818 - named after the event
    """Base of all errors that the edge answers with a status other than success."""

    status: int = 500
    resend: ClassVar[bool] = True

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Store the reason for the metric and a sentence for the log."""
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail or str(reason)


class Unauthentic(RefusedDelivery):
    """Not proved genuine: 401. A gateway's retry cannot succeed until the key is corrected."""

    status = 401
    resend = False


class Unwelcome(RefusedDelivery):
    """Refused before verification, with the HTTP status for its problem."""

    resend = False

    def __init__(self, reason: Reason, status: int, detail: str = "") -> None:
        """Store the HTTP status for this problem."""
        super().__init__(reason, detail)
        self.status = status


class NotDurable(RefusedDelivery):
    """Not durable in time: 503 with Retry-After, so that the gateway sends it again."""

    status = 503
    resend = True


class RecordRefused(NotDurable):
    """The broker answered that it does not take a record.

    `for_good`: it takes others of the topic, so that sending this one again cannot succeed.
    """

    def __init__(self, reason: Reason, detail: str, *, for_good: bool) -> None:
        """Store whether the record itself is the cause."""
        super().__init__(reason, detail)
        self.for_good = for_good


class NotUnderstood(Exception):  # noqa: N818 - named after the event
    """Raised by a provider's normalize: the delivery is genuine and goes to quarantine, whole.

    If some of its parts are understood, `events` has their events, which are published.
    """

    def __init__(self, reason: Reason, detail: str, events: Sequence[Event] = ()) -> None:
        """Store the reason, and a detail that names the field and what was expected."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.events = events


class Unreadable(NotUnderstood):
    """Genuine, but its bytes are malformed: stored on quarantine, whole.

    No later version can read such bytes, so a replay reports what else to do.
    """


class NotOurs(NotUnderstood):
    """Genuine, but about another merchant's money: stored on quarantine up to a rate limit.

    If one key signs for every merchant, anyone can have any number of such
    deliveries signed. Beyond the limit they are refused with 401.
    """


class ProviderFailed(NotUnderstood):
    """A bug in a provider, its `__cause__`, on a verified delivery: stored on quarantine.

    The sender may never send it again; a replay publishes it once the provider is fixed.
    """


class OutsideWindow(RefusedDelivery):
    """Signed too long ago or in the future: 401, stored on quarantine for an operator."""

    status = 401
    resend = False

    def __init__(self, reason: Reason, detail: str, verified: VerifiedDelivery) -> None:
        """Store the verified delivery, which goes to quarantine."""
        super().__init__(reason, detail)
        self.verified = verified


class IgnoredEvent(Exception):  # noqa: N818 - named after the event
    """Raised by a provider's normalize: genuine, and listed in the configuration to be ignored.

    It is answered with success, logged and counted by its word, and not stored.
    """

    def __init__(self, word: str) -> None:
        """Store the gateway's word for the event, which is one of the configuration."""
        super().__init__(f"the configuration ignores {word}")
        self.word = word


class ConfigurationError(Exception):
    """Invalid configuration: a line for each problem with its key, no secret; exit status 2."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        """Store the problems, a line each."""
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        """Return the problems, one per line."""
        return "\n".join(self.problems)
