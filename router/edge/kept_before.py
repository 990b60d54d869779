"""Remembers the deliveries that this process wrote to quarantine, so as not to write one again."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from router.contract.quarantine import Quarantined

REMEMBERED = 4096
"""Deliveries that one process remembers, about 150 bytes each; the oldest is dropped first."""


@dataclass
class KeptBefore:
    """Deliveries that are durable on quarantine.

    Another process, or this one after a restart, writes the same delivery
    again; readers of the topic merge such records by their id.
    """

    limit: int = REMEMBERED
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict, repr=False)

    def needs_writing(self, kept: Quarantined, may_keep: Callable[[str], bool]) -> bool:
        """Return whether a delivery must be written to quarantine.

        The same signed body with other unsigned headers is written again only
        within a rate limit, since its sender can vary these endlessly.
        """
        exact, body = _names(kept)
        if self._is_known(exact):
            return False
        return not self._is_known(body) or may_keep(f"{kept.endpoint} again")

    def remember(self, kept: Quarantined) -> None:
        """Record that a delivery is durable."""
        for name in _names(kept):
            self._seen[name] = None
            self._seen.move_to_end(name)
        while len(self._seen) > 2 * self.limit:
            self._seen.popitem(last=False)

    def _is_known(self, name: str) -> bool:
        if name not in self._seen:
            return False
        self._seen.move_to_end(name)
        return True


def _names(kept: Quarantined) -> tuple[str, str]:
    """Return two names of a delivery: of all that is stored, and of what its gateway signed."""
    body = f"{kept.endpoint}/{kept.id}"
    unsigned = repr((kept.raw.target, sorted(kept.raw.headers.items())))
    return f"{body}/{hashlib.sha256(unsigned.encode()).hexdigest()}", body
