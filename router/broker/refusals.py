"""What an error of publishing is about: the record, its topic, or the producer.

The first two are refusals: the leader has appended nothing, and the producer is sound.
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
    """What an error is about, and so what helps.

    `RECORD`: another record of the same batch may be the cause, so the record is
    sent once more, alone; refused again, it will be refused for ever. `TOPIC`:
    every record of the topic is refused until somebody changes the topic or the
    rights. `PRODUCER`: whether the record was written is unknown or the sequence
    is broken; it is sent again by another producer. `UNCLEAR`: the broker's error
    is one that aiokafka does not know, such as INVALID_RECORD; the record is sent
    once more, alone and by another producer.
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
"""Everything else is about the producer: nothing is assumed of an error that is not listed."""


def about(error: BaseException) -> About:
    """Return what an error of publishing is about."""
    return _ABOUT.get(type(error), About.PRODUCER)


def is_refusal(error: BaseException) -> bool:
    """Whether the broker has certainly appended nothing, and will take other records."""
    return about(error) in {About.RECORD, About.TOPIC}
