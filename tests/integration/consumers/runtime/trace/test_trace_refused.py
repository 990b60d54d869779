"""`payrouter trace` finds refused deliveries by their stored bytes and always names them."""

import base64
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.ledger.service import SERVICE as LEDGER
from consumers.runtime.store.migrate import upgrade
from router.contract.refused import Refused
from router.contract.topics import Topics
from router.contract.wire import encode_refused
from tests.parts.brokers import create_topics
from tests.parts.contract.events import event
from tests.parts.runtime.commands import Payrouter, install_only
from tests.parts.runtime.counting import SERVICE as COUNTING
from tests.parts.runtime.counting import TRACE
from tests.parts.runtime.members import Feed
from tests.parts.runtime.tracing import booked, told, traced

_RECEIVED = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_ID = uuid.UUID("6cb2d56f-233b-4534-95af-5f0a6c5c475f")
_ADVICE = (
    f"a delivery of shop was refused (signature_wrong): payrouter verify blockatm --refused {_ID}"
)


@pytest.fixture
async def feed(feed: Feed) -> Feed:
    """Yield the feed, with the tables of the ledger and of the counting consumer."""
    await upgrade(feed.engine, LEDGER)
    return feed


@pytest.fixture
def payrouter(payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch) -> Payrouter:
    """Yield the command with the ledger as its only consumer."""
    install_only(monkeypatch, LEDGER)
    return payrouter


async def _refused(feed: Feed, *raws: dict[str, Any], id_: uuid.UUID = _ID) -> None:
    """Publish samples of refused deliveries; all except the last get another id."""
    topic = Topics(feed.prefix).refused
    await create_topics(feed.broker.bootstrap, [topic])
    for number, raw in enumerate(raws):
        own = {"method": "POST", "target": "/webhooks/shop", "headers": [], "body": ""}
        sample = Refused.model_validate(
            {
                "id": id_ if raw is raws[-1] else uuid.UUID(int=number),
                "reason": "signature_wrong",
                "detail": "none of 1 keys made this signature",
                "provider": "blockatm",
                "endpoint": "shop",
                "account": "shop-eu",
                "source": "203.0.113.7",
                "received_at": _RECEIVED.replace(minute=number),
                "raw": {**own, "body_encoding": "utf-8", **raw},
                "masked": False,
                "truncated": False,
                "body_bytes": 1,
                "body_sha256": "00",
            }
        )
        out = encode_refused(sample, topic, TRACE)
        await feed.producer.send_and_wait(topic, out.value, out.key, partition=0)


async def test_a_refused_delivery_is_found_by_the_order_in_its_body(
    feed: Feed, payrouter: Payrouter
) -> None:
    await _refused(feed, {"body": '{"orderNo":"A-10"}'}, {"body": '{"orderNo":"A-1"}'})

    found = await traced(payrouter, "A-1")

    (line,) = found["lines"]
    assert (line["group"], line["what"], line["trouble"]) == ("deliveries", "refused", True)
    assert line["facts"]["source"] == "203.0.113.7"
    assert line["facts"]["offset"] == f"{feed.prefix}refused-0@1"
    assert (found["verdict"], found["trouble"]) == (_ADVICE, True)
    assert found["searched"] == "ledger, and 0 records on quarantine, 2 refused"
    assert (await traced(payrouter, str(_ID)))["lines"] == found["lines"]
    assert not (await traced(payrouter, "A-1", "--account", "shop-us", status=1))["found"]


@pytest.mark.parametrize(
    "raw",
    [
        {"method": "GET", "target": "/webhooks/shop/{token}?order_id=A-1&pending=0"},
        {
            "body": base64.b64encode(b'\xff{"orderNo":"A-1"').decode(),
            "body_encoding": "base64",
        },
    ],
)
async def test_query_and_binary_body_are_searched(
    feed: Feed, payrouter: Payrouter, raw: dict[str, Any]
) -> None:
    await _refused(feed, raw)

    assert (await traced(payrouter, "A-1"))["verdict"] == _ADVICE


async def test_booked_order_with_a_refused_delivery_needs_action(
    feed: Feed, payrouter: Payrouter
) -> None:
    await booked(feed, event())
    await _refused(feed, {"body": "A-1"}, {"body": "A-1"})

    found = await traced(payrouter, "A-1")

    assert ("deliveries", "refused") in told(found["lines"])
    assert found["verdict"] == (
        "payment.confirmed of 2000.00 USDT, in the books, last as transaction 1, but"
        f" {_ADVICE} (and 1 more)"
    )
    assert found["trouble"]


async def test_other_problems_come_before_the_refused_delivery(
    feed: Feed, payrouter: Payrouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_only(monkeypatch, LEDGER, COUNTING)
    await booked(feed, event())
    await _refused(feed, {"body": "A-1"})

    found = await traced(payrouter, "A-1")

    assert found["verdict"] == (
        f"not received by counting yet: payrouter offsets show counting; {_ADVICE}"
    )


async def test_screen_shows_the_sender_and_the_command(feed: Feed, payrouter: Payrouter) -> None:
    await _refused(feed, {"body": "A-1"})

    said = await payrouter("trace", "A-1")

    assert said.status == 0
    assert "source 203.0.113.7" in said.out
    assert said.out.splitlines()[-1] == _ADVICE


async def test_only_the_newest_refused_deliveries_are_read(
    feed: Feed, payrouter: Payrouter
) -> None:
    await _refused(feed, {"body": "A-1"}, {"body": "A-2"}, {"body": "A-2"})

    found = await traced(payrouter, "A-1", "--quarantine-limit", "2", status=1)

    assert found["notes"] == ["of the refused deliveries, the newest 2 of each partition were read"]
