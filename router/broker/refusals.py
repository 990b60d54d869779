"""Classifies errors of publishing: about the record, its topic, or the producer.

Errors about a record or a topic are refusals: the leader has appended nothing, and the producer can
go on publishing.
"""

from enum import StrEnum

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    CorruptRecordException,
    InvalidRequiredAcksError,
    InvalidTimestampError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownError,
    UnknownTopicOrPartitionError,
    UnsupportedForMessageFormatError,
)


class About(StrEnum):
    """Cause of an error, which decides how to handle it.

    `RECORD`: another record of the same batch may be the cause, so the record is sent
    again, alone; if it is refused again, retries cannot help. `TOPIC`: every record of
    the topic is refused until an operator changes the topic or the rights. `PRODUCER`:
    it is unknown whether the record was written, or the sequence is broken; another
    producer sends it again. `UNCLEAR`: aiokafka has no type for the broker's error,
    such as INVALID_RECORD; another producer sends the record again, alone.
    """

    RECORD = "record"
    TOPIC = "topic"
    PRODUCER = "producer"
    UNCLEAR = "unclear"


_ABOUT: dict[type[BaseException], About] = {
    MessageSizeTooLargeError: About.RECORD,
    RecordListTooLargeError: About.RECORD,
    CorruptRecordException: About.RECORD,
    TopicAuthorizationFailedError: About.TOPIC,
    ClusterAuthorizationFailedError: About.TOPIC,
    InvalidTopicError: About.TOPIC,
    InvalidTimestampError: About.TOPIC,
    InvalidRequiredAcksError: About.TOPIC,
    PolicyViolationError: About.TOPIC,
    UnsupportedForMessageFormatError: About.TOPIC,
    UnknownTopicOrPartitionError: About.TOPIC,
    UnknownError: About.UNCLEAR,
}
"""Any other error is about the producer: the safe assumption for an error that is not listed."""


def about(error: BaseException) -> About:
    """Classify an error of publishing."""
    return _ABOUT.get(type(error), About.PRODUCER)


def is_refusal(error: BaseException) -> bool:
    """Return whether the broker certainly appended nothing and accepts other records."""
    return about(error) in {About.RECORD, About.TOPIC}
