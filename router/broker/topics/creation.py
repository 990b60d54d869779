"""Nobody but `payrouter topics apply` creates a topic.

A broker with `auto.create.topics.enable` creates a topic when a client asks for
its metadata: with one partition and a retention of days, which no promise
withstands. aiokafka allows that in every metadata request of its own and has no
setting against it.
"""

from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.metadata import MetadataRequest

_SINCE = 4
"""The version of the request from which on it says whether topics may be created."""


def forbid_topic_creation() -> None:
    """Have no client of this process create topics by asking for them.

    Holds for every client of aiokafka, those that FastStream makes included; a
    request that allows it in so many words still may. Call it before the first
    client starts; a second call changes nothing.
    """
    MetadataRequest.build = _build


def _build(request: Any, version: type[Any]) -> Any:  # noqa: ANN401 - aiokafka is untyped
    if version.API_VERSION < _SINCE:
        message = "the broker is older than Kafka 0.11 and would create each topic it is asked for"
        raise IncompatibleBrokerVersion(message)
    allowed = request._allow_auto_topic_creation is True  # noqa: SLF001 - told nowhere else
    return version(request._topics, allowed)  # noqa: SLF001 - as above
