"""Endpoints: a page of the console."""

from consumers.console.pages.endpoints.handlers import show
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage("endpoints", (PageRoute("", show),))
