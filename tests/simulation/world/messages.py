"""Messages that the simulated consumer is sent, and its reader."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from uuid import NAMESPACE_OID, UUID, uuid5

from router.contract.wire import Headers, UndecodableRecord


class Temper(StrEnum):
    """How the handler takes a message."""

    GOOD = "good"
    FLAKY = "fails once or twice"
    MENDED = "fails until it has died"
    HOPELESS = "always fails"
    POISON = "poison"
    TROUBLED = "a statement fails, which the handler hides"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class SimMessage:
    """A report about one payment: the totals so far. `serial` is of the record, not the event.

    `of` numbers the event: two messages with the same number are the same event.
    """

    of: int
    serial: int
    key: str
    temper: Temper
    paid: int
    returned: int

    @property
    def id(self) -> UUID:
        """Identity of the event."""
        return event_id(self.of)

    @property
    def fingerprint(self) -> str:
        """Facts that a message with the same id must repeat."""
        return json.dumps([self.paid, self.returned])

    def encode(self) -> bytes:
        """Return it as the value of a record."""
        if self.temper is Temper.UNREADABLE:
            return b"?%d" % self.serial
        return json.dumps(asdict(self)).encode()


def event_id(number: int) -> UUID:
    """Return the id of an event."""
    return _IDS[number] if number < len(_IDS) else uuid5(NAMESPACE_OID, f"simulated {number}")


_IDS = [uuid5(NAMESPACE_OID, f"simulated {number}") for number in range(200)]


def read_message(value: bytes | None, headers: Headers) -> SimMessage:
    """Decode a record's value. Raises UndecodableRecord."""
    del headers
    if value is None or value.startswith(b"?"):
        message = "not a message"
        raise UndecodableRecord(message)
    found = json.loads(value)
    return SimMessage(**{**found, "temper": Temper(found["temper"])})


def serial_of(value: bytes | None) -> int:
    """Return the serial of a record by its value."""
    assert value is not None
    return int(value[1:]) if value.startswith(b"?") else int(json.loads(value)["serial"])
