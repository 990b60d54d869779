"""Row locks of the model: held until the end of a transaction; a deadlock fails one of them."""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field

Owner = int
Key = tuple[Hashable, ...]


class LocksInCircle(Exception):  # noqa: N818 - reads as what was found
    """Transactions wait for each other."""


@dataclass
class Locks:
    """Who holds each lock, and who waits for it."""

    holders: dict[Key, Owner] = field(default_factory=dict)
    _waiting: dict[Key, list[asyncio.Future[None]]] = field(default_factory=dict)
    _waits_for: dict[Owner, Key] = field(default_factory=dict)

    async def take(self, owner: Owner, key: Key) -> None:
        """Take a lock, after its holder's end. Raises LocksInCircle."""
        while self.holders.get(key, owner) != owner:
            if self._is_circle(owner, key):
                raise LocksInCircle
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(key, []).append(woken)
            self._waits_for[owner] = key
            try:
                await woken
            finally:
                self._waits_for.pop(owner, None)
        self.holders[key] = owner

    def try_take(self, owner: Owner, key: Key) -> bool:
        """Take a lock if it is free; return whether it was."""
        return self.holders.setdefault(key, owner) == owner

    def waits(self, owner: Owner) -> bool:
        """Return whether a transaction waits for a lock."""
        return owner in self._waits_for

    def release(self, owner: Owner, keys: set[Key]) -> None:
        """Release locks, and wake all who wait for them."""
        for key in keys:
            if self.holders.get(key) == owner:
                del self.holders[key]
            for woken in self._waiting.pop(key, []):
                if not woken.done():
                    woken.set_result(None)

    def held_by(self, owner: Owner) -> set[Key]:
        """Return the locks of a transaction."""
        return {key for key, holder in self.holders.items() if holder == owner}

    def _is_circle(self, owner: Owner, key: Key) -> bool:
        holder = self.holders.get(key)
        while holder is not None and holder != owner:
            wanted = self._waits_for.get(holder)
            holder = None if wanted is None else self.holders.get(wanted)
        return holder == owner
