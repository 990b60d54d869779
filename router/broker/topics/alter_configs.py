"""IncrementalAlterConfigs: sets single configurations of topics and leaves all others unchanged.

aiokafka only has AlterConfigs, which replaces all overrides of a topic, and would delete those that
another administrator has set.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from aiokafka.protocol import api
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

_KEY = 44
_TOPIC = 2
"""Resource type of a topic."""
_SET = 0
"""Operation that sets a value."""


class AlterConfigsAnswer(api.Response):  # type: ignore[misc] # aiokafka is untyped
    """For each topic an error code, 0 if it was altered, and the broker's message."""

    API_KEY = _KEY
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
            ),
        ),
    )


class AlterConfigsRequest0(api.RequestStruct):  # type: ignore[misc] # aiokafka is untyped
    """Kafka 2.3 and later."""

    FLEXIBLE_VERSION: ClassVar[bool] = False
    API_KEY = _KEY
    API_VERSION = 0
    RESPONSE_TYPE = AlterConfigsAnswer
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "configs",
                    Array(
                        ("name", String("utf-8")),
                        ("operation", Int8),
                        ("value", String("utf-8")),
                    ),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class AlterConfigsRequest(api.Request[AlterConfigsRequest0]):  # type: ignore[misc] # aiokafka is untyped
    """Sets configurations, by topic and key; for each topic either all or none."""

    API_KEY = _KEY

    def __init__(self, wanted: Mapping[str, Mapping[str, str]]) -> None:
        """Set these configurations, by topic and key."""
        self._wanted = wanted

    def build(self, version: type[Any]) -> Any:  # noqa: ANN401 - aiokafka is untyped
        """Build the request."""
        resources = [
            (_TOPIC, topic, [(key, _SET, value) for key, value in configs.items()])
            for topic, configs in self._wanted.items()
        ]
        return version(resources, False)  # noqa: FBT003 - its fields, in order


def refusals(answer: Any) -> Mapping[str, tuple[int, str]]:  # noqa: ANN401 - aiokafka is untyped
    """Return the error code and the broker's message for each topic that was not altered."""
    return {name: (code, message or "") for code, message, _, name in answer.resources if code != 0}
