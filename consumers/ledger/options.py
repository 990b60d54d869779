"""Options of `[consumers.ledger]`."""

from pydantic import BaseModel, ConfigDict, Field

from router.contract.fields import Text


class LedgerOptions(BaseModel):
    """`[consumers.ledger]`: choices of the merchant for the books."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    count_claimed: tuple[Text, ...] = Field(
        (),
        description="Endpoints whose claimed amounts are trusted: they open no case if they are not"
        " seen on chain.",
        examples=[["resmic"]],
    )
