"""State of a record of the spool: one value and a table of transitions."""

from collections.abc import Mapping
from enum import StrEnum


class SpooledState(StrEnum):
    """State of a record, from its arrival until the spool is done with it."""

    ARRIVING = "arriving"
    """Being written to the disk."""
    WAITING = "waiting"
    """On the disk, not with the broker."""
    SENDING = "sending"
    """On the disk, and given to the publisher."""
    SETTING_ASIDE = "setting_aside"
    """Refused for good by the broker, and being written to a separate file."""
    LOST = "lost"
    """Not written to the disk: its sender was not answered with success."""
    PUBLISHED = "published"
    SET_ASIDE = "set_aside"
    UNREADABLE = "unreadable"
    """The disk returns other bytes than were written: its file is not removed."""


class SpooledChange(StrEnum):
    """What happens to a record."""

    STORED = "stored"
    DISK_FAILED = "disk_failed"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    REFUSED = "refused"
    """The broker refuses it for good."""
    DAMAGED = "damaged"
    """Its checksum is wrong."""


FINISHED = frozenset({SpooledState.PUBLISHED, SpooledState.SET_ASIDE})
"""States in which its place on the disk is no longer needed."""

_S, _C = SpooledState, SpooledChange

AFTER: Mapping[SpooledState, Mapping[SpooledChange, SpooledState]] = {
    _S.ARRIVING: {_C.STORED: _S.WAITING, _C.DISK_FAILED: _S.LOST},
    _S.WAITING: {_C.SENT: _S.SENDING},
    _S.SENDING: {
        _C.ACKNOWLEDGED: _S.PUBLISHED,
        _C.NOT_ACKNOWLEDGED: _S.WAITING,
        _C.REFUSED: _S.SETTING_ASIDE,
        _C.DAMAGED: _S.UNREADABLE,
    },
    _S.SETTING_ASIDE: {_C.STORED: _S.SET_ASIDE, _C.DISK_FAILED: _S.WAITING},
}
"""What follows; a pair that is missing cannot happen."""
