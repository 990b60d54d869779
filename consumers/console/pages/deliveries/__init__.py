"""Deliveries: what gateways sent, with the verification of each; replay from quarantine."""

from consumers.console.acting.routes import action_routes
from consumers.console.listing.routes import listing_routes
from consumers.console.pages.deliveries.handlers import one
from consumers.console.pages.deliveries.listed import LISTING
from consumers.console.pages.deliveries.replay import REPLAY
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage(
    "deliveries",
    (
        *listing_routes(LISTING),
        *action_routes(REPLAY),
        PageRoute("/{topic}/{partition}/{offset}", one),
    ),
)
