"""Divides the budgets of an edge among its workers: a configured number is for the whole edge."""

from router.configuration.settings import Settings

_DIVIDED = ("max_in_flight", "max_unproved", "unproved_bytes")
"""Keys of `[edge]` whose shares add up to exactly the configured number."""

_ALLOWANCES = ("stale_per_minute", "refused_per_minute")
"""Keys of `[edge]` that bound what is stored per minute and endpoint.

Every worker may store at least one, since the gateway's next connection may be another worker's.
"""


def share_of(settings: Settings, number: int, workers: int) -> Settings:
    """Return the settings of one of so many workers; the first has the number 1."""
    edge = settings.edge
    shares = {key: share(getattr(edge, key), number, workers) for key in _DIVIDED}
    shares |= {key: _allowance(getattr(edge, key), number, workers) for key in _ALLOWANCES}
    spool = settings.spool
    of_spool = {"max_bytes": share(spool.max_bytes, number, workers)}
    return settings.model_copy(
        update={
            "edge": edge.model_copy(update=shares),
            "spool": spool.model_copy(update=of_spool),
        }
    )


def share(whole: int, number: int, workers: int) -> int:
    """Return one worker's part of a number: the first ones get the rest of the division."""
    return whole // workers + (number <= whole % workers)


def _allowance(whole: int, number: int, workers: int) -> int:
    return max(share(whole, number, workers), min(whole, 1))
