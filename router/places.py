"""Places for proved deliveries on their way to the broker, as many as can be answered in time.

A delivery passes the event loop a few times between its first byte and its answer. If the loop is
late, because there is more work than CPU, every turn takes that long. So the number of places
follows the measured lateness: it falls while the loop is late and recovers when it is not. A
broker that is slow takes no place away: waiting for it costs no CPU.
"""

from dataclasses import dataclass

from router.errors import NotDurable, Reason

TURNS = 4
"""Turns of the event loop from a request's arrival to its answer, as measured under load."""

FEWEST = 8
"""Places that stay however late the loop is."""

_LATE_SHARE = 0.5
"""Of a deadline: turns that take longer leave too little for the broker."""

_FALL, _RISE = 0.75, 1.1


@dataclass
class Places:
    """At most `most` places; `shortest_deadline` in seconds is the tightest of all endpoints."""

    most: int
    shortest_deadline: float
    taken: int = 0
    limit: float = 0.0

    def __post_init__(self) -> None:
        """Begin with every place."""
        self.limit = float(self.most)

    @property
    def full(self) -> bool:
        """Whether no further delivery can be taken now."""
        return self.taken >= int(self.limit)

    def take(self) -> None:
        """Take a place, or raise NotDurable: the gateway sends the delivery again."""
        if self.full:
            raise NotDurable(Reason.OVERLOADED, f"{self.taken} deliveries are being published")
        self.taken += 1

    def give_back(self) -> None:
        """Free a place."""
        self.taken -= 1

    def adapt(self, delay: float) -> None:
        """Follow the measured delay of the event loop, in seconds."""
        fewest = min(FEWEST, self.most)
        if delay * TURNS > self.shortest_deadline * _LATE_SHARE:
            self.limit = max(fewest, self.limit * _FALL)
        else:
            self.limit = min(self.most, self.limit * _RISE + 1)


def in_time(now: float, answer_by: float, delay: float) -> bool:
    """Return whether a request can still be answered, if every turn takes `delay` seconds."""
    return now + delay * TURNS < answer_by
