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
    """Options of an endpoint of BlockBee."""

    model_config = OPTIONS

    public_keys: TextList = Field((PUBLISHED_KEY,), min_length=1)
    reference_parameter: str = Field("order_id", pattern=r"^[A-Za-z0-9_]{1,64}$")
    expected_addresses: TextList = ()
    expected_payments: TextList = ()
    # Currency of the orders; BlockBee's own `price` is in USD.
    converted_currency: str = Field("USD", pattern=r"^[A-Z]{3,10}$")

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
