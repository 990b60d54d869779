"""The consumers that other distributions offer, by entry point."""

from importlib.metadata import EntryPoints, entry_points


def installed() -> EntryPoints:
    """Return an entry point for each, none of them loaded yet."""
    return entry_points(group="payrouter.consumers")
