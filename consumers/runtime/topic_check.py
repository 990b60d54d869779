"""Needs of a consumer's topics, and its rights. Imports no Kafka client: settings contain it."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.broker.rights import Right
from router.broker.topics.contract import TopicNeed


@dataclass(frozen=True)
class TopicCheck:
    """Needs that topics are compared with, how often, and whether the comparison is required.

    `rights` are those that the process needs on topics and group.
    """

    needs: Sequence[TopicNeed] = ()
    every_seconds: float = 60.0
    required: bool = False
    rights: Sequence[Right] = ()
