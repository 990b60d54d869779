"""Prevents the automatic creation of topics: only `payrouter topics apply` creates them.

A broker with `auto.create.topics.enable` creates a topic when a client requests its metadata: with
one partition and a retention of days, which would break our guarantees. aiokafka allows it in all
of its metadata requests and has no setting to forbid it.
"""

from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.metadata import MetadataRequest

_SINCE = 4
"""First version of the request with a field that forbids topic creation."""


def forbid_topic_creation() -> None:
    """Stop all clients of this process from creating topics through metadata requests.

    This affects every aiokafka client, including those that FastStream makes. A request
    that explicitly allows creation still creates topics. Call it before the first client
    starts; a second call changes nothing.
    """
    MetadataRequest.build = _build


def _build(request: Any, version: type[Any]) -> Any:  # noqa: ANN401 - aiokafka is untyped
    if version.API_VERSION < _SINCE:
        message = "the broker is older than Kafka 0.11 and would create every requested topic"
        raise IncompatibleBrokerVersion(message)
    allowed = request._allow_auto_topic_creation is True  # noqa: SLF001 - not public
    return version(request._topics, allowed)  # noqa: SLF001 - as above
