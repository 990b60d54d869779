"""Encodes and decodes Kafka records: CloudEvents 1.0, Kafka binding, binary mode."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

import msgspec
from pydantic import BaseModel, ValidationError

from router.contract.event import Event, EventType, Raw, event_id
from router.contract.fast.decoding import read_event
from router.contract.identity import OPERATOR
from router.contract.order import Order
from router.contract.outcome import OutcomeEvent, OutcomeFacts
from router.contract.quarantine import Quarantined, Replayed
from router.contract.refused import Refused, Request
from router.contract.registry_frame import UnreadableFrame, unframed
from router.contract.strict_json import JsonValue, StrictJsonError, parse_object

SCHEMA_VERSION = "1.0"
"""Version of the event schema. Additions raise the minor version, other changes the major."""

_SCHEMA = re.compile(r"urn:payrouter:schema:([a-z]+):(\d{1,9})\.(\d{1,9})")
_TYPES = frozenset(EventType)
_TYPE = re.compile(r"[a-z]{1,40}\.[a-z_]{1,40}")
_MAJOR = int(SCHEMA_VERSION.partition(".")[0])

_REPLAYED = "quarantine.replayed"
_OUTCOME_SCHEMA = f"urn:payrouter:schema:outcome:{SCHEMA_VERSION}".encode()
_EVENT_SCHEMA = f"urn:payrouter:schema:event:{SCHEMA_VERSION}".encode()
_SCHEMAS = 64
"""Schema headers that are remembered."""

_ACCOUNTS = 1024
"""Accounts whose `ce_source` is remembered."""

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka record headers, in order; a value may be null."""


class UndecodableRecord(Exception):  # noqa: N818 - names the state
    """The record is not an event; retrying cannot help."""


class ReaderOutdated(Exception):  # noqa: N818 - names the state
    """The record is of a later version of payrouter: the reader has to be upgraded first."""


class UnknownMajorVersion(ReaderOutdated):
    """The record has a later major version of its schema."""


class UnknownEventType(ReaderOutdated):
    """The record is an event of our schema, of a type that a later version added."""


@dataclass(frozen=True)
class OutgoingRecord:
    """A record to write; `topic` is the full name on the broker."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def encode_event(event: Event, topic: str, traceparent: str) -> OutgoingRecord:
    """Encode an event as a record for `topic`."""
    return OutgoingRecord(topic, event.key, _json(event), event_headers(event, traceparent))


def event_headers(event: Event, traceparent: str) -> Sequence[tuple[str, bytes]]:
    """Return the headers of an event's record."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_source", _source(event.provider, event.account)),
        ("ce_id", str(event.id).encode()),
        ("ce_type", event.type.encode()),
        ("ce_subject", (event.reference or event.provider_reference or "").encode()),
        ("ce_time", event.moment.isoformat().encode()),
        ("ce_dataschema", _EVENT_SCHEMA),
        ("content-type", b"application/json"),
        ("traceparent", traceparent.encode()),
    ]


@lru_cache(maxsize=_ACCOUNTS)
def _source(provider: str, account: str) -> bytes:
    return f"/payrouter/{quote(provider)}/{quote(account)}".encode()


def encode_quarantined(kept: Quarantined, topic: str, traceparent: str) -> OutgoingRecord:
    """Encode a quarantined delivery as a record for `topic`."""
    attributes = {
        "ce_id": str(kept.id),
        "ce_type": f"quarantine.{kept.reason}",
        "ce_subject": kept.endpoint,
        "ce_time": kept.received_at.isoformat(),
        "ce_dataschema": f"urn:payrouter:schema:quarantined:{SCHEMA_VERSION}",
    }
    return _record(kept, topic, attributes, traceparent)


