"""Names of the installed consumers, without importing any of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import consumers

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP: Final = "payrouter.consumers"
"""Group of the entry points by which other distributions offer consumers."""


def installed() -> "EntryPoints":
    """Return the entry points of other distributions; none of them is loaded yet."""
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def own_names() -> Sequence[str]:
    """Return the names of the consumers of this distribution: packages with a service."""
    folders = [Path(path) for path in consumers.__path__]
    found = {path.parent.name for folder in folders for path in folder.glob("*/service.py")}
    # The runtime's module declares the type.
    return sorted(found - {"runtime"})


def names() -> Sequence[str]:
    """Return the names of all consumers."""
    return [*own_names(), *(entry.name for entry in installed())]
