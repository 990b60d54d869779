"""Handlers of the page: one delivery in detail."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consumers.console.access.viewer import Role
from consumers.console.pages.deliveries.broker import asked_broker
from consumers.console.pages.deliveries.explaining import shown_verification
from consumers.console.pages.deliveries.links import replay_path, topic_of
from consumers.console.pages.deliveries.one import StoredDelivery, read_delivery
from consumers.console.pages.deliveries.seen import DeliveryOutcome, RecordPlace
from consumers.console.web.answers import Html, PageAnswer
from consumers.console.web.problems import NotThere
from consumers.console.web.visit import ConsoleVisit
from router.contract.amounts import amount_text
from router.contract.event import Event, Raw
from router.contract.refused import Request
from router.terminal.typed import typed


@dataclass(frozen=True)
class RawParts:
    """A request as it is shown: `body` is text; `encoded` if it is base64 of other bytes."""

    request: str
    headers: Sequence[tuple[str, str]]
    body: str
    encoded: bool


async def one(visit: ConsoleVisit) -> PageAnswer:
    """Show one delivery: what it is, how it was verified, its bytes."""
    topics = visit.sources.settings.topics.topics()
    topic = topic_of(topics, visit.part("topic"))
    if topic is None:
        raise NotThere
    place = RecordPlace(topic, visit.number("partition"), visit.number("offset"))
    async with asked_broker(visit) as kafka:
        found = await read_delivery(kafka, topics, place)
    allowed = visit.viewer.accounts
    if found is None or (allowed is not None and found.row.account not in allowed):
        raise NotThere
    raw = found.kept.raw
    values = {
        "found": found,
        "row": found.row,
        "verification": shown_verification(visit, found),
        "raw": raw_parts(raw) if raw is not None and visit.viewer.personal else None,
        "has_raw": raw is not None,
        "replay": _replay(visit, found),
        "facts": event_facts(visit, found.kept) if isinstance(found.kept, Event) else {},
    }
    return Html("deliveries/one.html", values, _command(found))


def _replay(visit: ConsoleVisit, found: StoredDelivery) -> str:
    row = found.row
    quarantined = row.outcome is DeliveryOutcome.QUARANTINED and row.replayed is None
    may = visit.may_act(Role.OPERATOR, row.account)
    return replay_path(id=str(row.id)) if quarantined and may else ""


def _command(found: StoredDelivery) -> str:
    row = found.row
    if row.outcome is DeliveryOutcome.REFUSED:
        return typed("payrouter verify", [row.provider], {"--refused": str(row.id)})
    if row.outcome is DeliveryOutcome.QUARANTINED:
        return typed("payrouter quarantine show", [str(row.id)])
    assert isinstance(found.kept, Event)  # noqa: S101 - the only other outcome
    return typed("payrouter trace", [str(row.id)])


def event_facts(visit: ConsoleVisit, event: Event) -> Mapping[str, str]:
    """Return what an event reports, by the name of its field; data about customers masked."""
    amount = None if event.amount is None else f"{amount_text(event.amount)} {event.currency}"
    facts = {
        "amount": amount,
        "network": event.network,
        "tx_hash": event.tx_hash,
        "provider_reference": event.provider_reference,
        "from_address": visit.personal(event.from_address),
        "to_address": visit.personal(event.to_address),
        "customer.id": visit.personal(event.customer.id),
        "customer.email": visit.personal(event.customer.email),
        "test": None if event.test is None else str(event.test).lower(),
        "unread": ", ".join(event.unread),
    }
    return {name: fact for name, fact in facts.items() if fact}


def raw_parts(raw: Raw | Request) -> RawParts:
    """Return a stored request for people: text if it is text, base64 otherwise."""
    headers = list(raw.headers.items()) if isinstance(raw, Raw) else list(raw.headers)
    body, encoded = raw.body, False
    if raw.body_encoding == "base64":
        encoded = True
        try:
            text = base64.b64decode(raw.body, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        if text and all(each.isprintable() or each in "\r\n\t" for each in text):
            body, encoded = text, False
    return RawParts(f"{raw.method} {raw.target}", headers, body, encoded)
