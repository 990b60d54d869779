"""Decides by the configured rules who receives a message about a change, on which channel. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from router.contract.event import EventType
from router.contract.identity import uuid_of

MESSAGE_NAMESPACE = UUID("3c8b3bb4-6a55-5a3e-8d0e-1c6f2a7f5b90")
"""Namespace of message ids. Never change it: receivers detect repeated messages by their ids."""

CUSTOMER = "customer"
"""The recipient whose address comes from the event or its order."""

LOG = "log"
"""The built-in channel: writes a line to the log, and nothing leaves the machine."""

CALLED_OFF = "alert.called_off_after_paid"
"""A gateway called off a paid payment: nothing changes, but an operator should look."""

ORDER_PAID = "order.paid"
"""An order is paid: the inventory sold its stock, or an event of the gateway proves it."""

KINDS = (*(each.value for each in EventType), ORDER_PAID, CALLED_OFF)
"""All kinds of messages a rule can name."""

FAMILIES = tuple(dict.fromkeys(kind.partition(".")[0] for kind in KINDS))


def _pattern(text: str) -> str:
    family, _, rest = text.partition(".")
    if text not in KINDS and not (family in FAMILIES and rest == "*"):
        message = f"such as payment.confirmed, payment.* or {CALLED_OFF}; families: " + ", ".join(
            FAMILIES
        )
        raise ValueError(message)
    return text


Pattern = Annotated[str, Field(max_length=100), AfterValidator(_pattern)]


class Rule(BaseModel):
    """`[[consumers.notifications.rules]]`: when `on` happens, notify `to` on `channels`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    on: tuple[Pattern, ...] = Field(
        min_length=1,
        description="Types of events, or families such as `payout.*`.",
        examples=[["payout.failed"]],
    )
    to: str = Field(
        description="Recipient: `customer`, or the name of an operator.", examples=["operators"]
    )
    channels: tuple[str, ...] = Field(
        min_length=1, description="Names of channels.", examples=[["log"]]
    )

    @model_validator(mode="after")
    def _no_alert_for_customers(self) -> Self:
        if self.to == CUSTOMER and any(each.startswith("alert.") for each in self.on):
            message = "on: an alert is for operators, not for the customer"
            raise ValueError(message)
        return self

    def is_about(self, kind: str) -> bool:
        """Return whether the rule names a kind or its family."""
        return kind in self.on or f"{kind.partition('.')[0]}.*" in self.on


@dataclass(frozen=True)
class Intent:
    """A message to create; `kind` selects the text."""

    channel: str
    recipient: str
    kind: str


def intents(rules: Iterable[Rule], kinds: Iterable[str]) -> Sequence[Intent]:
    """Return the messages for an event's kinds: at most one per channel and recipient.

    If two rules or two kinds match the same channel and recipient, the first
    one wins, so the most important kind comes first.
    """
    found: dict[tuple[str, str], Intent] = {}
    rules = tuple(rules)
    for kind in kinds:
        for rule in rules:
            for channel in rule.channels if rule.is_about(kind) else ():
                found.setdefault((channel, rule.to), Intent(channel, rule.to, kind))
    return list(found.values())


def message_id(event_id: UUID, channel: str, recipient: str) -> UUID:
    """Return the id of a message, derived from its event, channel and recipient."""
    return uuid_of(MESSAGE_NAMESPACE, f"{event_id} {channel} {recipient}".encode())


def idempotency_key(message: UUID, edition: int) -> str:
    """Return the key by which a receiver detects repeats; every resent edition has a new one."""
    return str(message) if not edition else f"{message}-{edition}"


OPERATORS = "operators"

DEFAULT_RULES: Sequence[Mapping[str, object]] = (
    {
        "on": [
            ORDER_PAID,
            "payment.confirmed",
            "payment.overpaid",
            "payment.underpaid",
            "payment.reversed",
            "payment.refunded",
            "payment.refund_failed",
            "subscription.*",
        ],
        "to": CUSTOMER,
        "channels": [LOG],
    },
    {
        "on": [
            "payment.reversed",
            "payment.refund_failed",
            "payment.disputed",
            "payment.dispute_returned",
            "payout.failed",
            "payout.returned",
            CALLED_OFF,
        ],
        "to": OPERATORS,
        "channels": [LOG],
    },
)
"""The rules used without configuration."""
