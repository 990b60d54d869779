"""Requests in versions that aiokafka does not have.

From version 10 on, Metadata includes topic ids and our authorized operations; aiokafka stops at
version 5. None of these requests creates a topic.
"""

from collections.abc import Collection
from io import BytesIO
from typing import Any, ClassVar
from uuid import UUID

from aiokafka.protocol import api
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.metadata import MetadataRequest_v4, MetadataRequest_v5
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

READ_UNCOMMITTED = 0
READ_COMMITTED = 1
EARLIEST = -2
LATEST = -1

NO_ID = UUID(int=0)
"""Placeholder for a topic without an id."""

_METADATA = 3
_CLIENT = -1
"""Replica id that clients send."""


class Uuid(AbstractType):  # type: ignore[misc] # aiokafka is untyped
    """A UUID of 16 bytes."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        """Encode a UUID."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        """Decode a UUID. Raises ValueError if fewer than 16 bytes are left."""
        return UUID(bytes=data.read(16))


_BROKERS = CompactArray(
    ("node_id", Int32),
    ("host", CompactString("utf-8")),
    ("port", Int32),
    ("rack", CompactString("utf-8")),
    ("tags", TaggedFields),
)
_TOPICS = CompactArray(
    ("error_code", Int16),
    ("topic", CompactString("utf-8")),
    ("topic_id", Uuid),
    ("is_internal", Boolean),
    (
        "partitions",
        CompactArray(
            ("error_code", Int16),
            ("partition", Int32),
            ("leader", Int32),
            ("leader_epoch", Int32),
            ("replicas", CompactArray(Int32)),
            ("isr", CompactArray(Int32)),
            ("offline_replicas", CompactArray(Int32)),
            ("tags", TaggedFields),
        ),
    ),
    ("authorized_operations", Int32),
    ("tags", TaggedFields),
)
_HEAD = (
    ("throttle_time_ms", Int32),
    ("brokers", _BROKERS),
    ("cluster_id", CompactString("utf-8")),
    ("controller_id", Int32),
    ("topics", _TOPICS),
)
_WANTED = (
    "topics",
    CompactArray(
        ("topic_id", Uuid),
        ("name", CompactString("utf-8")),
        ("tags", TaggedFields),
    ),
)


class TopicsAnswer10(api.Response):  # type: ignore[misc] # aiokafka is untyped
    """Metadata of topics with their ids."""

    API_KEY = _METADATA
    API_VERSION = 10
    SCHEMA = Schema(*_HEAD, ("cluster_operations", Int32), ("tags", TaggedFields))


class TopicsAnswer12(api.Response):  # type: ignore[misc] # aiokafka is untyped
    """Metadata of topics with their ids, without the cluster's operations."""

    API_KEY = _METADATA
    API_VERSION = 12
    SCHEMA = Schema(*_HEAD, ("tags", TaggedFields))


class TopicsRequest10(api.RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    """Kafka 2.8 and later."""

    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY = _METADATA
    API_VERSION = 10
    RESPONSE_TYPE = TopicsAnswer10
    SCHEMA = Schema(
        _WANTED,
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicsRequest12(api.RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    """Kafka 3.0 and later."""

    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY = _METADATA
    API_VERSION = 12
    RESPONSE_TYPE = TopicsAnswer12
    SCHEMA = Schema(
        _WANTED,
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicsRequest(api.Request[TopicsRequest10 | TopicsRequest12]):  # type: ignore[misc] # aiokafka is untyped
    """Describes topics by name: ids, partitions, leaders, authorized operations."""

    API_KEY = _METADATA

    def __init__(self, names: Collection[str]) -> None:
        """Describe these topics."""
        self._names = names

    def build(self, version: type[Any]) -> Any:  # noqa: ANN401 - aiokafka is untyped
        """Build one of the versions above."""
        wanted: list[tuple[UUID, str, dict[int, bytes]]] = [
            (NO_ID, name, {}) for name in self._names
        ]
        about_cluster = (False,) if version.API_VERSION == TopicsRequest10.API_VERSION else ()
        return version(wanted, False, *about_cluster, True, {})  # noqa: FBT003 - its fields, in order


class PlainTopicsRequest(api.Request[MetadataRequest_v4 | MetadataRequest_v5]):  # type: ignore[misc] # aiokafka is untyped
    """Describes topics on a broker without topic ids.

    aiokafka's own MetadataRequest would fall back to versions below 4, which create topics.
    """

    API_KEY = _METADATA

    def __init__(self, names: Collection[str]) -> None:
        """Describe these topics."""
        self._names = names

    def build(self, version: type[Any]) -> Any:  # noqa: ANN401 - aiokafka is untyped
        """Build one of aiokafka's versions."""
        return version(list(self._names), False)  # noqa: FBT003 - its fields, in order


def offsets_request(wanted: dict[str, list[int]], isolation: int, moment: int) -> Any:  # noqa: ANN401 - aiokafka is untyped
    """Build a ListOffsets request for EARLIEST or LATEST, for an isolation level."""
    topics = [
        (topic, [(number, moment) for number in numbers]) for topic, numbers in wanted.items()
    ]
    return OffsetRequest(_CLIENT, isolation, topics)
