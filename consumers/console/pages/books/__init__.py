"""Books: a page of the console."""

from consumers.console.pages.books.handlers import show
from consumers.console.web.page import ConsolePage, PageRoute

PAGE = ConsolePage("books", (PageRoute("", show),))
