"""`payrouter dev --rate` shows a line per delivery and the totals, and no log without `-v`."""

import re
from pathlib import Path

from tests.parts.dev_process import place_in, started
from tests.parts.waiting import until

DELIVERY = re.compile(r"^\d\d:\d\d:\d\d  (\w+) +accepted 200  .*\d+ ms$", re.MULTILINE)


def test_stream_shows_one_line_per_delivery_and_the_totals_instead_of_the_log(
    tmp_path: Path,
) -> None:
    with place_in(tmp_path) as place, started(place, "--rate", "10", verbose=False) as dev:
        dev.until_ready()
        until(lambda: len(DELIVERY.findall(dev.err)) >= 20, "twenty deliveries")
        refused = place.run("send", "blockatm", "--order", "T-1", "--tamper", "body")
        assert refused.returncode == 0
        dev.until_says("refused 401  signature_wrong")
        assert dev.stop() == 0

    lines = [line for line in dev.err.splitlines() if DELIVERY.match(line)]
    (totals,) = re.findall(r"^(\d+) deliveries: (\d+) accepted.*\b1 refused", dev.err, re.MULTILINE)
    applied = dict(re.findall(r"(inventory|ledger|notifications) (\d+)", dev.err.split("|")[-1]))
    assert dev.log == []
    assert "Traceback" not in dev.err
    assert int(totals[1]) >= 20
    assert len(lines) >= int(totals[1])
    assert set(applied) == {"inventory", "ledger", "notifications"}
