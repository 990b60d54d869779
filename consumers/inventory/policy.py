"""Options of `[consumers.inventory]`."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.contract.amounts import Amount
from router.contract.order import MAX_SECONDS


class Policy(BaseModel):
    """Choices for orders and payments that merchants may handle differently.

    `underpaid_tolerance` is the fraction of the total that may be missing, as
    decimal text: "0.01" is one percent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    time_to_live_seconds: int = Field(
        3600, ge=1, le=MAX_SECONDS, description="of a reservation, unless the order sets its own"
    )
    underpaid: Literal["wait", "accept_within"] = "wait"
    underpaid_tolerance: Annotated[Amount, Field(lt=Decimal(1))] | None = None
    overpaid: Literal["commit", "wait"] = "commit"
    refunded: Literal["keep", "return"] = "keep"
    cancelled_after_paid: Literal["keep", "return"] = "keep"
    paid_after_cancelled: Literal["take", "leave"] = "take"
    sweep_seconds: float = Field(5, gt=0, le=3600, description="between checks for expired orders")

    @model_validator(mode="after")
    def _tolerance_matches_underpaid(self) -> Self:
        if (self.underpaid == "accept_within") != (self.underpaid_tolerance is not None):
            message = (
                'underpaid = "accept_within" and underpaid_tolerance need each other;'
                ' for example underpaid_tolerance = "0.01" for one percent'
            )
            raise ValueError(message)
        return self

    @property
    def may_be_missing(self) -> Decimal:
        """The fraction of a total that may be missing."""
        return self.underpaid_tolerance or Decimal(0)
