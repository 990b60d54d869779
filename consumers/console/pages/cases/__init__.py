"""Cases: a page of the console."""

from consumers.console.pages.cases.handlers import show
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage("cases", (PageRoute("", show),))
