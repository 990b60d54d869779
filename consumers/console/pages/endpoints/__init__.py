"""Endpoints: the webhook URLs, their keys, what they received, and a test delivery."""

from consumers.console.acting.routes import action_routes
from consumers.console.listing.routes import listing_routes
from consumers.console.pages.endpoints.detail import show_endpoint
from consumers.console.pages.endpoints.endpoint_list import ENDPOINTS
from consumers.console.pages.endpoints.trial_action import TRIAL
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage(
    "endpoints",
    (
        *listing_routes(ENDPOINTS),
        *action_routes(TRIAL),
        PageRoute("/{name}", show_endpoint),
    ),
)
