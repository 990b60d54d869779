"""Groups: a page of the console."""

from consumers.console.pages.groups.handlers import show
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage("groups", (PageRoute("", show),))
