"""Reads a file of operations; an error names the line and the field."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from consumers.ledger.dates import AHEAD, OLDEST
from consumers.ledger.transfers.operations_file import (
    VERSION,
    OperationsEnd,
    OperationsEntry,
    OperationsHeader,
    OperationsLine,
    TransferLine,
)
from router.terminal.exits import CommandError


class NumberedEntry(NamedTuple):
    """An entry with the number of its line, from 1."""

    line: int
    entry: OperationsEntry


class LineProblem(Exception):  # noqa: N818 - named for what it is
    """A line that cannot be imported: its number, and what is wrong with which field."""

    def __init__(self, line: int, what: str) -> None:
        """Name the line, from 1."""
        super().__init__(f"line {line}: {what}")


def read_entries(file: Path) -> Sequence[NumberedEntry]:
    """Return the entries of a complete file. Raises CommandError otherwise."""
    try:
        return _entries(file.read_bytes().splitlines())
    except LineProblem as problem:
        message = f"{file}: {problem}"
        raise CommandError(message) from None


def _entries(lines: Sequence[bytes]) -> Sequence[NumberedEntry]:
    adapter: TypeAdapter[OperationsHeader | OperationsEntry | OperationsEnd] = TypeAdapter(
        OperationsLine
    )
    _check_header(_parsed(adapter, 1, lines[0]) if lines else None)
    parsed = [_parsed(adapter, number, line) for number, line in enumerate(lines, start=1)]
    last = parsed[-1]
    if not isinstance(last, OperationsEnd):
        raise LineProblem(len(lines) + 1, "the end is missing: the file is incomplete")
    found = [_checked(number, each) for number, each in enumerate(parsed[1:-1], start=2)]
    if last.lines != len(found):
        raise LineProblem(
            len(lines), f"end.lines: {last.lines}, but the file has {len(found)} between its ends"
        )
    _check_ids(found)
    return found


def _parsed(
    adapter: TypeAdapter[OperationsHeader | OperationsEntry | OperationsEnd],
    number: int,
    line: bytes,
) -> OperationsHeader | OperationsEntry | OperationsEnd:
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"]))
        message = f"{field}: {first['msg']}" if field else first["msg"]
        raise LineProblem(number, message) from None


def _check_header(first: OperationsHeader | OperationsEntry | OperationsEnd | None) -> None:
    if not isinstance(first, OperationsHeader):
        message = "is not the header that `payrouter ledger export --operations` writes"
        raise LineProblem(1, message)
    if first.version != VERSION:
        message = f"header.version: {first.version}; this version of payrouter reads {VERSION}"
        raise LineProblem(1, message)


def _checked(
    number: int, entry: OperationsHeader | OperationsEntry | OperationsEnd
) -> NumberedEntry:
    """Check what no field shows by itself."""
    if isinstance(entry, OperationsHeader | OperationsEnd):
        raise LineProblem(number, f"{entry.type}: is not allowed here")
    if isinstance(entry, TransferLine):
        _check_transfer(number, entry)
    elif entry.id != entry.content_id:
        raise LineProblem(number, f"{entry.type}.id: is not that of this content")
    return NumberedEntry(number, entry)


def _check_transfer(number: int, entry: TransferLine) -> None:
    if entry.source == entry.target:
        raise LineProblem(number, "transfer.to: is the same account as transfer.from")
    if entry.source.account != entry.target.account:
        raise LineProblem(number, "transfer.to: belongs to another merchant than transfer.from")
    if not entry.recorded_at - OLDEST <= entry.at <= entry.recorded_at + AHEAD:
        raise LineProblem(number, "transfer.at: is too far from transfer.recorded_at")


def _check_ids(found: Iterable[NumberedEntry]) -> None:
    lines: dict[str, int] = {}
    for number, entry in found:
        first = lines.setdefault(str(entry.id), number)
        if first != number:
            raise LineProblem(number, f"{entry.type}.id: is also on line {first}")
