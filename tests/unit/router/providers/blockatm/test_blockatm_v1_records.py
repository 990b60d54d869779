"""A batch of version 1 takes the shortcuts to the same records."""

import json

from router.edge.intake import Endpoint
from tests.conformance.shortcuts import Shortcuts
from tests.parts.providers.blockatm_deliveries import KEY
from tests.parts.providers.blockatm_v1 import BATCH, ROW, v1_provider, v1_signed, v1_verified

_ROWS = 100


def test_every_row_of_a_batch_has_the_record_of_the_general_way() -> None:
    rows = [{**ROW, "orderNo": f"TX{number}", "amount": number} for number in range(_ROWS)]
    body = json.dumps({**BATCH, "detailList": rows}).encode()
    verified = v1_verified(v1_signed(body))
    endpoint = Endpoint("blockatm-main", "shop", v1_provider(), [KEY], None, 2.5)

    with Shortcuts().watched() as shortcuts:
        ours, general = shortcuts.outcomes(verified, endpoint)

    assert ours == general
    assert shortcuts.differing == []
    assert shortcuts.taken["event"] == shortcuts.taken["record"] == _ROWS
    assert shortcuts.taken["body"] == 1
