"""Amounts in minor units: exact by currency and network, and never guessed."""

from decimal import Decimal

import iso4217
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract.amounts import AmountError, amount_text, parse_amount
from router.errors import ConfigurationError, NotUnderstood, Reason
from router.providers._mapping.minor_units import TOKENS, DecimalsTable
from tests.parts.providers.mapped import MAPPING, acme, event_of

_FIELDS = {**MAPPING["fields"], "network": "chain"}
_BY_CURRENCY = acme(minor_units="by currency")
_BY_NETWORK = acme(minor_units="by currency", fields=_FIELDS)
_TABLE = DecimalsTable()


@pytest.mark.parametrize(
    ("currency", "count", "expected"),
    [
        ("JPY", 10000, "10000"),
        ("KRW", "5", "5"),
        ("EUR", 10000, "100.00"),
        ("eur", "1", "0.01"),
        ("KWD", 10000, "10.000"),
        ("BHD", 1, "0.001"),
        ("CLF", 10001, "1.0001"),
        ("USDC", 1500000, "1.500000"),
        ("USDT", "1", "0.000001"),
        ("ETH", 10**18 + 1, "1.000000000000000001"),
        ("ETH", str(10**38 - 1), "99999999999999999999.999999999999999999"),
        ("BTC", 2**63, "92233720368.54775808"),
        ("SOL", 1, "0.000000001"),
        ("TRX", 1000000, "1.000000"),
    ],
)
def test_amount_is_exact_in_the_minor_unit_of_its_currency(
    currency: str, count: object, expected: str
) -> None:
    amount = event_of(_BY_CURRENCY, coin=currency, sum=count).amount

    assert isinstance(amount, Decimal)
    assert amount_text(amount) == expected


