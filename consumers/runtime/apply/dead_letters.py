"""Dead letters: copies of records that cannot be applied, with headers that give the origin."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from consumers.runtime.apply.held import Hold, error_text, header_name_text
from consumers.runtime.apply.outbox import Outgoing
from consumers.runtime.fate import Fate
from router.contract.topics import dead_letter_topic


def dead_letters(consumer: str, holds: Iterable[Hold]) -> Sequence[Outgoing]:
    """Return the dead letters to publish: one per dead hold."""
    now = datetime.now(UTC)
    return [dead_letter(consumer, each, now) for each in holds if each.fate is Fate.DEAD]


def dead_letter(consumer: str, each: Hold, first_failed_at: datetime) -> Outgoing:
    """Return the record for the `.dlq` topic: its own headers, then the origin headers.

    Key and value are copied byte for byte. Invalid UTF-8 in header names is escaped.
    """
    record = each.record
    name, _, message = error_text(each.error).partition(": ")
    origin = {
        "payrouter-origin-topic": record.partition.topic,
        "payrouter-origin-partition": str(record.partition.number),
        "payrouter-origin-offset": str(record.offset),
        "payrouter-origin-timestamp": str(record.timestamp),
        "payrouter-consumer": consumer,
        "payrouter-reason": each.reason.value,
        "payrouter-attempts": str(each.attempts),
        "payrouter-first-failure": first_failed_at.isoformat(),
        "payrouter-last-failure": datetime.now(UTC).isoformat(),
        "payrouter-exception-class": name,
        "payrouter-exception-message": message,
    }
    headers = [(header_name_text(name), value) for name, value in record.headers]
    headers += [(name, text.encode()) for name, text in origin.items()]
    topic = dead_letter_topic(record.partition.topic, consumer)
    return Outgoing(topic, record.key, record.value, headers)
