"""The records of a day without faults: the stream of `payrouter dev --rate`, of every gateway."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from router.configuration.settings import Settings, load_settings
from router.contract.event import Event
from router.contract.order import Order
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint, events_of
from router.evaluation.data_dir import DataDir
from router.evaluation.placed import placed_order
from router.evaluation.send import as_gateway, simulate
from router.evaluation.stream import PlannedDelivery, planned_stream
from router.providers import examples

DELIVERIES = 1500


@dataclass(frozen=True)
class CleanDay:
    """The configuration of `dev`, and the records of its simulated traffic."""

    settings: Settings
    records: Sequence[Event | Order]


def clean_day(folder: Path) -> CleanDay:
    """Return a day; the folder is for the configuration of `dev`."""
    data_dir = DataDir(folder)
    address = {"PAYROUTER_EDGE__PUBLIC_URL": "https://pay.example.com"}
    settings = load_settings(data_dir.generate(examples()), address)
    endpoints = build_endpoints(settings)
    gateways = [as_gateway(each, data_dir.signing_key(n)) for n, each in endpoints.items()]
    stream = islice(planned_stream(gateways, random.Random(3)), DELIVERIES)
    records = [each for one in stream for each in _records(one, endpoints[one.endpoint.name])]
    return CleanDay(settings, records)


def _records(planned: PlannedDelivery, endpoint: Endpoint) -> Sequence[Event | Order]:
    simulated = planned.order
    if simulated.kind == "order":
        return [placed_order(endpoint, planned.endpoint, simulated)]
    delivery = simulate(planned.endpoint, simulated, datetime.now(UTC))
    verified = endpoint.provider.verify(delivery, endpoint.keys)
    return events_of(verified, endpoint)
