"""Options of a BlockBee endpoint."""

from dataclasses import dataclass, field

from pydantic import BaseModel, Field, field_validator

from router.providers import OPTIONS, EndpointContext, TextList

# https://api.blockbee.io/pubkey/, and the same at https://api.cryptapi.io/pubkey/.
PUBLISHED_KEY = """-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC3FT0Ym8b3myVxhQW7ESuuu6lo
dGAsUJs4fq+Ey//jm27jQ7HHHDmP1YJO7XE7Jf/0DTEJgcw4EZhJFVwsk6d3+4fy
Bsn0tKeyGMiaE6cVkX0cy6Y85o8zgc/CwZKc0uw6d5siAo++xl2zl+RGMXCELQVE
ox7pp208zTvown577wIDAQAB
-----END PUBLIC KEY-----
"""

# The fields of every kind of message (BlockBee docs and, for older ones, CryptAPI docs): a
# parameter of the merchant with such a name could not be distinguished from BlockBee's own.
FIELDS = frozenset(
    {
        *("uuid", "address_in", "address_out", "txid_in", "txid_out", "coin", "price", "pending"),
        *("confirmations", "value_coin", "value_coin_convert", "value_forwarded_coin"),
        *("value_forwarded_coin_convert", "fee_coin", "fee_coin_convert"),
        *("value", "value_forwarded", "fee", "result", "sent"),
        *("payment_url", "redirect_url", "payment_redirect_url", "payment_id", "success_token"),
        *("currency", "is_paid", "status", "type", "paid_amount", "paid_amount_fiat"),
        *("received_amount", "received_amount_fiat", "paid_coin", "exchange_rate", "txid"),
        *("address", "action", "subscription_id", "subscription_url"),
        *("subscription_start_date_ts", "subscription_end_date_ts", "subscription_option_slug"),
        *("subscription_option_duration_ts", "subscription_option_value"),
        *("subscription_user_id", "subscription_user_email", "id", "error"),
    }
)


class BlockBeeOptions(BaseModel):
    """BlockBee, and CryptAPI: payments, payouts and subscriptions."""

    model_config = OPTIONS

    public_keys: TextList = Field(
        (PUBLISHED_KEY,),
        min_length=1,
        description="Public keys (RSA, PEM) that deliveries are verified with. Default: the one"
        " that BlockBee publishes.",
        examples=[["-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n"]],
    )
    reference_parameter: str = Field(
        "order_id",
        pattern=r"^[A-Za-z0-9_]{1,64}$",
        description="Parameter of the callback URL that has the order's number.",
        examples=["order"],
    )
    expected_addresses: TextList = Field(
        (),
        description="The merchant's addresses, if all are known; others go to quarantine."
        " Default: every address.",
        examples=[["0x52908400098527886E0F7030069857D2E4169EE7"]],
    )
    expected_payments: TextList = Field(
        (),
        description="Ids of the merchant's checkouts, if all are known. Default: every checkout.",
        examples=[["checkout-1"]],
    )
    # BlockBee's own `price` is in USD.
    converted_currency: str = Field(
        "USD",
        pattern=r"^[A-Z]{3,10}$",
        description="Currency of the orders, which BlockBee converts amounts to.",
        examples=["EUR"],
    )

    @field_validator("reference_parameter")
    @classmethod
    def _is_ours(cls, name: str) -> str:
        if name in FIELDS:
            message = "this name is one of BlockBee's own fields"
            raise ValueError(message)
        return name


@dataclass(frozen=True)
class BlockBeeEndpoint:
    """An endpoint of BlockBee: its options and its context."""

    options: BlockBeeOptions = field(default_factory=BlockBeeOptions)
    context: EndpointContext = field(
        default_factory=lambda: EndpointContext("blockbee", None, None, ())
    )
