"""What must hold of a deployment: everything is whole, and its results are exact."""

import time
from typing import Final

from tests.parts.monitoring.prometheus import Prometheus
from tests.parts.notifications.receivers import Hook
from tests.parts.platform.fleet import AREAS, RUN, Fleet
from tests.parts.platform.pods import Pod
from tests.parts.platform.shop import CUSTOMER, Shop
from tests.parts.platform.stores import Stores
from tests.parts.waiting import until

SETTLE_SECONDS: Final = 30.0

_BOOKED: Final = """
SELECT (SELECT count(*) FROM ledger.event),
    (SELECT -coalesce(sum(amount), 0) FROM ledger.posting
     JOIN ledger.account ON account.id = account_id WHERE purpose = 'payments')
"""
_KEPT: Final = """
SELECT coalesce(sum(committed), 0), coalesce(sum(reserved), 0), coalesce(sum(oversold), 0)
FROM inventory.stock
"""


def check_exact(shop: Shop, stores: Stores, receiver: Hook) -> str:
    """Wait until books, stock and messages are exactly what was sold; return them as a line."""
    booked = (shop.events, shop.paid)
    kept = (sum(shop.sold.values()), 0, 0)
    until(lambda: tuple(stores.row(_BOOKED)) >= booked, f"{booked} in the books")
    until(lambda: tuple(stores.row(_KEPT)) >= kept, f"{kept} in the stock")
    until(lambda: len(set(receiver.keys)) >= shop.orders, f"{shop.orders} messages")
    assert tuple(stores.row(_BOOKED)) == booked, (stores.row(_BOOKED), booked)
    assert tuple(stores.row(_KEPT)) == kept, (stores.row(_KEPT), kept)
    assert len(set(receiver.keys)) == shop.orders
    return (
        f"{shop.orders} orders, {shop.events} events, {shop.paid} USDT, {kept[0]} articles, "
        f"{shop.orders} messages; sent again {shop.again}, "
        f"messages repeated {len(receiver.keys) - shop.orders}"
    )


def check_doctor(system: Fleet, operator: Pod) -> str:
    """Check that doctor finds nothing wrong for any process; return a line."""
    (topics,) = system.of("topics")
    pods = [*(system.of(name)[0] for name in RUN), topics, operator]
    for pod in pods:
        said = system.doctor(pod, *AREAS.get(pod.component, ("broker",)))
        assert said.returncode == 0, f"doctor of {pod.name}: {said.stdout}{said.stderr}"
    return f"exit 0 for {', '.join(pod.component for pod in pods)}"


def check_forwarded(system: Fleet, shop: Shop) -> str:
    """Check that a forgery is refused, and its source behind the proxy is logged; return a line."""
    status = shop.forge("blockatm")
    assert status in range(400, 500), status
    named = f'"source": "{CUSTOMER}"'
    edges = system.of("edge")
    until(lambda: any(named in system.log_since(pod, 0) for pod in edges), f"{named} in a log")
    return f"a forgery is answered {status}, and its source is the customer's"


def check_both_edges(system: Fleet) -> str:
    """Check that both edges accept deliveries; return a line."""
    counts = [system.log_since(p, 0).count('"outcome": "accepted"') for p in system.of("edge")]
    assert min(counts) > 0, counts
    return f"deliveries accepted by each edge: {', '.join(map(str, counts))}"


def check_monitored(running: Prometheus, targets: int) -> str:
    """Check that all targets are up, all rules evaluated, no alert is active; return a line."""

    def is_up() -> bool:
        found = running.up()
        return len(found) == targets and set(found.values()) == {"up"}

    until(is_up, f"{targets} targets up")
    time.sleep(SETTLE_SECONDS)
    assert is_up(), running.up()
    assert running.troubles() == []
    active = [f"{each['labels']['alertname']} {each['state']}" for each in running.alerts()]
    assert active == [], active
    return f"{targets} targets up, no alert firing or pending"
