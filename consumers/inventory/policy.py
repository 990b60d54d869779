"""Options of `[consumers.inventory]`."""

from collections import Counter
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from consumers.inventory.rules.exact import EXACT
from router.contract.amounts import Amount
from router.contract.fields import Text
from router.contract.order import MAX_SECONDS


class Policy(BaseModel):
    """Choices for orders and payments that merchants may handle differently.

    `underpaid_tolerance` is the fraction of the total that may be missing, as
    decimal text: "0.01" is one percent. `underpaid_cap` is the most that may be missing,
    in the order's currency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    time_to_live_seconds: int = Field(
        3600, ge=1, le=MAX_SECONDS, description="of a reservation, unless the order sets its own"
    )
    underpaid: Literal["wait", "accept_within"] = "wait"
    underpaid_tolerance: Annotated[Amount, Field(lt=Decimal(1))] | None = None
    underpaid_cap: Amount | None = None
    overpaid: Literal["commit", "wait"] = "commit"
    parity: tuple[Annotated[tuple[Text, ...], Field(min_length=2)], ...] = Field(
        (), description="lists of currencies that count as equal, at any market price"
    )
    without_total: Literal["case", "trust"] = Field(
        "case",
        description='"trust": an order without a total is paid if a gateway reports it as paid',
    )
    count_claimed: tuple[Text, ...] = Field(
        (), description="endpoints whose claimed amounts count as received"
    )
    hold_seconds: int = Field(
        3600,
        ge=0,
        le=MAX_SECONDS,
        description="a reservation is extended while a payment is pending or cannot be compared",
    )
    refunded: Literal["keep", "return"] = "keep"
    cancelled_after_paid: Literal["keep", "return"] = "keep"
    paid_after_cancelled: Literal["take", "leave"] = "leave"
    sweep_seconds: float = Field(5, gt=0, le=3600, description="between checks for expired orders")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.underpaid == "accept_within") != (self.underpaid_tolerance is not None):
            message = (
                'underpaid = "accept_within" and underpaid_tolerance need each other;'
                ' for example underpaid_tolerance = "0.01" for one percent'
            )
            raise ValueError(message)
        if self.underpaid_cap is not None and self.underpaid_tolerance is None:
            message = "underpaid_cap needs underpaid_tolerance, which it limits"
            raise ValueError(message)
        if self.paid_after_cancelled == "take" and self.cancelled_after_paid == "return":
            message = (
                'paid_after_cancelled = "take" and cancelled_after_paid = "return" contradict each'
                " other: the result would depend on which message arrives first"
            )
            raise ValueError(message)
        codes = Counter(code for group in self.parity for code in group)
        if twice := sorted(code for code, times in codes.items() if times > 1):
            message = f"parity: {', '.join(twice)} more than once"
            raise ValueError(message)
        return self

    @property
    def values_as_usual(self) -> bool:
        """Whether payments have the same standing as under a policy without options."""
        return not self.count_claimed and not self.parity and self.overpaid == "commit"

    def unit(self, currency: str) -> str:
        """Return one name for all currencies at parity with this one."""
        return next((group[0] for group in self.parity if currency in group), currency)

    def may_be_missing(self, total: Decimal) -> Decimal:
        """Return how much of a total may be missing."""
        if self.underpaid_tolerance is None:
            return Decimal(0)
        share = EXACT.multiply(total, self.underpaid_tolerance)
        return share if self.underpaid_cap is None else min(share, self.underpaid_cap)
