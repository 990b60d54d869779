"""Orders for tests: two teas for 30 USDT unless changed."""

from typing import Any
from uuid import uuid4

from router.contract.order import Order


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
