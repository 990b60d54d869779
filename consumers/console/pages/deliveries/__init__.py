"""Deliveries: a page of the console."""

from consumers.console.pages.deliveries.handlers import show
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage("deliveries", (PageRoute("", show),))
