"""What a consumer compares its topics with; imports no Kafka client, since settings hold it."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.broker.topics.contract import TopicNeed


@dataclass(frozen=True)
class TopicCheck:
    """What topics are compared with, how often, and whether they must be comparable."""

    needs: Sequence[TopicNeed] = ()
    every_seconds: float = 60.0
    required: bool = False
