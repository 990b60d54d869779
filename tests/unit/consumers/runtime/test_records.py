"""Records: recognized by checksum, and decoded or rejected without an exception."""

from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from consumers.runtime.records import Decoded, Record, TooNew, Undecodable, decode
from router.contract.wire import Headers, UndecodableRecord
from tests.parts.runtime.counting import PAYMENT_0, numbered, record

THERE = record(3, numbered(1)).record


def raw(value: bytes | None, headers: Headers = (), key: bytes | None = b"k") -> Record:
    return Record(PAYMENT_0, 3, 1003, key, value, headers)


@dataclass(frozen=True)
class Parcel:
    """A message that a reader of foreign records returns."""

    id: UUID
    fingerprint: str = "[]"


def parcel(value: bytes | None, _headers: Headers) -> Parcel:
    """Decode a parcel, which has only an id."""
    try:
        return Parcel(UUID((value or b"").decode()))
    except ValueError:
        message = "no parcel id"
        raise UndecodableRecord(message) from None


def test_an_event_is_decoded() -> None:
    assert decode(THERE) == Decoded(THERE, numbered(1))


@pytest.mark.parametrize(
    ("there", "problem"),
    [
        (raw(None), "no value"),
        (raw(b""), "the value is"),
        (raw(b'{"id": '), "the value is"),
        (raw(b"\xff\xfe"), "the value is"),
        (raw(b"{}"), "id"),
        (replace(THERE, headers=[("ce_dataschema", b"urn:other")]), "does not name a schema"),
        (replace(THERE, headers=[("ce_dataschema", b"\xff")]), "does not name a schema"),
    ],
)
def test_undecodable_record_has_its_problem(there: Record, problem: str) -> None:
    found = decode(there)
    assert isinstance(found, Undecodable)
    assert problem in found.problem


def test_record_of_a_later_major_version_is_not_undecodable() -> None:
    later = replace(THERE, headers=[("ce_dataschema", b"urn:payrouter:schema:event:2.0")])
    assert decode(later) == TooNew(later, "schema version 2.0, this reader supports 1.0")


def test_event_of_a_later_type_is_not_undecodable() -> None:
    assert THERE.value is not None
    value = THERE.value.replace(b'"payment.confirmed"', b'"payment.written_off"')
    later = replace(
        THERE, value=value, headers=[("ce_dataschema", b"urn:payrouter:schema:event:1.0")]
    )
    found = decode(later)
    assert found == TooNew(
        later, "event type payment.written_off, unknown to this reader of schema 1.0"
    )


def test_record_that_breaks_its_reader_is_undecodable_too() -> None:
    def broken(*_: object) -> Parcel:
        raise RecursionError

    assert decode(THERE, broken) == Undecodable(
        THERE, "RecursionError: raised while decoding the record"
    )


def test_neither_key_nor_value_nor_headers_are_shown() -> None:
    shown = repr(raw(b"secret", [("secret", b"secret")], b"secret"))
    assert "secret" not in shown


@pytest.mark.parametrize(
    "other",
    [
        raw(b"v2", [("h", b"1")]),
        raw(b"v", [("h", b"2")]),
        raw(b"v", [("g", b"1")]),
        raw(b"v", [("h", b"1"), ("h", b"1")]),
        raw(b"v", [("h1", b"")]),
        raw(b"v", [("h", b"1")], b"j"),
        raw(b"v", [("h", b"1")], None),
        raw(b"vh", [("", b"1")]),
        raw(None, [("h", b"1")]),
        raw(b"", [("h", b"1")]),
    ],
)
def test_checksum_distinguishes_records(other: Record) -> None:
    assert raw(b"v", [("h", b"1")]).crc != other.crc


def test_null_is_not_an_empty_value() -> None:
    assert raw(None).crc != raw(b"").crc


def test_checksum_ignores_offset_and_timestamp() -> None:
    assert replace(THERE, offset=9, timestamp=9).crc == THERE.crc


def test_separate_reader_decodes_foreign_records() -> None:
    known = UUID(int=5)
    theirs = replace(THERE, value=str(known).encode(), headers=())
    assert decode(theirs, parcel) == Decoded(theirs, Parcel(known))
    assert decode(THERE, parcel) == Undecodable(THERE, "UndecodableRecord: no parcel id")


@pytest.mark.parametrize("fingerprint", ['["\0"]', '["\ud800"]', "{}", "A-1"])
def test_unstorable_fingerprint_is_undecodable_and_not_a_store_failure(
    fingerprint: str,
) -> None:
    def careless(_value: bytes | None, _headers: Headers) -> Parcel:
        return Parcel(UUID(int=1), fingerprint)

    assert isinstance(decode(THERE, careless), Undecodable)
