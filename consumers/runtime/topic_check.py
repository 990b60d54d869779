"""Needs of a consumer's topics. Imports no Kafka client, because the settings contain it."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.broker.topics.contract import TopicNeed


@dataclass(frozen=True)
class TopicCheck:
    """Needs that topics are compared with, how often, and whether the comparison is required."""

    needs: Sequence[TopicNeed] = ()
    every_seconds: float = 60.0
    required: bool = False
