"""Options of FastStream's subscriber: those that are passed on, and why others are not."""

from collections.abc import Mapping
from typing import Any, Final

from consumers.exactly_once.errors import UnsafeSubscriberError

PASSED_ON: Final = frozenset(
    {
        *("group_instance_id", "client_rack", "partition_assignment_strategy"),
        *("session_timeout_ms", "heartbeat_interval_ms", "rebalance_timeout_ms"),
        *("max_poll_interval_ms", "fetch_max_bytes", "fetch_min_bytes", "fetch_max_wait_ms"),
        *("max_partition_fetch_bytes", "dependencies", "title", "description"),
        "include_in_schema",
    }
)
"""Options that affect neither order nor acknowledgement."""

_OFFSETS: Final = "the fence decides what is read next, and offsets are only reported to Kafka"
_ONE_BY_ONE: Final = "records are applied one by one, each in one transaction"
_BYTES: Final = "the guard reads the record's own bytes: pass a `reader`"

REFUSED: Final[Mapping[str, str]] = {
    "ack_policy": _OFFSETS,
    "auto_commit_interval_ms": _OFFSETS,
    "auto_offset_reset": _OFFSETS,
    "listener": "the guard places each partition when it is assigned",
    "isolation_level": "records of aborted transactions must not have effects",
    "batch": _ONE_BY_ONE,
    "batch_timeout_ms": _ONE_BY_ONE,
    "max_records": _ONE_BY_ONE,
    "max_workers": "two tasks would apply one partition out of order: start more processes",
    "pattern": "name the topics: a fence belongs to a topic",
    "partitions": "partitions belong to one member at a time only in a consumer group",
    "parser": _BYTES,
    "decoder": _BYTES,
    "codec": _BYTES,
    "key_deserializer": _BYTES,
    "value_deserializer": _BYTES,
    "check_crcs": "a damaged record must not have an effect",
    "no_reply": "FastStream would publish after the commit, at most once: write an outbox row",
    "filter": "a record that no handler takes would be skipped: return early instead",
}


def safe_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return options for FastStream's subscriber; raises UnsafeSubscriberError."""
    for name in options:
        if name not in PASSED_ON:
            why = REFUSED.get(name, "the guard does not know whether it is safe")
            message = f"a guarded subscriber has no option {name}: {why}"
            raise UnsafeSubscriberError(message)
    return {
        **options,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "no_reply": True,
    }
