"""What can go wrong at the edge. Each class says its status and whether the sender shall resend.

The reasons are a closed list: they are label values of a metric and words an
operator searches the log for. Messages never repeat a secret, a signature or
a body.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar

from router.contract.event import Event
from router.delivery import VerifiedDelivery


class Reason(StrEnum):
    """Why a delivery was not taken as an event."""

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
    # signed, but about the money of somebody else
    NOT_OURS = "not_ours"
    # signed, but not now
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
    # before any signature
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    ADDRESS = "address"
    METHOD = "method"
    BODY_TOO_LARGE = "body_too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    BODY_INCOMPLETE = "body_incomplete"
    # ours
    OVERLOADED = "overloaded"
    NOT_DURABLE = "not_durable"
    INTERNAL = "internal"


class RefusedDelivery(Exception):  # noqa: N818 - reads as what happened
    """The base of everything the edge answers with another status than success."""

    status: ClassVar[int] = 500
    resend: ClassVar[bool] = True

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Keep the reason for the metric and a sentence for the log."""
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail or str(reason)


class Unauthentic(RefusedDelivery):
    """Not proved genuine: 401. A gateway's retry cannot mend it, a corrected key can."""

    status = 401
    resend = False


class Unwelcome(RefusedDelivery):
    """Refused before any work, by what HTTP has a status for."""

    resend = False

    def __init__(self, reason: Reason, status: int, detail: str = "") -> None:
        """Keep the status HTTP has for this."""
        super().__init__(reason, detail)
        self.status = status  # type: ignore[misc] # the one class whose status varies


class NotDurable(RefusedDelivery):
    """Could not be kept in time: 503 with Retry-After. The gateway shall send it again."""

    status = 503
    resend = True


class NotUnderstood(Exception):  # noqa: N818 - reads as what happened
    """Raised by a provider's normalize: the delivery is genuine and goes to quarantine, whole.

    Where it says several things and some are understood, those go on: `events`.
    """

    def __init__(self, reason: Reason, detail: str, events: Sequence[Event] = ()) -> None:
        """Say which field and what would have been right."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.events = events


class Unreadable(NotUnderstood):
    """Genuine, but its bytes are not what they should be: kept on quarantine, whole.

    No later version reads such bytes better, so a replay says what else to do.
    """


class NotOurs(NotUnderstood):
    """Genuine, but about the money of somebody else: kept on quarantine up to a bound.

    Where one key signs for every merchant, a stranger can have any number of
    such deliveries signed. Beyond the bound they are refused with 401.
    """


class ProviderFailed(NotUnderstood):
    """A provider's own error on a proved delivery, its `__cause__`: kept like what nobody knows.

    The sender may never send it again; a replay takes it in once the provider is mended.
    """


class OutsideWindow(RefusedDelivery):
    """Signed too long ago or in the future: 401, kept on quarantine for an operator."""

    status = 401
    resend = False

    def __init__(self, reason: Reason, detail: str, verified: VerifiedDelivery) -> None:
        """Carry the verified delivery, which is kept."""
        super().__init__(reason, detail)
        self.verified = verified


class ConfigurationError(Exception):
    """The configuration is wrong: a line for each problem naming its key, no secret, exit 2."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        """Keep the problems, each a line."""
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        """Return the problems, one below another."""
        return "\n".join(self.problems)
