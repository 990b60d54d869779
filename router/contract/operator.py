"""What an operator adds to an event or an order: who decided it, and why."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from router.contract.amounts import Amount
from router.contract.fields import Text, described
from router.contract.identity import gateway_name

_FROZEN = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Recorded(BaseModel):
    """Why an operator recorded a fact that the gateway never reported.

    The operator's amount counts. A gateway's amount opens a case, in any order of arrival, if it
    is neither this amount nor the one that it replaces, or if it is in another currency and not in
    `other_currencies`.
    """

    model_config = _FROZEN

    by: Annotated[Text, described("Who recorded it", "anna")]
    reason: Annotated[Text, described("Why", "seen on chain, block 19000000")]
    provider: Annotated[
        Text,
        AfterValidator(gateway_name),
        described("The gateway of the payment or payout", "resmic"),
    ]
    version: Annotated[
        Text | None,
        described("Version of the payment or payout that the operator was shown", "3f2a9c01d4e8"),
    ] = None
    replaces: Annotated[
        Amount | None,
        described(
            "The gateway's amount that it replaces, in `currency`; null if none was known", "100.00"
        ),
    ] = None
    other_currencies: Annotated[
        dict[Text, Amount],
        described(
            "The gateway's amounts in other currencies that the operator was shown and that do not"
            " count",
            {"EUR": "92.10"},
        ),
    ] = {}


class Decision(StrEnum):
    """Decisions about an order: it is paid; it is not; it is not, and gives its stock back."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    RETURN = "return"


class Decided(BaseModel):
    """An operator's decision about an order, and the facts it was based on."""

    model_config = _FROZEN

    decision: Annotated[Decision, described("What was decided", "accept")]
    by: Annotated[Text, described("Who decided it", "anna")]
    reason: Annotated[Text, described("Why", "paid in cash at the counter")]
    shown: Annotated[
        Text, described("Digest of the facts that the operator was shown", "3f2a9c01d4e8")
    ]
    saw_cancelled: Annotated[bool, described("Whether the order was cancelled then", False)] = False
    saw_refunded: Annotated[
        bool, described("Whether all money of the order was given back then", False)
    ] = False