def encode_replayed(replayed: Replayed, topic: str, traceparent: str) -> OutgoingRecord:
    """Encode the replay of a quarantined delivery as a record for `topic`."""
    attributes = {
        "ce_id": str(event_id(_REPLAYED, str(replayed.quarantined), replayed.at.isoformat())),
        "ce_type": _REPLAYED,
        "ce_subject": replayed.endpoint,
        "ce_time": replayed.at.isoformat(),
        "ce_dataschema": f"urn:payrouter:schema:replayed:{SCHEMA_VERSION}",
    }
    return _record(replayed, topic, attributes, traceparent)


def encode_refused(refused: Refused, topic: str, traceparent: str) -> OutgoingRecord:
    """Encode a sample of a refused delivery as a record for `topic`."""
    attributes = {
        "ce_id": str(refused.id),
        "ce_type": f"refused.{refused.reason}",
        "ce_subject": refused.endpoint,
        "ce_time": refused.received_at.isoformat(),
        "ce_dataschema": f"urn:payrouter:schema:refused:{SCHEMA_VERSION}",
    }
    return _record(refused, topic, attributes, traceparent)


def encode_outcome(outcome: OutcomeEvent | OutcomeFacts, topic: str) -> OutgoingRecord:
    """Encode an outcome as a record for `topic`."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", str(outcome.id).encode()),
        ("ce_source", _outcome_source(outcome.type, outcome.account)),
        ("ce_type", outcome.type.encode()),
        ("ce_subject", (outcome.reference or outcome.provider_reference or "").encode()),
        ("ce_time", outcome.at.isoformat().encode()),
        ("ce_dataschema", _OUTCOME_SCHEMA),
        ("content-type", b"application/json"),
    ]
    return OutgoingRecord(topic, outcome.key, _outcome_json(outcome), headers)


@lru_cache(maxsize=1024)
def _outcome_source(word: str, account: str) -> bytes:
    return f"/payrouter/{quote(word.partition('.')[0])}/{quote(account)}".encode()


def _outcome_json(outcome: OutcomeEvent | OutcomeFacts) -> bytes:
    """Encode an outcome like `_json`, in less time."""
    if isinstance(outcome, OutcomeFacts):
        return msgspec.json.encode(outcome)
    try:
        return msgspec.json.encode(vars(outcome))
    except (TypeError, ValueError, OverflowError):
        # A whole number of more than 64 bits, for example.
        return _json(outcome)


def encode_order(order: Order, topic: str) -> OutgoingRecord:
    """Encode an order in our own schema, as a record for `topic`."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": str(order.id),
        "ce_source": f"/payrouter/{_author(order)}/{quote(order.account)}",
        "ce_type": order.type.value,
        "ce_subject": order.reference,
        **({"ce_time": order.at.isoformat()} if order.at else {}),
        "ce_dataschema": f"urn:payrouter:schema:order:{SCHEMA_VERSION}",
        "content-type": "application/json",
    }
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return OutgoingRecord(topic, order.key, _json(order), pairs)


def _author(order: Order) -> str:
    return "platform" if order.decided is None else OPERATOR


def decode_event(value: bytes | None, headers: Headers) -> Event:
    """Decode an event from a record's value and headers.

    Raises ReaderOutdated if the schema header names a later major version, or our event
    schema while the type is unknown. Raises UndecodableRecord for any other record that is
    not an event. The error messages never contain the record.
    """
    schema = _check_version(headers)
    payload = read_payload(value)
    plain = read_event(payload)
    if plain is not None:
        return plain
    document = _object(payload)
    if schema == "event":
        _check_type(document.get("type"))
    try:
        return Event.model_validate(document)
    except ValidationError as error:
        raise UndecodableRecord(first_problem(error)) from None


def read_object(value: bytes | None) -> Mapping[str, JsonValue]:
    """Parse the JSON object in a record's value, without a schema registry's frame if it has one.

    Raises UndecodableRecord.
    """
    return _object(read_payload(value))


def _object(payload: bytes) -> Mapping[str, JsonValue]:
    try:
        return parse_object(payload)
    except StrictJsonError as error:
        message = f"the value is {error}"
        raise UndecodableRecord(message) from None


