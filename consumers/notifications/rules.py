"""Which change is told to whom by which channel: pure, by the rules of the configuration."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID, uuid5

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from router.contract.event import EventType

MESSAGE_NAMESPACE = UUID("3c8b3bb4-6a55-5a3e-8d0e-1c6f2a7f5b90")
"""Namespace of the ids of messages. Never change it: receivers know messages by them."""

CUSTOMER = "customer"
"""The recipient who is found by the event, or by its order."""

LOG = "log"
"""The channel that is always there: a line of log, and nothing leaves the machine."""

CALLED_OFF = "alert.called_off_after_paid"
"""A gateway calls off what it had called paid: nothing changes, but a person looks."""

KINDS = (*(each.value for each in EventType), CALLED_OFF)
"""Everything a rule can be about."""

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
    """One `[[consumers.notifications.rules]]`: when `on` happens, tell `to` by `channels`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    on: tuple[Pattern, ...] = Field(min_length=1)
    to: str
    channels: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _no_alert_for_customers(self) -> Self:
        if self.to == CUSTOMER and any(each.startswith("alert.") for each in self.on):
            message = "on: an alert is for operators, not for the customer"
            raise ValueError(message)
        return self

    def is_about(self, kind: str) -> bool:
        """Tell whether a kind is meant, by its name or its family."""
        return kind in self.on or f"{kind.partition('.')[0]}.*" in self.on


@dataclass(frozen=True)
class Intent:
    """A message to be written: `kind` says which text."""

    channel: str
    recipient: str
    kind: str


def intents(rules: Iterable[Rule], kinds: Iterable[str]) -> Sequence[Intent]:
    """Return what an event is told by: at most one message per channel and recipient.

    Where two rules, or two kinds, say the same channel and recipient, the
    first one stands.
    """
    found: dict[tuple[str, str], Intent] = {}
    rules = tuple(rules)
    for kind in kinds:
        for rule in rules:
            for channel in rule.channels if rule.is_about(kind) else ():
                found.setdefault((channel, rule.to), Intent(channel, rule.to, kind))
    return list(found.values())


def message_id(event_id: UUID, channel: str, recipient: str) -> UUID:
    """Return the id of a message: the same one however often it is derived."""
    return uuid5(MESSAGE_NAMESPACE, f"{event_id} {channel} {recipient}")


def idempotency_key(message: UUID, edition: int) -> str:
    """Return what a receiver knows a message by; another one where it is to be told once more."""
    return str(message) if not edition else f"{message}-{edition}"


OPERATORS = "operators"

DEFAULT_RULES: Sequence[Mapping[str, object]] = (
    {
        "on": [
            "payment.confirmed",
            "payment.overpaid",
            "payment.underpaid",
            "payment.refunded",
            "subscription.*",
        ],
        "to": CUSTOMER,
        "channels": [LOG],
    },
    {
        "on": ["payment.disputed", "payout.failed", "payout.returned", CALLED_OFF],
        "to": OPERATORS,
        "channels": [LOG],
    },
)
"""What holds without configuration."""
