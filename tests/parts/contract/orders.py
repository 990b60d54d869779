"""Orders for tests: two teas for 30 USDT unless changed."""

from typing import Any
from uuid import uuid4

from router.contract.order import Order


def decided(verb: str = "accept", at: str = "2026-01-02T03:04:05Z", **facts: Any) -> Order:  # noqa: ANN401 - any field
    """Make an operator's decision about A-1 with a new id; `facts` are those of the decision."""
    made = {"decision": verb, "by": "anna@desk", "reason": "paid in cash", "shown": "3f2a9c01"}
    about = {name: facts.pop(name) for name in ("id", "account", "reference") if name in facts}
    return order(
        "order.decided", total=None, currency=None, at=at, decided={**made, **facts}, **about
    )


def order(kind: str = "order.placed", **facts: Any) -> Order:  # noqa: ANN401 - any field
    """Make a message with a new id."""
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "account": "shop-eu",
        "reference": "A-1",
        "lines": [{"sku": "tea", "quantity": 2}] if kind == "order.placed" else None,
        "total": "30.00",
        "currency": "USDT",
    }
    return Order.model_validate({**defaults, "type": kind, **facts})
