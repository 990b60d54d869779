"""Limits concurrent verified deliveries to as many as can be answered in time.

A delivery passes the event loop a few times between its first byte and its answer. If the loop is
late, because there is more work than CPU, each of these turns takes that long. So the limit
follows the measured delay: it falls while the loop is late and recovers when it is not. A
slow broker does not lower the limit: waiting for it costs no CPU.
"""

import asyncio
from dataclasses import dataclass

from router.errors import NotDurable, Reason

TURNS = 4
"""Turns of the event loop from a request's arrival to its answer, as measured under load."""

TURNS_TO_ANSWER = 2
"""Turns, among these, from the end of the wait for the broker to the answer."""

FEWEST = 8
"""Lowest limit, even if the loop is very late."""

_LATE_SHARE = 0.5
"""Share of a deadline: turns that take longer leave too little time for the broker."""

_FALL, _DEEPEST_FALL, _RISE = 0.75, 0.25, 1.1


@dataclass
class Places:
    """At most `most` places; `shortest_deadline` is that of all endpoints, in seconds."""

    most: int
    shortest_deadline: float
    taken: int = 0
    arrived: int = 0
    """Requests that arrived whole in this turn: all of them may be verified in the next one."""
    limit: float = 0.0
    _peak: int = 0

    def __post_init__(self) -> None:
        """Start with the highest limit."""
        self.limit = float(self.most)

    @property
    def full(self) -> bool:
        """Whether no further request can be admitted during this turn of the event loop.

        Without this, a thousand requests that arrive in one turn would all be verified, at full
        cost, and most of them refused afterwards. Requests whose body is still arriving do not
        count: hundreds of them may open in one turn, and would keep genuine deliveries out.
        """
        return self.taken + self.arrived >= int(self.limit)

    def let_in(self) -> None:
        """Count an admitted request that has arrived whole, until this turn of the loop ends."""
        if not self.arrived:
            asyncio.get_running_loop().call_soon(self._end_turn)
        self.arrived += 1
        self._peak = max(self._peak, self.taken + self.arrived)

    def _end_turn(self) -> None:
        self.arrived = 0

    def take(self) -> None:
        """Take a place, or raise NotDurable: the gateway sends the delivery again."""
        if self.taken >= int(self.limit):
            raise NotDurable(Reason.OVERLOADED, f"{self.taken} deliveries are being published")
        self.taken += 1
        self._peak = max(self._peak, self.taken)

    def give_back(self) -> None:
        """Free a place."""
        self.taken -= 1

    def adapt(self, delay: float) -> None:
        """Adapt the limit to the measured delay of the event loop, in seconds.

        The limit falls in proportion to how far the delay exceeds its bound. A single measurement
        lowers it to a quarter at most: the delay may be a pause that deliveries did not cause.
        """
        bound = self.shortest_deadline * _LATE_SHARE / TURNS
        if delay > bound:
            fitting = max(self._peak * bound / delay, self.limit * _DEEPEST_FALL)
            self.limit = max(min(FEWEST, self.most), min(fitting, self.limit * _FALL))
        else:
            self.limit = min(self.most, self.limit * _RISE + 1)
        self._peak = self.taken


def in_time(now: float, answer_by: float, delay: float) -> bool:
    """Return whether a request can still be answered, if every turn takes `delay` seconds."""
    return now + delay * TURNS < answer_by
