"""The metrics of an edge with many endpoints, of all installed providers in turn."""

from itertools import cycle
from typing import Any

from prometheus_client import CollectorRegistry, disable_created_metrics

from router.edge.intake import Endpoint
from router.edge.metrics import EdgeMetrics
from router.providers import Key, discover
from router.telemetry.loop_delay import LoopDelay
from tests.conformance import kit


def endpoints(count: int) -> list[Endpoint]:
    """Return endpoints with two keys each, as during a rotation."""
    keys = [Key(b"", "fp:0123456789ab"), Key(b"", "fp:ba9876543210")]
    providers = cycle(discover().values())
    return [
        Endpoint(f"merchant-{number:04}", f"account-{number:04}", provider, keys, None, 1)
        for number, provider in zip(range(count), providers, strict=False)
    ]


def edge_registry(count: int) -> CollectorRegistry:
    """Return the metrics of an edge with this many endpoints.

    Process metrics are left out, since they change between two scrapes.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call] # as every process does
    registry = CollectorRegistry()
    LoopDelay(registry)
    EdgeMetrics(registry, endpoints(count))
    return registry


def tables(count: int) -> dict[str, dict[str, Any]]:
    """Return the configuration of this many endpoints."""
    providers = cycle(kit.providers())
    return {
        f"merchant-{number:04}": {**kit.side(provider).table}
        for number, provider in zip(range(count), providers, strict=False)
    }
