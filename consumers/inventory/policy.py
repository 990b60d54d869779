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
    """`[consumers.inventory]`: choices for orders and payments that merchants may differ in."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    time_to_live_seconds: int = Field(
        3600,
        ge=1,
        le=MAX_SECONDS,
        description="How long stock is reserved for an order that sets no time of its own.",
        examples=[1800],
    )
    underpaid: Literal["wait", "accept_within"] = Field(
        "wait",
        description="Whether an order waits for the rest of an amount that is too small, or counts"
        " as paid within a tolerance.",
        examples=["accept_within"],
    )
    underpaid_tolerance: Annotated[Amount, Field(lt=Decimal(1))] | None = Field(
        None,
        description="Fraction of the total that may be missing, as decimal text; needs"
        ' `underpaid = "accept_within"`.',
        examples=["0.01"],
    )
    underpaid_cap: Amount | None = Field(
        None,
        description="Most that may be missing, as decimal text in the order's currency. Default: no"
        " limit but the fraction.",
        examples=["5"],
    )
    overpaid: Literal["commit", "wait"] = Field(
        "commit", description="Whether an overpaid order is sold, or waits for an operator."
    )
    parity: tuple[Annotated[tuple[Text, ...], Field(min_length=2)], ...] = Field(
        (),
        description="Lists of currencies that count as equal, at any market price.",
        examples=[[["USD", "USDT", "USDC"]]],
    )
    without_total: Literal["case", "trust"] = Field(
        "case",
        description="Whether an order without a total opens a case, or is paid if a gateway"
        " reports it as paid.",
    )
    count_claimed: tuple[Text, ...] = Field(
        (),
        description="Endpoints whose claimed amounts count as received.",
        examples=[["resmic"]],
    )
    hold_seconds: int = Field(
        3600,
        ge=0,
        le=MAX_SECONDS,
        description="How much longer stock is reserved, once, while a payment is pending or cannot"
        " be compared.",
        examples=[7200],
    )
    refunded: Literal["keep", "return"] = Field(
        "keep",
        description="Whether a refund in full leaves the goods with the customer, or returns them"
        " to the stock.",
    )
    cancelled_after_paid: Literal["keep", "return"] = Field(
        "keep",
        description="The same for a paid order that is cancelled.",
    )
    paid_after_cancelled: Literal["take", "leave"] = Field(
        "leave", description="Whether a cancelled order that is paid is sold after all."
    )
    sweep_seconds: float = Field(
        5, gt=0, le=3600, description="Pause between two checks for expired orders.", examples=[30]
    )

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
