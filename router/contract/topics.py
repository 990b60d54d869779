"""Topic names: one topic per family of events, and the other topics around them."""

from collections.abc import Sequence
from dataclasses import dataclass

FAMILIES = ("payment", "payout", "subscription")
"""Names of the event topics, without the prefix."""

QUARANTINE = "quarantine"
"""Genuine deliveries that were not understood or came too late."""

REFUSED = "refused"
"""Samples of refused deliveries: unverified, retained for days, never read by a consumer."""

ORDER = "order"
"""Orders of the merchant's platform, and what operators of payrouter decide about them."""


@dataclass(frozen=True)
class TopicsBeside:
    """Topics on the broker other than those of the edge.

    `kept` topics retain records forever, `passing` topics for days like event topics.
    `foreign` topics are written by others, who decide about their configuration.
    """

    kept: Sequence[str] = ()
    passing: Sequence[str] = ()
    foreign: Sequence[str] = ()


@dataclass(frozen=True)
class Topics:
    """The topic names in use: defaults or configured names, all with the prefix."""

    prefix: str = ""
    renamed: tuple[tuple[str, str], ...] = ()

    def name(self, topic: str) -> str:
        """Return the name on the broker of a topic such as `payment` or `quarantine`."""
        return self.prefix + dict(self.renamed).get(topic, topic)

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the event topics."""
        return tuple(self.name(family) for family in FAMILIES)

    @property
    def order(self) -> str:
        """Name of the topic with the platform's orders."""
        return self.name(ORDER)

    @property
    def quarantine(self) -> str:
        """Name of the quarantine topic."""
        return self.name(QUARANTINE)

    @property
    def refused(self) -> str:
        """Name of the topic with samples of refused deliveries."""
        return self.name(REFUSED)

    def dead_letter(self, topic: str, consumer: str) -> str:
        """Return the topic for records of the broker's `topic` that `consumer` could not apply."""
        return dead_letter_topic(topic, consumer)

    def outcome(self, consumer: str) -> str:
        """Return the topic on which `consumer` publishes the outcomes of events."""
        return self.prefix + f"{consumer}.outcome"


def dead_letter_topic(topic: str, consumer: str) -> str:
    """Return the topic for records of the broker's `topic` that `consumer` could not apply."""
    return f"{topic}.{consumer}.dlq"
