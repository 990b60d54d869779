"""Topic names: one topic per family of events, and those that grow beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

FAMILIES = ("payment", "payout", "subscription")
"""The topics that carry events, before the prefix."""

QUARANTINE = "quarantine"
"""Genuine deliveries that were not understood, and stale ones."""

REFUSED = "refused"
"""Samples of refused deliveries: unproven, kept for days, never read by a consumer."""

ORDER = "order"
"""What was ordered, by the merchant's platform: read here, written by others."""


@dataclass(frozen=True)
class TopicsBeside:
    """Topics on the broker beside those of the edge.

    `kept` are kept for ever, `passing` for days like events; `foreign` are
    written by others and read here, and their owner decides about them.
    """

    kept: Sequence[str] = ()
    passing: Sequence[str] = ()
    foreign: Sequence[str] = ()


@dataclass(frozen=True)
class Topics:
    """The names in force: the defaults, renamed where configuration says so, all prefixed."""

    prefix: str = ""
    renamed: tuple[tuple[str, str], ...] = ()

    def name(self, topic: str) -> str:
        """Return the name on the broker of a topic of this contract, `payment` or `quarantine`."""
        return self.prefix + dict(self.renamed).get(topic, topic)

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the topics that carry events."""
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
        """Name of the topic for what `consumer` could not apply from the broker's `topic`."""
        return dead_letter_topic(topic, consumer)

    def outcome(self, consumer: str) -> str:
        """Name of the topic on which `consumer` says what came of the events."""
        return self.prefix + f"{consumer}.outcome"


def dead_letter_topic(topic: str, consumer: str) -> str:
    """Name the topic for what `consumer` could not apply from the broker's `topic`."""
    return f"{topic}.{consumer}.dlq"
