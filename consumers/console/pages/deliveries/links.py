"""Paths of the page, for this page and for others."""

from urllib.parse import urlencode

from consumers.console.pages.deliveries.seen import RecordPlace
from router.contract.topics import FAMILIES, QUARANTINE, REFUSED, Topics

_TOPICS = (*FAMILIES, QUARANTINE, REFUSED)


def delivery_path(topics: Topics, place: RecordPlace) -> str | None:
    """Return the path of a delivery; None if its topic has no deliveries."""
    found = [each for each in _TOPICS if topics.name(each) == place.topic]
    return f"/deliveries/{found[0]}/{place.partition}/{place.offset}" if found else None


def topic_of(topics: Topics, word: str) -> str | None:
    """Return the name on the broker of the topic that a path names."""
    return topics.name(word) if word in _TOPICS else None


def list_path(**filters: str) -> str:
    """Return the path of the list with these filters."""
    return f"/deliveries?{urlencode(filters)}" if filters else "/deliveries"


def replay_path(**filters: str) -> str:
    """Return the path that previews a replay of the deliveries with these filters."""
    return f"/deliveries/do/replay?{urlencode(filters)}"