def read_payload(value: bytes | None) -> bytes:
    """Return a record's value without a schema registry's frame; raises UndecodableRecord."""
    if value is None:
        message = "the record has no value"
        raise UndecodableRecord(message)
    try:
        return unframed(value)
    except UnreadableFrame as error:
        message = f"the value is {error}"
        raise UndecodableRecord(message) from None


def decode_quarantine(value: bytes | None, headers: Headers) -> Quarantined | Replayed:
    """Decode a record of the quarantine topic; raises like `decode_event`."""
    _check_version(headers)
    replayed = dict(headers).get("ce_type") == _REPLAYED.encode()
    model: type[Quarantined | Replayed] = Replayed if replayed else Quarantined
    try:
        kept = model.model_validate_json(read_payload(value))
    except ValidationError as error:
        raise UndecodableRecord(first_problem(error)) from None
    if isinstance(kept, Quarantined):
        _check_bytes(kept.raw)
    return kept


def decode_refused(value: bytes | None, headers: Headers) -> Refused:
    """Decode a record of the topic `refused`; raises like `decode_event`."""
    _check_version(headers)
    try:
        refused = Refused.model_validate_json(read_payload(value))
    except ValidationError as error:
        raise UndecodableRecord(first_problem(error)) from None
    _check_bytes(refused.raw)
    return refused


def first_problem(error: ValidationError) -> str:
    """Return the first invalid field and its rule, without the input."""
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def _record(
    content: Quarantined | Replayed | Refused,
    topic: str,
    attributes: dict[str, str],
    traceparent: str,
) -> OutgoingRecord:
    headers = {
        "ce_specversion": "1.0",
        "ce_source": f"/payrouter/{quote(content.provider)}/{quote(content.account)}",
        **attributes,
        "content-type": "application/json",
        "traceparent": traceparent,
    }
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return OutgoingRecord(topic, content.key, _json(content), pairs)


def _json(content: BaseModel) -> bytes:
    document = content.model_dump(mode="json")
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _check_bytes(raw: Raw | Request) -> None:
    """Raise UndecodableRecord if target or body cannot be converted back to bytes."""
    try:
        raw.target.encode("latin-1")
        if raw.body_encoding == "base64":
            base64.b64decode(raw.body)
    except ValueError as error:
        message = f"raw: target or body cannot be decoded: {type(error).__name__}"
        raise UndecodableRecord(message) from None


def _check_version(headers: Headers) -> str | None:
    """Return the name of the schema, None without a schema header."""
    text = dict(headers).get("ce_dataschema")
    # Other producers may omit it; then only the value is validated.
    return None if text is None else _schema_of(text)


@lru_cache(maxsize=_SCHEMAS)
def _schema_of(text: bytes) -> str:
    """Return the name of a schema that this reader supports."""
    match = _SCHEMA.fullmatch(text.decode("utf-8", "replace"))
    if match is None:
        message = "ce_dataschema does not name a schema of payrouter"
        raise UndecodableRecord(message)
    _check_major(match)
    return match[1]


def _check_type(word: JsonValue) -> None:
    """Raise UnknownEventType for a type that only a later version can have written."""
    if isinstance(word, str) and word not in _TYPES and _TYPE.fullmatch(word) is not None:
        message = f"event type {word}, unknown to this reader of schema {SCHEMA_VERSION}"
        raise UnknownEventType(message)


def check_schema_version(headers: Headers, name: str) -> None:
    """Raise UnknownMajorVersion if the record has a later major version of our schema `name`.

    Other schemas are not checked.
    """
    text = dict(headers).get("ce_dataschema") or b""
    match = _SCHEMA.fullmatch(text.decode("utf-8", "replace"))
    if match is not None and match[0].startswith(f"urn:payrouter:schema:{name}:"):
        _check_major(match)


def _check_major(match: re.Match[str]) -> None:
    if int(match[2]) > _MAJOR:
        message = f"schema version {match[2]}.{match[3]}, this reader supports {SCHEMA_VERSION}"
        raise UnknownMajorVersion(message)
