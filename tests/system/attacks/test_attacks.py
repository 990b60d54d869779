"""Each attack in a short form: genuine deliveries get in, and no resource grows without bound.

Bounded are memory, descriptors and the bytes that one connection can send. Latency is not
asserted here: `make attacks` reports it.
"""

import sys

import pytest

from tests.parts.attacks.catalogue import catalogue
from tests.parts.attacks.measure import Plan, measure
from tests.parts.attacks.report import GROWTH_MIB, SHARE, TAKEN_MIB
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import make_topics

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs all of 127.0.0.0/8 and /proc"
)

# Generous deadlines: a slow machine must not fail a test, a lost delivery must.
_PLAN = Plan(
    seconds=2,
    quiet_seconds=0,
    lead_seconds=0.5,
    after_seconds=0,
    deadline_seconds=20,
    patience_seconds=25,
    pinned=False,
)

_SHORT = (
    "slow_bodies",
    "idle_connections",
    "endless_trailer",
    "forged_flood",
    "forged_large",
    "scrapes",
    "drippers",
    "tls_256_files",
    "unread_answers",
    "pipelined_upgrades",
)


@pytest.mark.parametrize("name", _SHORT)
async def test_genuine_deliveries_are_accepted_during_an_attack(
    name: str, broker: Broker, topics_prefix: str
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)

    result = await measure(name, broker, topics_prefix, _PLAN)

    assert result.alive
    assert result.attacker.get("opened", 0) > 0
    assert result.attacked.share >= SHARE, result.attacked.statuses
    assert result.footprint.growth < GROWTH_MIB, result.footprint
    assert result.taken_mib < TAKEN_MIB, result.attacker
    limit = catalogue()[name].descriptors
    assert limit is None or result.footprint.descriptors < limit
