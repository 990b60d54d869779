"""Ids of rows are those that stored rows have."""

import json
from uuid import uuid5

from hypothesis import given
from hypothesis import strategies as st

from consumers.inventory.identity import NAMESPACE, order_id, payment_id

_TEXTS = st.text(max_size=20)


@given(_TEXTS, _TEXTS, st.none() | _TEXTS)
def test_an_id_is_that_of_the_json_of_its_key(
    account: str, provider: str, name: str | None
) -> None:
    key = ["payment of", account, provider, name]
    assert payment_id(account, provider, None, name) == uuid5(NAMESPACE, json.dumps(key))


def test_ids_never_change() -> None:
    assert str(order_id("shop-eu", "A-1")) == "3dbe0e47-8c4d-5f17-bbf9-e08163d369b3"
