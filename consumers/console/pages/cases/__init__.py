"""Cases: what needs an operator, and what operators decide about it."""

from consumers.console.acting.routes import action_routes
from consumers.console.listing.routes import listing_routes
from consumers.console.pages.cases.deciding import make_decide_action
from consumers.console.pages.cases.detail import show_case
from consumers.console.pages.cases.listed import make_listing
from consumers.console.pages.cases.words import make_word_actions
from consumers.console.web.page import ConsolePage, PageRoute

_ACTIONS = (*make_word_actions(), make_decide_action())

PAGE = ConsolePage(
    "cases",
    (
        *listing_routes(make_listing()),
        *(route for each in _ACTIONS for route in action_routes(each)),
        PageRoute("/{case}", show_case),
    ),
)
