"""docs/gateways/mapping.md: its tables match the code, and its examples are executed."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args

import pytest
import structlog
from structlog.testing import capture_logs

from router.contract.event import EventType
from router.contract.wire import decode_event
from router.edge.routes import Edge
from router.errors import Reason
from router.providers import Simulation
from router.providers._mapping.model import BodyMapping
from router.providers._mapping.rows import EventRow, FieldPaths, Fixed
from router.providers._signing import TimeUnit
from router.quarantine.captured import Captured, read_captured
from tests.parts.edge import asgi
from tests.parts.edge.edge_server import HeldClock, configuration
from tests.parts.providers.deliveries import facts
from tests.parts.source import ROOT

_PAGE = (ROOT / "docs" / "gateways" / "mapping.md").read_text(encoding="utf-8")
_LANGUAGE, _, _EXAMPLES = _PAGE.partition("\n## Worked examples\n")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_SECRETS = {
    "generic_hmac": "example-secret-0123456789",
    "standard_webhooks": "whsec_ZXhhbXBsZS1zZWNyZXQtb2YtMjQtYnl0ZXMtbG9uZw==",
}


@dataclass(frozen=True)
class _Shown:
    """A delivery of the page, and its outcome as shown."""

    gateway: str
    request: Captured
    kind: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.gateway}: {self.outcome[:60].splitlines()[0]}"


def _sections() -> Mapping[str, Sequence[tuple[str, str]]]:
    title, *rest = re.split(r"^### (.+)$", _EXAMPLES, flags=re.MULTILINE)
    assert "### " not in title
    return {name: _BLOCK.findall(text) for name, text in zip(rest[::2], rest[1::2], strict=True)}


def _shown() -> Iterator[_Shown]:
    for name, ((first, _), *pairs) in _sections().items():
        assert first == "toml"
        for (http, request), (kind, outcome) in zip(pairs[::2], pairs[1::2], strict=True):
            assert http == "http"
            body_ends = request.removesuffix("\n").encode()
            yield _Shown(name, read_captured(body_ends), kind, outcome)


@cache
def _edge(gateway: str) -> Edge:
    ((_, text), *_) = _sections()[gateway]
    tables: dict[str, Any] = tomllib.loads(text)["endpoints"]
    for table in tables.values():
        del table["secret_files"]
        table["secrets"] = [_SECRETS[table["provider"]]]
    values = {**configuration("127.0.0.1:1", "t."), "endpoints": tables}
    return asgi.edge_of(values, HeldClock(_AT))


async def _posted(shown: _Shown) -> tuple[asgi.RequestResult, dict[str, Any]]:
    structlog.reset_defaults()
    request = shown.request
    headers = [(name.encode(), value.encode()) for name, value in request.headers]
    with capture_logs() as log:
        app = _edge(shown.gateway)
        asked = await asgi.ask(app, "POST", request.target.encode(), headers, request.body)
    (line,) = [dict(line) for line in log if line["event"] == "delivery"]
    return asked, line


def _as_shown(asked: asgi.RequestResult) -> dict[str, Any]:
    (record,) = asked.published
    event = decode_event(record.value, record.headers)
    customer = event.customer.model_dump()
    found = facts(event) | ({"customer": customer} if any(customer.values()) else {})
    written: dict[str, Any] = json.loads(event.model_dump_json(include=set(found)))
    return written


@pytest.mark.parametrize("shown", list(_shown()), ids=str)
async def test_delivery_of_the_page_has_the_outcome_of_the_page(shown: _Shown) -> None:
    asked, line = await _posted(shown)

    assert asked.status == 200
    if shown.kind == "json":
        assert line["outcome"] == "accepted"
        assert _as_shown(asked) == json.loads(shown.outcome)
    elif line["outcome"] == "ignored":
        assert shown.outcome == f"ignored: {line['detail']}\n"
        assert asked.published == ()
    else:
        assert shown.outcome == f"quarantined: {line['reason']}, {line['detail']}\n"
        assert [record.topic for record in asked.published] == ["t.quarantine"]


@pytest.mark.parametrize("shown", list(_shown()), ids=str)
async def test_delivery_of_the_page_with_another_body_is_refused(shown: _Shown) -> None:
    request = shown.request
    forged = replace(request, body=request.body.replace(b"1", b"2", 1))

    asked, line = await _posted(replace(shown, request=forged))

    assert (asked.status, asked.published) == (401, ())
    assert line["reason"] == Reason.SIGNATURE_WRONG.value


@pytest.mark.parametrize("gateway", list(_sections()))
def test_every_mapping_of_the_page_can_be_simulated(gateway: str) -> None:
    (gate,) = _edge(gateway).gates.values()
    provider, keys = gate.endpoint.provider, gate.endpoint.keys
    kinds = [(kind, status) for kind, found in provider.kinds.items() for status in found]

    assert len(kinds) >= 2
    for kind, status in kinds:
        wanted = Simulation(kind, status, "A-1", "12.50", "EUR", 7, _AT)
        made = provider.simulate(wanted, keys[0], gate.endpoint.target)
        (event,) = provider.normalize(provider.verify(made, keys))
        assert event.type is EventType(f"{kind}.{status}")
        assert (
            event.movement_amount
            or event.amount
            or status
            in {
                "pending",
                "failed",
                "cancelled",
                "expired",
            }
        )


def test_there_are_at_least_six_examples_and_each_shows_an_event() -> None:
    shown = list(_shown())

    assert len(_sections()) >= 6
    assert {each.gateway for each in shown if each.kind == "json"} == set(_sections())
    assert any(each.outcome.startswith("ignored: ") for each in shown)
    assert any(each.outcome.startswith("quarantined: ") for each in shown)


def _table(heading: str) -> set[str]:
    """Return the words in code in the first column of the first table under a heading."""
    section = _LANGUAGE.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {word for row in rows for word in re.findall(r"`([\w-]+)`", row.split("|")[1])}


def test_tables_of_the_page_name_every_key() -> None:
    keys = set(BodyMapping.model_fields) | set(EventRow.model_fields) | set(FieldPaths.model_fields)
    units = {unit for unit in get_args(TimeUnit) if isinstance(unit, str)}

    assert keys - _table("## Keys of `mapping`") - {"event_header"} == set()
    assert _table("## Keys of `mapping`") - keys == units
    assert "`event_header`" in _LANGUAGE
    for name in Fixed.model_fields:
        assert f"`{name}`" in _LANGUAGE
    (types,) = [line for line in _LANGUAGE.splitlines() if line.startswith("| `type` ")]
    for happened in EventType:
        assert f"`{happened.status}`" in types
        assert f"`{happened.family}.`" in types
