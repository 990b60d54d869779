"""Limits what unverified senders may hold: connections and bytes of requests not yet verified.

A connection counts from its first packet on: while it is idle, while a request arrives and while
the request is checked. It no longer counts once its request is proved genuine. There is no limit
per source: only when the whole budget is used does the largest source give way. Its connections
without a request are closed first, then its slowest request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from router.configuration.addresses import budget_source


class Stage(StrEnum):
    """Progress of a connection's request."""

    SPARE = "spare"
    """No request is arriving: the connection is idle, or closes after an early answer."""
    ARRIVING = "arriving"
    """A TLS handshake, a head or a body is arriving, or the first byte is awaited."""
    WHOLE = "whole"
    """The request has arrived and is being checked, which waits for no other party."""
    PROVED = "proved"
    """The signature is verified: the budget no longer applies."""


STAGES_THAT_GIVE_WAY = (Stage.SPARE, Stage.ARRIVING)
"""Stages whose connections may be closed, in this order.

A request that has arrived whole is decided at once and frees its place itself.
"""


@dataclass(eq=False, slots=True)
class Visit:
    """One connection in the budget.

    `peer` is the address of the other end, `home` the source it counts for by default: an IPv4
    address or an IPv6 network of 64 bits. `source` is the sender of the current request, which
    a trusted proxy may name. `give_way` ends the connection.
    """

    peer: str
    give_way: Callable[[], None]
    home: str = ""
    source: str = ""
    stage: Stage = Stage.ARRIVING
    bytes: int = 0
    gave_way: bool = False
    admitted: bool = False

    def __post_init__(self) -> None:
        """Attribute the connection to its peer."""
        self.home = self.source = budget_source(self.peer)


def _queues() -> dict[Stage, dict[Visit, None]]:
    return {stage: {} for stage in Stage}


@dataclass(slots=True)
class _Share:
    """The connections of one source, per stage in the order of entering it: the first is slowest.

    `count` is the number that count against the budget. It is stored, not derived: a full budget
    of many sources compares all of them for every new connection.
    """

    visits: dict[Stage, dict[Visit, None]] = field(default_factory=_queues)
    bytes: int = 0
    count: int = 0

    @property
    def held(self) -> bool:
        """Whether this source has any connection."""
        return any(self.visits.values())

    def add(self, visit: Visit) -> None:
        """Add a connection in its stage."""
        self.visits[visit.stage][visit] = None
        self.count += visit.stage is not Stage.PROVED

    def remove(self, visit: Visit) -> None:
        """Remove a connection from its stage."""
        del self.visits[visit.stage][visit]
        self.count -= visit.stage is not Stage.PROVED

    def move(self, visit: Visit, stage: Stage) -> None:
        """Move a connection to another stage."""
        del self.visits[visit.stage][visit]
        self.visits[stage][visit] = None
        self.count += (visit.stage is Stage.PROVED) - (stage is Stage.PROVED)
        visit.stage = stage

    def slowest(self, *, with_bytes: bool) -> Visit | None:
        """Return the connection to close first, None if none may be closed."""
        for stage in STAGES_THAT_GIVE_WAY:
            for visit in self.visits[stage]:
                if visit.bytes or not with_bytes:
                    return visit
        return None


@dataclass
class Admission:
    """The budget of all connections whose request is not yet verified.

    Allows `most` connections and `most_bytes` bytes of their requests. `on_gave_way` is called
    with each connection that must give way, before it is closed.
    """

    most: int
    most_bytes: int
    on_gave_way: Callable[[Visit], None] = lambda _visit: None
    count: int = 0
    bytes: int = 0
    _shares: dict[str, _Share] = field(default_factory=dict)

    def enter(self, visit: Visit) -> bool:
        """Count a new connection; return False if it must be closed, because no other may be."""
        visit.admitted = True
        self._put_in(visit)
        if self.count > self.most:
            self._make_room(visit)
        return not visit.gave_way

    def leave(self, visit: Visit) -> None:
        """Stop counting a connection that ended. Idempotent."""
        if not visit.admitted:
            return
        self.release_bytes(visit)
        self._take_out(visit)
        visit.admitted = False

    def move(self, visit: Visit, stage: Stage) -> None:
        """Record the stage of a connection's request."""
        if not visit.admitted or visit.stage is stage:
            return
        self.count += (visit.stage is Stage.PROVED) - (stage is Stage.PROVED)
        self._shares[visit.source].move(visit, stage)
        if stage is Stage.PROVED:
            self.release_bytes(visit)
        elif self.count > self.most:
            self._make_room(visit)

    def attribute(self, visit: Visit, source: str) -> None:
        """Count a connection for another source: the one named by its proxy."""
        if not visit.admitted or visit.source == source:
            return
        size = visit.bytes
        self.release_bytes(visit)
        self._take_out(visit)
        visit.source = source
        self._put_in(visit)
        self._add_bytes(visit, size)

    def grow(self, visit: Visit, size: int) -> None:
        """Count bytes of an unverified request; may close connections of the largest source."""
        if not visit.admitted or visit.stage is Stage.PROVED:
            return
        self._add_bytes(visit, size)
        while self.bytes > self.most_bytes and self._largest_in_bytes_gives_way():
            pass

    def release_bytes(self, visit: Visit) -> None:
        """Stop counting the bytes of a request that is verified or answered."""
        if visit.bytes:
            self._add_bytes(visit, -visit.bytes)

    def held(self) -> Mapping[str, int]:
        """Return the number of counted connections of each source."""
        return {source: share.count for source, share in self._shares.items() if share.count}

    def _make_room(self, newcomer: Visit) -> None:
        slowest, largest = newcomer, 0
        for share in self._shares.values():
            if share.count > largest:
                found = share.slowest(with_bytes=False)
                if found is not None:
                    slowest, largest = found, share.count
        self._end(slowest)

    def _largest_in_bytes_gives_way(self) -> bool:
        candidates = [s for s in self._shares.values() if s.slowest(with_bytes=True) is not None]
        if not candidates:
            return False
        visit = max(candidates, key=lambda share: share.bytes).slowest(with_bytes=True)
        if visit is not None:
            self._end(visit)
        return True

    def _end(self, visit: Visit) -> None:
        visit.gave_way = True
        self.on_gave_way(visit)
        self.leave(visit)
        visit.give_way()

    def _put_in(self, visit: Visit) -> None:
        share = self._shares.get(visit.source)
        if share is None:
            share = self._shares[visit.source] = _Share()
        share.add(visit)
        self.count += visit.stage is not Stage.PROVED

    def _take_out(self, visit: Visit) -> None:
        share = self._shares[visit.source]
        share.remove(visit)
        self.count -= visit.stage is not Stage.PROVED
        if not share.held:
            del self._shares[visit.source]

    def _add_bytes(self, visit: Visit, size: int) -> None:
        visit.bytes += size
        self.bytes += size
        self._shares[visit.source].bytes += size
