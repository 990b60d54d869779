"""Secrets that an explanation must not show."""

from datetime import timedelta

import pytest

from router.edge.intake import Endpoint
from router.providers.blockatm import PROVIDER
from router.quarantine.explain import explain
from tests.parts.providers.blockatm_deliveries import KEY, RECEIVED, signed

_TOKEN = "aVeryLong-URL_token-0123456789"
_SHOP = Endpoint("blockatm-main", "shop-eu", PROVIDER, [KEY], timedelta(hours=27), 2.5)


@pytest.mark.parametrize("before", range(560, 601, 4))
def test_token_at_the_end_of_the_shown_bytes_is_not_shown_in_part(before: int) -> None:
    body = b"x" * before + _TOKEN.encode() + b"y" * 600

    told = explain(signed(body, "payment"), _SHOP, RECEIVED, _TOKEN)

    assert told.steps
    assert not any(_TOKEN[:4] in step.whole for step in told.steps)
