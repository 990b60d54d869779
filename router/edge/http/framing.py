"""Counts the bytes of a message that are not its body."""

from router.edge.http.bounds import (
    FRAMING_TOO_LARGE,
    HEAD_TOO_LARGE,
    HttpBounds,
    MalformedRequest,
)


class Framing:
    """The bytes of one message: of its head until that ends, then of chunk sizes and trailers.

    Only pieces that belong to one message as a whole are counted.
    """

    __slots__ = ("_body_before", "body", "boundary", "bytes")

    def __init__(self) -> None:
        """Start with the first byte of a message, which may be anywhere in a piece."""
        self.bytes = self.body = self._body_before = 0
        self.boundary = True
        """Whether the current piece has the beginning or the end of a head or of a message."""

    def begin_piece(self) -> None:
        """Begin to parse a piece."""
        self._body_before, self.boundary = self.body, False

    def end_head(self) -> None:
        """Count the framing of the body from now on."""
        self.bytes, self.boundary = 0, True

    def end_piece(self, size: int) -> None:
        """Count a piece: what is not body is framing."""
        if not self.boundary:
            self.bytes += size - (self.body - self._body_before)

    def problem(self, bounds: HttpBounds, *, in_head: bool) -> MalformedRequest | None:
        """Return why there are too many of them, None if there are not."""
        if in_head:
            too_large = self.bytes > bounds.head_bytes
            return MalformedRequest(HEAD_TOO_LARGE, 431) if too_large else None
        too_large = self.bytes > bounds.framing_bytes + self.body
        return MalformedRequest(FRAMING_TOO_LARGE) if too_large else None
