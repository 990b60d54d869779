"""Every attack by its name, with the edge it is meant for."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tests.parts.attacks.flooding import (
    connection_flood,
    forged_flood,
    forged_large,
    forged_medium,
    scrapes,
    unknown_endpoints,
    without_host,
)
from tests.parts.attacks.holding import (
    drippers,
    idle_connections,
    pipelined,
    pipelined_upgrades,
    slow_bodies,
    slow_heads,
    tls_handshakes,
    unread_answers,
)
from tests.parts.attacks.pouring import (
    body_after_413,
    chunk_extensions,
    endless_trailer,
    large_trailers,
    tiny_chunks,
)
from tests.parts.attacks.target import Sources, Target


@dataclass(frozen=True)
class Attack:
    """An attack, where it comes from, and the edge under attack."""

    run: Callable[[Target], Awaitable[None]]
    sources: Sources = "other"
    endpoints: int = 10
    descriptors: int | None = None
    tls: bool = False


def catalogue() -> Mapping[str, Attack]:
    """Return every attack; those of the promise first, then their relatives.

    `_same`: from the address of the genuine traffic; `_many`: each connection
    from its own address; `_256_files`: the edge has 256 descriptors.
    """
    return {
        "slow_bodies": Attack(slow_bodies),
        "idle_connections": Attack(idle_connections),
        "endless_trailer": Attack(endless_trailer),
        "forged_flood": Attack(forged_flood),
        "forged_large": Attack(forged_large),
        "scrapes": Attack(scrapes, endpoints=1000),
        "drippers": Attack(drippers, descriptors=256),
        "slow_bodies_same": Attack(slow_bodies, "same"),
        "slow_bodies_many": Attack(slow_bodies, "many"),
        "forged_flood_same": Attack(forged_flood, "same"),
        "drippers_same": Attack(drippers, "same", descriptors=256),
        "drippers_many": Attack(drippers, "many", descriptors=256),
        "idle_256_files": Attack(idle_connections, descriptors=256),
        "slow_heads": Attack(slow_heads),
        "tls_handshakes": Attack(tls_handshakes, tls=True),
        "tls_256_files": Attack(tls_handshakes, descriptors=256, tls=True),
        "large_trailers": Attack(large_trailers),
        "chunk_extensions": Attack(chunk_extensions),
        "tiny_chunks": Attack(tiny_chunks),
        "body_after_413": Attack(body_after_413),
        "unread_answers": Attack(unread_answers),
        "pipelined": Attack(pipelined),
        "pipelined_upgrades": Attack(pipelined_upgrades),
        "connection_flood": Attack(connection_flood),
        "forged_medium": Attack(forged_medium),
        "unknown_endpoints": Attack(unknown_endpoints),
        "without_host": Attack(without_host),
    }
