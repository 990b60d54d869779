"""The first page: where to look, and the box of the search."""

from consumers.console.pages.overview.handlers import show
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage("", (PageRoute("/", show),), in_navigation=False)
