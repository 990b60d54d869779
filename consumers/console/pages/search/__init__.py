"""Search: everything that happened to one order, payment, event, transaction or customer."""

from consumers.console.pages.search.handlers import show
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage("search", (PageRoute("", show),))
