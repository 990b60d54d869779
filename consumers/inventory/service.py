"""What the runtime needs of the inventory."""

from dataclasses import replace
from functools import partial

from consumers.inventory.handler import handler
from consumers.inventory.lapse import lapsing
from consumers.inventory.measures import MEASURES
from consumers.inventory.policy import Policy
from consumers.inventory.setting import stock_up
from consumers.inventory.tables import METADATA
from consumers.inventory.trace import steps_of
from consumers.runtime.service import Service, Setup
from router.contract.order_fields import OrderFields, read_order
from router.contract.topics import ORDER, Topics


def configured(service: Service, setup: Setup) -> Service:
    """Return the inventory as the configuration wants it."""
    policy, topic = setup.options, setup.topics.outcome(service.name)
    return replace(
        service,
        handle=handler(policy, topic),
        readers={ORDER: read_order(setup.orders)},
        work=[lapsing(policy.sweep_seconds, topic)],
        before_play=partial(stock_up, topic=topic),
    )


SERVICE = Service(
    name="inventory",
    topics=(ORDER, "payment"),
    handle=handler(Policy(), Topics().outcome("inventory")),
    tables=METADATA,
    migrations="consumers.inventory.migrations",
    measures=MEASURES,
    readers={ORDER: read_order(OrderFields())},
    options=Policy,
    configured=configured,
    says_outcomes=True,
    trail=steps_of,
    before_play=partial(stock_up, topic=Topics().outcome("inventory")),
)
