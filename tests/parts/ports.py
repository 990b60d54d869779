"""Ports for the processes that a test starts.

They are below the ports of outgoing connections, and each process that runs tests has a separate
block: no other takes a port between the moment it is chosen and the moment it is bound.
"""

import contextlib
import fcntl
import itertools
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

_BLOCK: Final = 40
_CHOSEN: Final = 34
"""Ports of a block, and those that are chosen: the other ports of the last one are in it, too."""

_FIRST: Final = [
    port for thousand in range(10_000, 18_000, 2_000) for port in range(thousand, thousand + 1_000)
]
"""Ports to choose from; those 1,000 above belong to them, for programs that use several."""

DEV_DISTANCES: Final = range(1_000, 1_007)
"""Distances of the other ports of `payrouter dev` from the one it is given."""


def free_port(distances: Sequence[int] = ()) -> int:
    """Return a port that is free, as are those at these distances from it."""
    for port in itertools.islice(_own(), _CHOSEN):
        if all(_is_free(port + distance) for distance in (0, *distances)):
            return port
    message = f"no free port among the {_CHOSEN} of this process"
    raise RuntimeError(message)


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """Choose a free port for each name."""
    return {name: free_port() for name in names}


@cache
def _own() -> Iterator[int]:
    """Yield the ports of this process, again and again: the one used last comes last."""
    folder = Path(tempfile.gettempdir()) / f"payrouter-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    for start in range(0, len(_FIRST), _BLOCK):
        # A descriptor that ends with this process; its children do not inherit it.
        lock = os.open(folder / str(_FIRST[start]), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return itertools.cycle(_FIRST[start : start + _CHOSEN])
    message = "all ports for tests are held by other processes"
    raise RuntimeError(message)


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False
