"""Search: a page of the console."""

from consumers.console.pages.search.handlers import show
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage("search", (PageRoute("", show),))
