"""Routes of a list: as a page, as its rows alone, as CSV and as JSON."""

from collections.abc import Sequence
from functools import partial

from consumers.console.listing.exporting import csv_chunks, json_chunks
from consumers.console.listing.listing import Listing, ListQuestion, Row
from consumers.console.web.answers import Download, Html, PageAnswer
from consumers.console.web.page import PageRoute
from consumers.console.web.visit import ConsoleVisit


def listing_routes(listing: Listing[Row], path: str = "") -> Sequence[PageRoute]:
    """Return the routes of a list at a path below its page: also `.csv`, `.json` and `.rows`."""
    return (
        PageRoute(path, partial(_page, listing)),
        PageRoute(f"{path}.rows", partial(_rows, listing)),
        PageRoute(f"{path}.csv", partial(_csv, listing)),
        PageRoute(f"{path}.json", partial(_json, listing)),
    )


async def _page(listing: Listing[Row], visit: ConsoleVisit) -> PageAnswer:
    return await shown_list(listing, visit, listing.template)


async def _rows(listing: Listing[Row], visit: ConsoleVisit) -> PageAnswer:
    return await shown_list(listing, visit, "listing/rows.html")


async def shown_list(listing: Listing[Row], visit: ConsoleVisit, template: str) -> Html:
    """Return a page of a list in a template."""
    filters, after = listing.given(visit), visit.query.one("after") or None
    found = await listing.read(visit, ListQuestion(filters, after, listing.limit))
    more = await listing.more(visit) if listing.more else {}
    values = {"listing": listing, "found": found, "filters": filters, "after": after, **more}
    return Html(template, values, listing.command(visit, filters))


async def _csv(listing: Listing[Row], visit: ConsoleVisit) -> PageAnswer:
    return Download(f"{listing.name}.csv", "text/csv", csv_chunks(listing, visit))


async def _json(listing: Listing[Row], visit: ConsoleVisit) -> PageAnswer:
    return Download(f"{listing.name}.json", "application/json", json_chunks(listing, visit))
