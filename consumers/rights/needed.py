"""The rights of every process of a configuration, each with its own user."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from consumers.configuration import parts_by_name
from consumers.discovery import discover, topics_beside
from router.broker.rights import (
    Right,
    console_rights,
    consumer_rights,
    deployer_rights,
    edge_rights,
    exporter_rights,
    operator_rights,
)
from router.configuration.settings import Settings
from router.configuration.topic_needs import topic_needs

EDGE: Final = "edge"
EXPORTER: Final = "exporter"
CONSOLE: Final = "console"
TOPICS: Final = "topics"
"""`payrouter topics apply`, which a deployment may run as a separate user."""

OPERATOR: Final = "operator"
"""The other commands that use the broker."""


def process_rights(
    settings: Settings, user_of: Callable[[str], str]
) -> Mapping[str, Sequence[Right]]:
    """Return by process the rights it needs; `user_of` returns the principal of a process."""
    topics, parts = settings.topics.topics(), parts_by_name(settings)
    run = settings.exporter.consumers or parts.keys()
    watched = [each for name, each in parts.items() if name in run]
    every = [need.name for need in topic_needs(settings, topics_beside(topics, discover()))]
    return {
        EDGE: edge_rights(user_of(EDGE), topics),
        **{name: consumer_rights(user_of(name), each) for name, each in parts.items()},
        EXPORTER: exporter_rights(user_of(EXPORTER), watched),
        CONSOLE: console_rights(user_of(CONSOLE), topics, list(parts.values())),
        TOPICS: deployer_rights(user_of(TOPICS), every),
        OPERATOR: operator_rights(user_of(OPERATOR), topics, list(parts.values())),
    }