@pytest.mark.parametrize("currency", ["XAU", "XXX", "ABC", "USDTTRC20", "LIGHTNING", "DEM"])
def test_currency_with_unknown_decimals_is_not_understood(currency: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        event_of(_BY_CURRENCY, coin=currency, sum=1)

    assert (refused.value.reason, refused.value.detail) == (
        Reason.AMOUNT_UNREPRESENTABLE,
        "coin: a currency whose decimals are known; see mapping.decimals",
    )


@pytest.mark.parametrize("count", ["1.5", 1.5, "-1", "1e3", True, {}])
@pytest.mark.parametrize("currency", ["EUR", "JPY"])
def test_minor_units_by_currency_must_be_whole(count: object, currency: str) -> None:
    with pytest.raises(NotUnderstood, match=r"sum: (expected|an amount)"):
        event_of(_BY_CURRENCY, sum=count, coin=currency)


@pytest.mark.parametrize(
    ("currency", "network", "expected"),
    [
        ("USDT", "TRC20", 6),
        ("USDT", "Ethereum", 6),
        ("USDT", "BSC", 18),
        ("USDC", "bep20", 18),
        ("USDC", 56, 18),
        ("USDC", "Base", 6),
        ("ETH", "Arbitrum One", 18),
        ("JPY", None, 0),
        ("JPY", "BSC", 0),
    ],
)
def test_decimals_of_a_token_are_those_on_its_network(
    currency: str, network: object, expected: int
) -> None:
    amount = event_of(_BY_NETWORK, coin=currency, sum=10**19, chain=network).amount

    assert amount == Decimal(10**19).scaleb(-expected)


@pytest.mark.parametrize("network", ["Kava", "", None, {}, ..., "Lightning"])
def test_token_on_an_unknown_network_is_not_understood(network: object) -> None:
    for currency in ("USDT", "BTC"):
        with pytest.raises(NotUnderstood) as refused:
            event_of(_BY_NETWORK, coin=currency, sum=1, chain=network)

        assert refused.value.detail == (
            "coin: a currency on this network whose decimals are known; see mapping.decimals"
        )


def test_network_and_chain_id_must_agree_about_the_decimals() -> None:
    own = acme(minor_units="by currency", fields={**_FIELDS, "chain_id": "chain_id"})

    assert event_of(own, coin="USDT", sum=10**18, chain="BSC", chain_id=56).amount == 1
    for network, chain_id in (("Ethereum", 56), ("BSC", 1), ("BSC", 999)):
        with pytest.raises(NotUnderstood, match="amount_unrepresentable"):
            event_of(own, coin="USDT", sum=1, chain=network, chain_id=chain_id)


def test_decimals_of_the_configuration_come_first() -> None:
    own = acme(
        minor_units="by currency",
        fields=_FIELDS,
        decimals={"ISK": 2, "usdttrc20": 6, "USDT": {"tron-mainnet": 6, "bnb": 18}, "JPY": 0},
    )

    for currency, network, expected in (
        ("ISK", None, "1.00"),
        ("USDTTRC20", None, "0.000100"),
        ("USDT", "TRON-Mainnet", "0.000100"),
        ("USDT", "bnb", "0.000000000000000100"),
        ("JPY", None, "100"),
    ):
        amount = event_of(own, coin=currency, sum=100, chain=network).amount
        assert amount is not None
        assert amount_text(amount) == expected
    with pytest.raises(NotUnderstood):
        event_of(own, coin="USDT", sum=100, chain="Ethereum")


def test_every_amount_has_the_decimals_of_its_own_currency() -> None:
    own = acme(
        minor_units="by currency",
        fields={
            **MAPPING["fields"],
            "expected_amount": "price",
            "expected_currency": "fiat",
            "converted": "value",
            "converted_currency": "fiat",
            "fee": "fee",
            "fee_returned": "back",
            "fee_currency": "coin",
            "gas": "gas",
        },
        fixed={"gas_currency": "ETH"},
    )

    event = event_of(
        own, coin="USDC", sum=10**6, price=500, value=499, fiat="JPY", fee=-3, back=1, gas=10**9
    )

    assert (event.amount, event.expected_amount) == (Decimal(1), Decimal(500))
    assert event.converted == Decimal(499)
    assert (event.fee, event.fee_returned) == (Decimal("-0.000003"), Decimal("0.000001"))
    assert (event.gas, event.gas_currency) == (Decimal("0.000000001"), "ETH")
    assert (event.converted_currency, event.fee_currency) == ("JPY", "USDC")


def test_word_of_the_gateway_may_mean_a_currency() -> None:
    own = acme(currencies={"BTC-CHAIN": "BTC", "SAT": "BTC"}, minor_units="by currency")

    for word in ("BTC-CHAIN", "SAT", "btc"):
        event = event_of(own, coin=word, sum=1)
        assert (event.currency, event.amount) == ("BTC", Decimal("0.00000001"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"minor_units": "by coin"}, '.minor_units: expected 0 to 18, or "by currency"'),
        ({"minor_units": -1}, ".minor_units: "),
        ({"minor_units": True}, ".minor_units: "),
        ({"decimals": {"EUR": 2}}, ': decimals: needs minor_units = "by currency"'),
        ({"minor_units": "by currency", "decimals": {"EUR": 19}}, ".decimals.EUR"),
    ],
)
def test_invalid_minor_units_fail_the_start(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        acme(**changes)

    assert str(refused.value).startswith(f"endpoints.shop.mapping{problem}")


def test_minor_units_may_be_text_as_in_an_environment_variable() -> None:
    assert event_of(acme(minor_units="3"), sum=1).amount == Decimal("0.001")


def test_no_coin_has_the_code_of_a_national_currency() -> None:
    assert not TOKENS.keys() & iso4217.raw_table.keys()


def test_the_iso_table_has_every_active_currency() -> None:
    digits = {code: _TABLE.find(code, None) for code in iso4217.raw_table if code}
    without = {code for code, found in digits.items() if found is None}

    assert without == {code for code in digits if iso4217.raw_table[code]["CcyMnrUnts"] == "N.A."}
    assert (digits["JPY"], digits["EUR"], digits["KWD"], digits["UYW"]) == (0, 2, 3, 4)
    assert len(digits) - len(without) > 150


@given(
    currency=st.sampled_from(["JPY", "EUR", "KWD", "CLF", "USDC", "BTC", "XMR", "ETH"]),
    count=st.integers(min_value=0, max_value=10**38),
    as_text=st.booleans(),
)
def test_any_count_of_minor_units_is_exact_or_refused(
    currency: str, count: int, *, as_text: bool
) -> None:
    digits = _TABLE.find(currency, None)
    assert digits is not None
    expected = Decimal((0, tuple(map(int, str(count))), -digits))
    told = str(count) if as_text else count
    try:
        parse_amount(expected)
    except AmountError:
        with pytest.raises(NotUnderstood, match="amount_unrepresentable"):
            event_of(_BY_CURRENCY, coin=currency, sum=told)
        return
    event = event_of(_BY_CURRENCY, coin=currency, sum=told)
    assert event.amount is not None
    assert event.amount.as_tuple() == expected.as_tuple()
