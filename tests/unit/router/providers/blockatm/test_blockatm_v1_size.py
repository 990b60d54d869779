"""BlockATM's version 1 has only the sorted form: large batches verify, forgeries cost little."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from router.delivery import Delivery
from router.errors import Reason, Unauthentic
from router.providers.blockatm import PROVIDER
from router.providers.blockatm._sorted_form import V1_LARGEST
from tests.conformance.costs import BODIES, LARGEST, RUNAWAY, ratio
from tests.parts.providers.blockatm_v1 import BATCH, v1_provider, v1_signed, v1_verified

_PUBLISHED: Mapping[str, object] = {
    "amount": "1.00000000",
    "orderNo": "TX1",
    "symbol": "USDT",
    "toAddress": "0x2d7ff2dc166ae09542c749be052028e43825cde7",
    "tokenAddress": "0x92efdfa35c75b259375ebe0f84ee1d95db0489b6",
}
_SHORT: Mapping[str, object] = {
    "amount": "1",
    "orderNo": "1",
    "symbol": "USDT",
    "toAddress": "TQn9Y2khEsLJW1ChVWFMSMeRDow5KcbLSE",
    "tokenAddress": "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
}


@pytest.mark.parametrize(("row", "rows"), [(_PUBLISHED, 550), (_SHORT, 800)])
def test_largest_possible_batch_verifies(row: Mapping[str, object], rows: int) -> None:
    several = [{**row, "orderNo": str(number)} for number in range(rows)]
    body = json.dumps({**BATCH, "detailList": several}, separators=(",", ":")).encode()

    assert len(body) > V1_LARGEST / 2
    assert len(PROVIDER.normalize(v1_verified(v1_signed(body, "Payout")))) == rows


@pytest.mark.parametrize("shape", BODIES)
def test_refusing_a_forged_batch_takes_as_long_as_a_few_hashes(shape: str) -> None:
    genuine, provider = v1_signed(b'{"a":1}'), v1_provider()
    costs = {}
    for size in (V1_LARGEST, V1_LARGEST // 2, LARGEST):
        made = replace(genuine, body=BODIES[shape](size))

        def refuse(forged: Delivery = made) -> None:
            with pytest.raises(Unauthentic, match=Reason.SIGNATURE_WRONG):
                provider.verify(forged, [])

        costs[size] = ratio(refuse)

    assert max(costs.values()) < RUNAWAY, costs
