"""Declares the inventory to the consumer runtime."""

from functools import partial

from consumers.inventory.cases import ORDER_KINDS, PAYMENT_WITHOUT_ORDER
from consumers.inventory.handler import handler, plain_handler
from consumers.inventory.lapse import lapse_work
from consumers.inventory.measures import MEASURES
from consumers.inventory.policy import Policy
from consumers.inventory.setting import stock_up
from consumers.inventory.store.listing import GRACE, payments_without_order
from consumers.inventory.tables import METADATA, ORDERS
from consumers.inventory.trace import steps_of
from consumers.runtime.cases.source import CaseQuery, CaseRows
from consumers.runtime.service import ConsumerActions, Service, Setup
from router.contract.order_fields import read_order
from router.contract.topics import ORDER


def configured(setup: Setup) -> ConsumerActions:
    """Return what the inventory does, with its options, topic names and order fields."""
    policy, topic = setup.options, setup.topics.outcome("inventory")
    return ConsumerActions(
        handle=handler(policy, topic),
        readers={ORDER: read_order(setup.orders)},
        work=[lapse_work(policy, topic)],
        before_play=partial(stock_up, topic=topic),
        plain=plain_handler(policy, topic),
    )


SERVICE = Service(
    name="inventory",
    topics=(ORDER, "payment"),
    tables=METADATA,
    migrations="consumers.inventory.migrations",
    measures=MEASURES,
    options=Policy,
    configured=configured,
    says_outcomes=True,
    commanded=(ORDER,),
    trail=steps_of,
    cases=(
        CaseRows(ORDERS, ORDER_KINDS, provider=None, provider_reference=None),
        CaseQuery(PAYMENT_WITHOUT_ORDER, payments_without_order(), GRACE),
    ),
    # Stock goes to who comes first, and a sold order keeps what it got.
    in_time_order=True,
)
