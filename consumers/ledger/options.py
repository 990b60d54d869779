"""Options of `[consumers.ledger]`."""

from pydantic import BaseModel, ConfigDict, Field

from router.contract.fields import Text


class LedgerOptions(BaseModel):
    """Choices of the merchant for the books."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    count_claimed: tuple[Text, ...] = Field(
        (), description="endpoints whose claimed amounts need not be seen; they open no case"
    )
