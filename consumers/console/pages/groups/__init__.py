"""Consumers: how far each is, what blocks it, and what it holds back."""

from consumers.console.acting.routes import action_routes
from consumers.console.listing.routes import listing_routes
from consumers.console.pages.groups.brakes import make_brake_action
from consumers.console.pages.groups.held_actions import make_held_actions
from consumers.console.pages.groups.held_detail import show_held_record
from consumers.console.pages.groups.held_lists import make_held_listing
from consumers.console.pages.groups.operations import make_operation_listing
from consumers.console.pages.groups.outbox import make_outbox_action, make_outbox_listing
from consumers.console.pages.groups.overview import (
    make_partition_listing,
    show_groups,
    show_groups_now,
)
from consumers.console.web.page import ConsolePage, PageRoute
from consumers.runtime.fate import Fate

_ACTIONS = (*make_held_actions(), make_brake_action(), make_outbox_action())

PAGE = ConsolePage(
    "groups",
    (
        PageRoute("", show_groups),
        PageRoute("/now", show_groups_now),
        *listing_routes(make_partition_listing(), "/partitions"),
        *listing_routes(make_held_listing(Fate.PARKED), "/parked"),
        *listing_routes(make_held_listing(Fate.DEAD), "/dead"),
        *listing_routes(make_outbox_listing(), "/outbox"),
        *listing_routes(make_operation_listing(), "/operations"),
        PageRoute("/held/{consumer}/{number}", show_held_record),
        *(route for each in _ACTIONS for route in action_routes(each)),
    ),
)
