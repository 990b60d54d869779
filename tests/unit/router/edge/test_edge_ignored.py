"""Events that the configuration lists to be ignored: answered, logged and counted, not stored."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from router.contract.quarantine import Quarantined
from router.edge.routes import Edge
from router.quarantine.explain import explain
from router.quarantine.reader import QuarantineEntry
from router.quarantine.replay import replay_verdict
from tests.parts.edge import asgi
from tests.parts.edge.edge_server import configuration
from tests.parts.providers.deliveries import hex_hmac
from tests.parts.providers.mapped import MAPPING, SECRET, sent

_EVENTS = {
    "paid": "payment.confirmed",
    "created": "ignore",
    "updated": {"type": "ignore", "only_if": {"draft": True}},
}
_AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def _edge(**events: object) -> Edge:
    values = configuration("127.0.0.1:1", "t.")
    values["endpoints"]["acme"] = {
        "provider": "generic_hmac",
        "account": "acme",
        "secrets": [SECRET],
        "mapping": {**MAPPING, "events": {**_EVENTS, **events}},
    }
    return asgi.edge_of(values)


async def _told(app: Edge, **members: object) -> tuple[asgi.RequestResult, dict[str, Any]]:
    structlog.reset_defaults()
    body = json.dumps({"id": "p1", "sum": "5", "coin": "EUR", **members}).encode()
    headers = [(b"x-signature", hex_hmac(SECRET.encode(), body).encode())]
    with capture_logs() as log:
        asked = await asgi.ask(app, "POST", b"/webhooks/acme", headers, body)
    (line,) = [dict(line) for line in log if line["event"] == "delivery"]
    return asked, line


def _counts(app: Edge) -> dict[str, float]:
    found = {
        sample.labels["event"]: sample.value
        for metric in app.metrics.ignored_events.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    return {event: count for event, count in found.items() if event in {"created", "updated"}}


async def test_listed_event_is_answered_named_and_counted_but_not_stored() -> None:
    app = _edge()

    for members in ({"what": "created"}, {"what": "created"}, {"what": "updated", "draft": True}):
        asked, line = await _told(app, **members)

        assert (asked.status, asked.body, asked.published) == (200, b"OK", ())
        assert (line["outcome"], line["reason"]) == ("ignored", "none")
        assert (line["detail"], line["events"]) == (members["what"], [])
    assert _counts(app) == {"created": 2, "updated": 1}
    assert app.metrics.deliveries.labels("acme", "generic_hmac", "ignored").value == 3


@pytest.mark.parametrize("members", [{"what": "deleted"}, {"what": "updated", "draft": False}])
async def test_event_that_is_not_listed_goes_to_quarantine(members: dict[str, object]) -> None:
    app = _edge()

    asked, line = await _told(app, **members)

    assert (asked.status, line["outcome"]) == (200, "quarantined")
    assert [record.topic for record in asked.published] == ["t.quarantine"]
    assert _counts(app) == {"created": 0, "updated": 0}


async def test_quarantined_event_that_is_listed_since_is_done_by_a_replay() -> None:
    asked, _ = await _told(_edge(), what="deleted")
    (record,) = asked.published
    entry = QuarantineEntry(Quarantined.model_validate_json(record.value))

    before = replay_verdict(entry, {"acme": _edge().gates["acme"].endpoint})
    after = replay_verdict(entry, {"acme": _edge(deleted="ignore").gates["acme"].endpoint})

    assert before.problem is not None
    assert (after.problem, after.events) == (None, ())


def test_explanation_names_an_event_to_ignore() -> None:
    endpoint = _edge().gates["acme"].endpoint
    target = "/webhooks/acme"
    signed = replace(sent({"what": "created"}), endpoint="acme", account="acme", target=target)

    told = explain(signed, endpoint, _AT, None)

    assert told.verified
    assert told.steps[-1].found == "none, the configuration ignores created"


def test_new_list_of_a_reloaded_configuration_is_counted_too() -> None:
    app = _edge()

    app.metrics.follow([gate.endpoint for gate in _edge(deleted="ignore").gates.values()])
    app.metrics.of("acme").ignored("deleted")

    assert app.metrics.ignored_events.labels("acme", "deleted").value == 1
