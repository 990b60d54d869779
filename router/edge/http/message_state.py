"""State of the message that a connection is parsing: one value and a table of transitions."""

from collections.abc import Mapping
from enum import StrEnum


class MessageState(StrEnum):
    """State of a message, from its first byte to the end of its body."""

    NONE = "none"
    """None is being parsed."""
    HEAD = "head"
    """Its head is arriving."""
    GIVEN = "given"
    """The application has it, and its body is arriving."""
    SHED = "shed"
    """It is refused under overload, and its body is arriving."""
    HELD = "held"
    """It is plain, and its body is arriving."""
    WHOLE = "whole"
    """It is plain, and has arrived whole."""


class MessageChange(StrEnum):
    """What happens to a message."""

    BEGUN = "begun"
    GIVEN = "given"
    """The application gets it, with its body or before it."""
    SHED = "shed"
    HELD = "held"
    COMPLETE = "complete"
    """Its last byte has arrived."""
    HANDLED = "handled"
    """It is handled without the application."""
    ENDED = "ended"
    """The connection reads no further message."""


ARRIVING = frozenset({MessageState.HEAD, MessageState.GIVEN, MessageState.SHED, MessageState.HELD})
"""States in which a part of the message has yet to arrive."""

_ENDED = {MessageChange.ENDED: MessageState.NONE}

AFTER: Mapping[MessageState, Mapping[MessageChange, MessageState]] = {
    MessageState.NONE: {MessageChange.BEGUN: MessageState.HEAD, **_ENDED},
    MessageState.HEAD: {
        MessageChange.GIVEN: MessageState.GIVEN,
        MessageChange.SHED: MessageState.SHED,
        MessageChange.HELD: MessageState.HELD,
        **_ENDED,
    },
    MessageState.GIVEN: {MessageChange.COMPLETE: MessageState.NONE, **_ENDED},
    MessageState.SHED: {MessageChange.COMPLETE: MessageState.NONE, **_ENDED},
    MessageState.HELD: {
        MessageChange.COMPLETE: MessageState.WHOLE,
        MessageChange.GIVEN: MessageState.GIVEN,
        **_ENDED,
    },
    MessageState.WHOLE: {
        MessageChange.HANDLED: MessageState.NONE,
        MessageChange.GIVEN: MessageState.NONE,
        **_ENDED,
    },
}
"""What follows; a pair that is missing cannot happen."""
