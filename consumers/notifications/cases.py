"""Cases of the notifications: messages that failed and are not tried again."""

from sqlalchemy import Text, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB

from consumers.notifications.tables import CHANGE, FAILED, MESSAGE
from consumers.runtime.cases.kind import CaseKind, Severity
from consumers.runtime.cases.source import CaseQuery

MESSAGE_FAILED = CaseKind(
    "message-failed",
    Severity.TICKET,
    "A message could not be sent and is not tried again.",
    (
        "payrouter notifications show {message}",
        "payrouter notifications resend {message}",
    ),
)

CASES = (
    CaseQuery(
        MESSAGE_FAILED,
        select(
            cast(MESSAGE.c.id, Text).label("subject"),
            *(CHANGE.c[name] for name in ("account", "reference")),
            *(CHANGE.c[name] for name in ("provider", "provider_reference")),
            MESSAGE.c.failed_at.label("since"),
            func.jsonb_build_object(
                *("message", cast(MESSAGE.c.id, Text), "about", MESSAGE.c.kind),
                *("to", MESSAGE.c.recipient, "channel", MESSAGE.c.channel),
                # One more failure after a resend is a new fact.
                *("tries", cast(MESSAGE.c.attempts, Text)),
                *("error", func.coalesce(MESSAGE.c.last_error, "")),
                type_=JSONB,
            ).label("facts"),
        )
        .join_from(MESSAGE, CHANGE)
        .where(MESSAGE.c.state == FAILED),
    ),
)
