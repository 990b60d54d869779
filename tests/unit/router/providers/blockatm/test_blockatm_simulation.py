"""Simulated BlockATM deliveries."""

from dataclasses import replace
from decimal import Decimal

import pytest

from router.providers import Key, Simulation
from router.providers.blockatm import PROVIDER
from tests.parts.providers.blockatm_deliveries import RECEIVED

_KEY = Key(b"simulated", "fp:simulated")
_WANTED = Simulation("payment", "confirmed", "A-1", "13.410037", "USDT", 7, RECEIVED)


@pytest.mark.parametrize(
    ("kind", "status"),
    [(kind, status) for kind, statuses in PROVIDER.kinds.items() for status in statuses],
)
def test_every_simulation_is_genuine_and_has_the_requested_content(kind: str, status: str) -> None:
    wanted = replace(_WANTED, kind=kind, status=status)

    proved = PROVIDER.verify(PROVIDER.simulate(wanted, _KEY, "/webhooks/shop"), [_KEY])
    (event,) = PROVIDER.normalize(proved)

    assert event.type.value == f"{kind}.{status}"
    assert event.reference == "A-1"
    assert proved.verification.scheme == "blockatm-v2-raw"
    assert proved.signed_at == RECEIVED


@pytest.mark.parametrize("kind", ["payment", "payout"])
def test_confirmed_simulation_has_the_requested_amount(kind: str) -> None:
    delivery = PROVIDER.simulate(replace(_WANTED, kind=kind), _KEY, "/webhooks/shop")
    (event,) = PROVIDER.normalize(PROVIDER.verify(delivery, [_KEY]))

    assert (event.amount, event.currency) == (Decimal("13.410037"), "USDT")
    assert event.occurred_at == RECEIVED


def test_one_number_makes_one_delivery_and_another_number_another() -> None:
    first = PROVIDER.simulate(_WANTED, _KEY, "/webhooks/shop")
    other = PROVIDER.simulate(replace(_WANTED, number=8), _KEY, "/webhooks/shop")

    assert first == PROVIDER.simulate(_WANTED, _KEY, "/webhooks/shop")
    assert first.body != other.body


def test_what_cannot_be_simulated_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="underpaid"):
        PROVIDER.simulate(replace(_WANTED, status="underpaid"), _KEY, "/webhooks/shop")
