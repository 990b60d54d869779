"""Rows as CSV and JSON, in pieces, so that a list of any length needs little memory."""

import csv
import io
import json
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from consumers.console.listing.listing import Listing, ListQuestion, Row
from consumers.console.web.visit import ConsoleVisit

ROWS_AT_A_TIME: Final = 500
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a cell that spreadsheets execute."""


def csv_cell(value: object) -> str:
    """Return the text of a CSV cell; numbers stay exact, text cannot be a formula."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat()
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def json_value(value: object) -> object:
    """Return a JSON value; amounts and moments are text."""
    match value:
        case None | bool() | int() | str():
            return value
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.isoformat()
    return str(value)


async def csv_chunks(listing: Listing[Row], visit: ConsoleVisit) -> AsyncIterator[str]:
    """Yield a list as CSV, with a line of the columns' names."""
    head = _csv_line(column.name for column in listing.columns)
    async for row in _every_row(listing, visit):
        cells = [csv_cell(column.value(visit, row)) for column in listing.columns]
        yield head + _csv_line(cells)
        head = ""
    if head:
        yield head


async def json_chunks(listing: Listing[Row], visit: ConsoleVisit) -> AsyncIterator[str]:
    """Yield a list as one JSON array of objects."""
    separator = "[\n"
    async for row in _every_row(listing, visit):
        values = {column.name: json_value(column.value(visit, row)) for column in listing.columns}
        yield separator + json.dumps(values, ensure_ascii=False)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


async def _every_row(listing: Listing[Row], visit: ConsoleVisit) -> AsyncIterator[Row]:
    filters, after = listing.given(visit), None
    while True:
        found = await listing.read(visit, ListQuestion(filters, after, ROWS_AT_A_TIME))
        for row in found.rows:
            yield row
        after = found.after
        if after is None:
            return


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(list(cells))
    return line.getvalue()
