"""Which deliveries this process has put on quarantine: a body already kept is not written again."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from router.contract.quarantine import Quarantined

REMEMBERED = 4096
"""Deliveries that one process remembers, about 150 bytes each; the oldest is forgotten first."""


@dataclass
class KeptBefore:
    """Remembers what is durable on quarantine.

    Another process, or this one after a restart, writes the same delivery
    again; whoever reads the topic folds such records by their id.
    """

    limit: int = REMEMBERED
    _seen: OrderedDict[str, None] = field(default_factory=OrderedDict, repr=False)

    def needs_writing(self, kept: Quarantined, may_keep: Callable[[str], bool]) -> bool:
        """Tell whether a delivery has to be written to quarantine.

        The same signed body under other unsigned headers is written again
        within a bound only, since its sender can vary these without end.
        """
        exact, body = _names(kept)
        if self._known(exact):
            return False
        return not self._known(body) or may_keep(f"{kept.endpoint} again")

    def remember(self, kept: Quarantined) -> None:
        """Take note that a delivery is durable."""
        for name in _names(kept):
            self._seen[name] = None
            self._seen.move_to_end(name)
        while len(self._seen) > 2 * self.limit:
            self._seen.popitem(last=False)

    def _known(self, name: str) -> bool:
        if name not in self._seen:
            return False
        self._seen.move_to_end(name)
        return True


def _names(kept: Quarantined) -> tuple[str, str]:
    """Name a delivery by everything that is kept of it, and by what its gateway signed."""
    body = f"{kept.endpoint}/{kept.id}"
    unsigned = repr((kept.raw.target, sorted(kept.raw.headers.items())))
    return f"{body}/{hashlib.sha256(unsigned.encode()).hexdigest()}", body
