"""Simulated BlockBee deliveries."""

from dataclasses import replace
from decimal import Decimal

import pytest

from router.errors import ConfigurationError, Unauthentic
from router.providers import Key, Simulation
from router.providers._signing import public_key
from router.providers.blockbee import PROVIDER
from router.providers.blockbee._options import BlockBeeOptions
from tests.parts.providers.blockbee_deliveries import (
    PLACE,
    RECEIVED,
    TARGET,
    bee,
    event_of,
    key,
    verified,
)

_WANTED = Simulation("payment", "confirmed", "A-1", "13.410037", "USDT", 7, RECEIVED)
_EVERY = [(t, variant) for t, variants in PROVIDER.variants.items() for variant in variants]


def test_every_kind_and_status_has_a_form() -> None:
    named = {f"{kind}.{status}" for kind, words in PROVIDER.kinds.items() for status in words}

    assert named == set(PROVIDER.variants)
    assert {variant.partition("-")[0] for _, variant in _EVERY} == {
        *("custom", "checkout", "deposit", "subscription", "payout"),
    }


@pytest.mark.parametrize(("event_type", "variant"), _EVERY)
def test_every_simulation_is_genuine_and_has_the_requested_content(
    event_type: str, variant: str
) -> None:
    kind, _, status = event_type.partition(".")
    wanted = replace(_WANTED, kind=kind, status=status, variant=variant)

    event = event_of(bee().simulate(wanted, key(), TARGET))

    assert event.type == event_type
    assert event.reference == (None if kind == "payout" else "A-1")
    if event_type == "payment.confirmed":
        assert (event.amount, event.currency) == (Decimal("13.410037"), "USDT")


def test_pending_and_confirmed_are_about_one_payment() -> None:
    seen = event_of(bee().simulate(replace(_WANTED, status="pending"), key(), TARGET))
    done = event_of(bee().simulate(_WANTED, key(), TARGET))

    assert seen.provider_reference == done.provider_reference
    assert seen.id != done.id


def test_an_endpoint_that_expects_addresses_and_payments_is_sent_them() -> None:
    picky = bee(expected_addresses=["3PX"], expected_payments=["PAY-9"])
    checkout = replace(_WANTED, variant="checkout-form")

    assert event_of(picky.simulate(_WANTED, key(), TARGET), picky).to_address == "3PX"
    event = event_of(picky.simulate(checkout, key(), TARGET), picky)
    assert (event.to_address, event.provider_reference) == ("3PX", "PAY-9")


def test_without_a_secret_the_order_is_not_in_the_url() -> None:
    bare = bee(replace(PLACE, keys=()))

    assert event_of(bare.simulate(_WANTED, key(), TARGET), bare).reference is None


@pytest.mark.parametrize("secret", [b"an endpoint's secret", b"", b"-----BEGIN PRIVATE KEY-----"])
def test_simulation_needs_the_private_key(secret: bytes) -> None:
    with pytest.raises(ConfigurationError, match="only BlockBee has the private key"):
        bee().simulate(_WANTED, Key(secret, "fp:x"), TARGET)


@pytest.mark.parametrize(
    "wanted",
    [
        replace(_WANTED, status="expired"),
        replace(_WANTED, variant="payout-get"),
        replace(_WANTED, variant="custom-xml"),
        replace(_WANTED, status="underpaid", variant="deposit-get"),
    ],
)
def test_what_cannot_be_simulated_is_a_key_error(wanted: Simulation) -> None:
    with pytest.raises(KeyError):
        bee().simulate(wanted, key(), TARGET)


def test_example_endpoint_accepts_deliveries_signed_with_its_private_key() -> None:
    example = PROVIDER.example()
    settings = dict(example.settings)
    token = settings.pop("token")
    assert isinstance(token, str)
    provider = PROVIDER.configured(
        BlockBeeOptions.model_validate(settings), replace(PLACE, token=token)
    )
    signing = Key(example.signing_key or b"", "fp:private")
    made = provider.simulate(_WANTED, signing, TARGET)

    assert event_of(made, provider).reference == "A-1"
    assert public_key(str(settings["public_keys"][0]), "RSA")  # type: ignore[index] # a list
    assert b"PRIVATE" not in str(example.settings).encode()
    assert "PRIVATE" not in repr(example)
    assert PROVIDER.example().settings["token"] != token


def test_another_key_s_delivery_is_refused() -> None:
    stranger = Key(PROVIDER.example().signing_key or b"", "fp:stranger")

    with pytest.raises(Unauthentic):
        verified(bee().simulate(_WANTED, stranger, TARGET))
