"""Sends a genuine test delivery to an endpoint of test money, as its gateway would."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from router.configuration.settings import Settings
from router.delivery import Delivery
from router.edge.endpoints import build_endpoints
from router.edge.intake import Endpoint
from router.errors import ConfigurationError
from router.evaluation.send import Sent, SimulatedOrder, check_amount, post, simulate

AMOUNT: Final = "1.00"
CURRENCY: Final = "USDT"
_HARMLESS: Final = "payment.pending"
"""Not booked: the first choice of a gateway that sends it."""


class TrialObstacle(StrEnum):
    """Why no test delivery can be sent: the key of the text about it."""

    LIVE = "endpoints.trial.live"
    UNSIGNED = "endpoints.trial.unsigned"
    AWAY = "endpoints.trial.away"


class NotSendable(Exception):  # noqa: N818 - named for what it is
    """No test delivery can be sent; the text of `obstacle` has these values."""

    def __init__(self, obstacle: TrialObstacle, **values: str) -> None:
        """Keep the obstacle and the values of its text."""
        super().__init__(obstacle)
        self.obstacle, self.values = obstacle, values


@dataclass(frozen=True)
class TrialDelivery:
    """A test delivery that is ready to be sent to `url`, the part before its path."""

    endpoint: Endpoint
    order: SimulatedOrder
    delivery: Delivery
    url: str


def trial_types(endpoint: Endpoint) -> Sequence[str]:
    """Return the types of test deliveries that the gateway sends, the most harmless first."""
    kinds = endpoint.provider.kinds
    types = [f"{kind}.{status}" for kind, statuses in kinds.items() for status in statuses]
    return sorted(types, key=lambda each: (each != _HARMLESS, each))


def trial_endpoint(settings: Settings, name: str) -> Endpoint:
    """Return an endpoint to which a test delivery may be sent, or raise NotSendable.

    Deliveries to a live endpoint would be booked as real money.
    """
    if settings.endpoints[name].mode != "test":
        raise NotSendable(TrialObstacle.LIVE)
    try:
        return build_endpoints(settings)[name]
    except ConfigurationError as error:
        raise NotSendable(TrialObstacle.UNSIGNED, why=str(error)) from None


def prepare_trial(
    settings: Settings, name: str, kind: str, amount: str, now: datetime
) -> TrialDelivery:
    """Make a test delivery, or raise NotSendable."""
    endpoint = trial_endpoint(settings, name)
    # Distinct and marked, so that it is not mistaken for an order.
    order = SimulatedOrder(kind, f"TEST-{now:%Y%m%d-%H%M%S}", amount, CURRENCY)
    try:
        check_amount(amount)
        delivery = simulate(endpoint, order, now)
    except ConfigurationError as error:
        raise NotSendable(TrialObstacle.UNSIGNED, why=str(error)) from None
    return TrialDelivery(endpoint, order, delivery, _edge_url(settings, name))


async def send_trial(settings: Settings, trial: TrialDelivery) -> Sent:
    """Send it, and return the edge's answer; raises NotSendable if there is none."""
    token = settings.endpoints[trial.endpoint.name].token
    secret = None if token is None else token.get_secret_value()
    # A path of the public URL, which a proxy removes.
    target = urlsplit(trial.url).path + trial.delivery.target
    try:
        answered = await asyncio.to_thread(
            post, trial.url, replace(trial.delivery, target=target), secret
        )
    except OSError as error:
        raise NotSendable(TrialObstacle.AWAY, url=trial.url, why=str(error)) from None
    return Sent(trial.order, trial.endpoint.name, None, answered)


def _edge_url(settings: Settings, name: str) -> str:
    public = settings.endpoints[name].public_url or settings.edge.public_url
    return public or f"http://{settings.edge.host}:{settings.edge.port}"
