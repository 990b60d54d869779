"""The place where a page of deliveries ends: one offset for each partition, as text for a URL."""

import re
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition

Bounds = Mapping[TopicPartition, int]
"""Of each partition, the offset before which the next page begins."""

_PARTITION = re.compile(r"(\d{1,3})\.(\d{1,6})\.(\d{1,18})")


class BoundsMalformed(Exception):  # noqa: N818 - names the state
    """The text of a URL is not a place in a list of deliveries."""


def bounds_text(bounds: Bounds, topics: Sequence[str]) -> str:
    """Return bounds as text; a topic is named by its number in `topics`."""
    parts = sorted((topics.index(part.topic), part.partition, at) for part, at in bounds.items())
    return "_".join(f"{topic}.{number}.{at}" for topic, number, at in parts)


def bounds_from(text: str, topics: Sequence[str]) -> Bounds:
    """Return bounds from text. Raises BoundsMalformed."""
    found = {}
    for part in text.split("_"):
        match = _PARTITION.fullmatch(part)
        if match is None or int(match[1]) >= len(topics):
            message = "after: expected the value that the link to the next page has"
            raise BoundsMalformed(message)
        found[TopicPartition(topics[int(match[1])], int(match[2]))] = int(match[3])
    return found
