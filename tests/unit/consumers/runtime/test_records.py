"""A record as it came: known again by its checksum, and decoded or not without an exception."""

from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from consumers.runtime.records import Decoded, Record, TooNew, Unreadable, decode
from router.contract.wire import Headers, UndecodableRecord
from tests.parts.runtime.counting import PAYMENT_0, numbered, record

THERE = record(3, numbered(1)).record


def raw(value: bytes | None, headers: Headers = (), key: bytes | None = b"k") -> Record:
    return Record(PAYMENT_0, 3, 1003, key, value, headers)


@dataclass(frozen=True)
class Parcel:
    """What a reader of others' records may find."""

    id: UUID
    fingerprint: str = "[]"


def parcel(value: bytes | None, _headers: Headers) -> Parcel:
    """Read a parcel by its id alone."""
    try:
        return Parcel(UUID((value or b"").decode()))
    except ValueError:
        message = "no id of a parcel"
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
        (replace(THERE, headers=[("ce_dataschema", b"urn:other")]), "names no schema"),
        (replace(THERE, headers=[("ce_dataschema", b"\xff")]), "names no schema"),
    ],
)
def test_a_record_that_is_no_event_says_why(there: Record, problem: str) -> None:
    found = decode(there)
    assert isinstance(found, Unreadable)
    assert problem in found.problem


def test_a_record_of_a_later_major_version_is_not_unreadable() -> None:
    later = replace(THERE, headers=[("ce_dataschema", b"urn:payrouter:schema:event:2.0")])
    assert decode(later) == TooNew(later, "schema version 2.0, this reader knows 1.0")


def test_a_record_that_breaks_its_reader_is_unreadable_too() -> None:
    def broken(*_: object) -> Parcel:
        raise RecursionError

    assert decode(THERE, broken) == Unreadable(THERE, "RecursionError: raised while it was read")


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
def test_the_checksum_tells_records_apart(other: Record) -> None:
    assert raw(b"v", [("h", b"1")]).crc != other.crc


def test_a_null_is_not_an_empty_value() -> None:
    assert raw(None).crc != raw(b"").crc


def test_the_checksum_leaves_offset_and_timestamp_out() -> None:
    assert replace(THERE, offset=9, timestamp=9).crc == THERE.crc


def test_a_reader_of_its_own_reads_what_is_no_event() -> None:
    known = UUID(int=5)
    theirs = replace(THERE, value=str(known).encode(), headers=())
    assert decode(theirs, parcel) == Decoded(theirs, Parcel(known))
    assert decode(THERE, parcel) == Unreadable(THERE, "UndecodableRecord: no id of a parcel")


@pytest.mark.parametrize("fingerprint", ['["\0"]', '["\ud800"]', "{}", "A-1"])
def test_what_could_not_be_claimed_is_unreadable_and_not_a_failure_of_the_store(
    fingerprint: str,
) -> None:
    def careless(_value: bytes | None, _headers: Headers) -> Parcel:
        return Parcel(UUID(int=1), fingerprint)

    assert isinstance(decode(THERE, careless), Unreadable)
