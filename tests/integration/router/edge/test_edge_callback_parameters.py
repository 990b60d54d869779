"""BlockBee's calls of a URL with the merchant's own parameters, from HTTP to Kafka."""

import json
from typing import Any

from router.delivery import Delivery
from tests.parts.brokers import Broker
from tests.parts.edge.edge_server import ONE_BROKER, RunningEdge, make_topics, running_edge
from tests.parts.edge.raw_http import Answer, exchange, request
from tests.parts.providers.blockbee_deliveries import (
    CONFIRMED,
    ORIGIN,
    SECRETS,
    TOKEN,
    changed,
    got,
    public_pem,
)


def _configured(bootstrap: str, prefix: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    bee = {
        "provider": "blockbee",
        "account": "shop-eu",
        "token": TOKEN,
        "public_keys": [public_pem()],
        "secrets": [SECRETS[0].secret.decode()],
        "deadline_seconds": 20,
        **options,
    }
    return {
        "endpoints": {"bee": bee},
        "edge": {"public_url": ORIGIN, "port": 0, "management_port": 0, "stale_per_minute": 2},
        "kafka": {"bootstrap_servers": bootstrap},
        "topics": {"prefix": prefix, **ONE_BROKER},
    }


async def _called(edge: RunningEdge, delivery: Delivery) -> Answer:
    target = delivery.target.replace("{token}", TOKEN, 1)
    return await exchange(edge.port, request(target, list(delivery.headers), None, "GET"))


async def test_parameter_named_like_a_blockbee_field_never_loses_a_payment(
    broker: Broker, topics_prefix: str
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)
    async with running_edge(_configured(broker.bootstrap, topics_prefix)) as edge:
        await edge.until_ready()
        same = await _called(edge, got(CONFIRMED, "coin=btc&user=7"))
        other = [
            await _called(edge, got(CONFIRMED, query))
            for query in ("coin=gold", "uuid=7", "value_coin=1")
        ]
        records, counted = await edge.records(), await edge.reasons()

    assert {(one.status, one.body) for one in (same, *other)} == {(200, b"*ok*")}
    topics = sorted(record.topic.removeprefix(topics_prefix) for record in records)
    assert topics == ["payment", *["quarantine"] * 3]
    assert counted["blockbee", "quarantined", "ambiguous"] == 3
    kept = [json.loads(one.value) for one in records if one.topic.endswith("quarantine")]
    assert sorted(one["detail"].partition(":")[0] for one in kept) == ["coin", "uuid", "value_coin"]


async def test_other_merchants_deliveries_are_stored_up_to_a_limit_and_refused_beyond(
    broker: Broker, topics_prefix: str
) -> None:
    await make_topics(broker.bootstrap, topics_prefix)
    values = _configured(broker.bootstrap, topics_prefix, expected_addresses=["ours"])
    async with running_edge(values) as edge:
        await edge.until_ready()
        strangers = [got(changed(CONFIRMED, uuid=f"u{number}")) for number in range(4)]
        answers = [(await _called(edge, delivery)).status for delivery in strangers]
        again = await _called(edge, strangers[0])
        ours = await _called(edge, got(changed(CONFIRMED, address_in="ours")))
        records, counted = await edge.records(), await edge.reasons()

    assert answers == [200, 200, 401, 401]
    assert (again.status, ours.status) == (200, 200)
    topics = sorted(record.topic.removeprefix(topics_prefix) for record in records)
    assert topics == ["payment", "quarantine", "quarantine"]
    assert counted["blockbee", "quarantined", "not_ours"] == 3
    assert counted["blockbee", "refused", "not_ours"] == 2
